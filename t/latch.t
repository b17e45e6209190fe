#!/usr/bin/perl

# latch on: once open the gate stays open and is not probed any more.  latch
# off: it closes after "fall" verdicts other than passed, and opens after
# "rise" passed ones.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;

my $t = InitGate->new(also => InitGate::Load::BACKGROUND, http => <<'CONF');
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
my $background = background($t);

sub attempts { $t->gate($_[0])->{checks}[0]{attempts} }


# rise: six in a row

$t->wait_state('initializing', 'slow');
$t->write('marker');
$t->wait_ready('slow');

my $check = $t->gate('slow')->{checks}[0];
cmp_ok($check->{consecutive}, '>=', 6, 'rise 6: opened after six');
cmp_ok($check->{consecutive}, '<=', 9, 'rise 6: opened not much later');

$t->wait_for(sub { $t->gate('on')->{ready} && $t->gate('swings')->{ready} },
    'the other gates to open');
is($t->get("/$_")->{status}, 200, "$_: served") for qw(on off);

# fall: one is enough for slow, four for swings; the first gate is latched

my $asked = attempts('on');
$t->remove('marker');

$t->wait_for(sub { !$t->gate('slow')->{ready} }, 'slow to close');
$t->wait_for(sub { !$t->gate('swings')->{ready} }, 'swings to close');

$check = $t->gate('swings')->{checks}[0];
cmp_ok($check->{consecutive}, '>=', 4, 'fall 4: closed after four');
is($t->gate('swings')->{state}, 'initializing', 'fall 4: state');
is($t->get('/off')->{status}, 503, 'fall 4: refused');

is($t->get('/on')->{status}, 200, 'latched: served');
is(attempts('on'), $asked, 'latched: no further probe');
is($t->gate('on')->{state}, 'ready', 'latched: ready');
is($t->gate('on')->{checks}[0]{next_check}, undef, 'latched: no next probe');

# fewer than "fall" do not count

$t->write('marker');
$t->wait_ready('swings');

my $changes = @{$t->gate('swings')->{history}};
$t->remove('marker');
$t->wait_for(sub { $t->gate('swings')->{checks}[0]{verdict} ne 'passed' },
    'one verdict other than passed');
$t->write('marker');
$t->wait_for(sub { $t->gate('swings')->{checks}[0]{verdict} eq 'passed' },
    'the next verdict');
is(scalar @{$t->gate('swings')->{history}}, $changes,
    'fewer than "fall": no change of state');

is_deeply([map { $_->{state} } @{$t->gate('swings')->{history}}],
    [qw(starting initializing ready initializing ready)],
        'opened and closed: history');

unaffected($background);

done_testing;
