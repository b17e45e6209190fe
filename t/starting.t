#!/usr/bin/perl

# While a gate is starting, requests are held, with or without init_hold: in
# front of a backend whose checks pass no request is refused at a
# start.  Another verdict ends the wait.

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
        check http http://127.0.0.1:FAKE/  name=slow  timeout=10s;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app; root %%DIR%%/html; }
        location = /init { init_status details=on; }
    }
CONF

$conf =~ s/FAKE/$fake->port/e;


my $t = InitGate->new(also => InitGate::Load::BACKGROUND, http => $conf);
$t->write('html/index.html', 'here');
$t->write('marker');
$t->run;

my $background = background($t);
my @waiting = map { $t->send('/') } 1 .. 4;
$t->wait_for(sub { $t->check('marker')->{verdict} eq 'passed' }, 'one verdict');
is($t->gate('app')->{state}, 'starting', 'one verdict of two: starting');
is(grep({ IO::Select->new($_)->can_read(0) } @waiting), 0,
    'one verdict of two: requests wait');

$fake->set(200);
is_deeply($t->statuses(@waiting), { 200 => 4 }, 'all checks pass: served');
is($t->gate('app')->{state}, 'ready', 'all checks pass: ready');
unaffected($background);
$t->quit;


# a verdict other than passed

$fake->set('');
$t = InitGate->new(also => InitGate::Load::BACKGROUND, http => $conf);
$t->write('marker');
$t->run;

$background = background($t);
@waiting = map { $t->send('/') } 1 .. 4;
$t->wait_for(sub { $t->check('marker')->{verdict} eq 'passed' }, 'one verdict');

my $start = time;
$fake->set(503);
is_deeply($t->statuses(@waiting), { 503 => 4 }, 'other verdict: refused');
cmp_ok(time - $start, '<', patience(1), 'other verdict: refused in time');
unaffected($background);
$t->quit;


# no verdict at all: three seconds

$fake->set('');
$t = InitGate->new(also => InitGate::Load::BACKGROUND, http => $conf);
$t->write('marker');
$start = time;
$t->run;

$background = background($t);
@waiting = map { $t->send('/') } 1 .. 4;
is_deeply($t->statuses(@waiting), { 503 => 4 }, 'no verdict: refused');
cmp_ok(time - $start, '>=', 2.5, 'no verdict: refused after three seconds');
cmp_ok(time - $start, '<', 3 + patience(1), 'no verdict: refused in time');
unaffected($background);

done_testing;
