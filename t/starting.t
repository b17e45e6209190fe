#!/usr/bin/perl

# While a gate is starting, requests are held, with or without init_hold: in
# front of a backend whose checks pass, no request is refused at a start.  Another verdict ends the wait.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;
use Time::HiRes qw(time);

my $fake = InitGate::Fake->http(200, wait => 1);

my $conf = <<'CONF';
    init_checks app {
        check file %%DIR%%/marker  name=marker;
        check http http://127.0.0.1:FAKE/  name=slow  timeout=10m;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app; root %%DIR%%/html; }
        location = /init { init_status details=on; }
    }
CONF

$conf =~ s/FAKE/$fake->port/e;


# The wait is three seconds long.  All requests here wait.

sub begin {
    my ($t) = @_;

    $fake->set('');
    $t->run;

    my $background = background($t);
    my @waiting = map { $t->send('/') } 1 .. 4;
    $t->wait_for(sub { $t->check('marker')->{verdict} eq 'passed' },
        'one verdict');

    return ($background, @waiting);
}

my $t = InitGate->new(also => InitGate::Load::BACKGROUND, http => $conf);
$t->write('html/index.html', 'here');
$t->write('marker');

my $start = $t->within(2.5, sub {
    $t->quit;

    my ($background, @waiting) = begin($t);
    my $state = $t->gate('app')->{state};
    my $answered = grep { IO::Select->new($_)->can_read(0) } @waiting;

    $fake->set(200);

    return { state => $state, answered => $answered,
             statuses => $t->statuses(@waiting), background => $background };
});

SKIP: {
    skip 'too slow for a start of three seconds', 5 if !$start;

    is($start->{state}, 'starting', 'one verdict of two: starting');
    is($start->{answered}, 0, 'one verdict of two: requests wait');
    is_deeply($start->{statuses}, { 200 => 4 }, 'all checks pass: served');
    is($t->gate('app')->{state}, 'ready', 'all checks pass: ready');
    unaffected($start->{background});
}

$t->quit;


# a verdict other than passed

$t = InitGate->new(also => InitGate::Load::BACKGROUND, http => $conf);
$t->write('marker');

my ($background, @waiting) = begin($t);
my $clock = $t->clock;
$fake->set(503);
is_deeply($t->statuses(@waiting), { 503 => 4 }, 'other verdict: refused');
cmp_ok($clock->seconds, '<', patience(1), 'other verdict: refused in time');
unaffected($background);
$t->quit;


# no verdict at all: three seconds

$t = InitGate->new(also => InitGate::Load::BACKGROUND, http => $conf);
$t->write('marker');

my $begun = time;
$clock = $t->clock;
($background, @waiting) = begin($t);
is_deeply($t->statuses(@waiting), { 503 => 4 }, 'no verdict: refused');
cmp_ok(time - $begun, '>=', 2.5, 'no verdict: refused after three seconds');
cmp_ok($clock->seconds, '<', 3 + patience(1), 'no verdict: refused in time');
unaffected($background);

done_testing;
