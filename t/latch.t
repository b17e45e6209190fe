#!/usr/bin/perl

# latch on: once open it stays open and nobody is asked any more.  latch off:
# it closes after "fall" verdicts other than passed, and opens after "rise".

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;

my $t = InitGate->new(also => InitGate::Load::BESIDE, http => <<'CONF');
    init_checks on {
        check file %%DIR%%/marker;
        interval 50ms 50ms;
    }
    init_checks swings {
        check file %%DIR%%/marker;
        latch off;
        interval 50ms 50ms;
        fall 4;
    }
    init_checks slow {
        check file %%DIR%%/marker;
        latch off;
        interval 50ms;
        rise 6;
        fall 1;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        root %%DIR%%/html;
        location /on { init_gate on; }
        location /off { init_gate swings; }
        location = /init { init_status details=on; }
    }
CONF

$t->write("html/$_", 'here') for qw(on off);

$t->run;
my $beside = beside($t);

sub gate {
    my ($name) = @_;

    return (grep { $_->{gate} eq $name } @{$t->json('/init')->{gates}})[0];
}

sub attempts { gate($_[0])->{checks}[0]{attempts} }


# rise: six in a row, fifty milliseconds apart

$t->wait_for(sub { gate('slow')->{state} eq 'initializing' }, 'a verdict');
$t->write('marker');
$t->wait_for(sub { gate('slow')->{ready} }, 'slow to open');

my $check = gate('slow')->{checks}[0];
cmp_ok($check->{consecutive}, '>=', 6, 'rise: opened after six');
cmp_ok($check->{consecutive}, '<=', 9, 'and not much later');

$t->wait_for(sub { gate('on')->{ready} && gate('swings')->{ready} },
    'the others');
is($t->get("/$_")->{status}, 200, "$_ open") for qw(on off);

# fall: one is enough for slow, four for the other; the first is latched

my $asked = attempts('on');
$t->remove('marker');

$t->wait_for(sub { !gate('slow')->{ready} }, 'slow to close');
$t->wait_for(sub { !gate('swings')->{ready} }, 'the other to close');

$check = gate('swings')->{checks}[0];
cmp_ok($check->{consecutive}, '>=', 4, 'fall: closed after four');
is(gate('swings')->{state}, 'initializing', 'state');
is($t->get('/off')->{status}, 503, 'closed again');

is($t->get('/on')->{status}, 200, 'latched: open');
is(attempts('on'), $asked, 'latched: asked no more');
is(gate('on')->{state}, 'ready', 'latched: ready');
is(gate('on')->{checks}[0]{next_check}, undef, 'latched: no next check');

# a short absence does not count

$t->write('marker');
$t->wait_for(sub { gate('swings')->{ready} }, 'it to open again');

my $changes = @{gate('swings')->{history}};
$t->remove('marker');
$t->wait_for(sub { gate('swings')->{checks}[0]{verdict} ne 'passed' },
    'one probe');
$t->write('marker');
$t->wait_for(sub { gate('swings')->{checks}[0]{verdict} eq 'passed' },
    'the next');
is(scalar @{gate('swings')->{history}}, $changes, 'no change of state');

is_deeply([map { $_->{state} } @{gate('swings')->{history}}],
    [qw(starting initializing ready initializing ready)], 'history');

undisturbed($beside);

done_testing;
