#!/usr/bin/perl

# While a gate is starting, requests wait, hold or not: a backend whose checks
# pass by then loses nobody over a start.  Another verdict ends the wait.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;
use Time::HiRes qw(time);

my $fake = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;
    Time::HiRes::sleep(0.01) until $c->word;
    $c->send("HTTP/1.1 " . $c->word . " x\r\nContent-Length: 0\r\n\r\n");
});

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

sub ask {
    my ($t) = @_;

    my $s = $t->connect;
    print $s "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    $s->flush;

    return $s;
}


my $t = InitGate->new(also => InitGate::Load::BESIDE, http => $conf);
$t->write('html/index.html', 'here');
$t->write('marker');
$t->run;

my $beside = beside($t);
my @waiting = map { ask($t) } 1 .. 4;
$t->wait_for(sub { $t->json('/init')->{gates}[0]{checks}[0]{verdict}
    eq 'passed' }, 'one verdict');
is($t->json('/init')->{gates}[0]{state}, 'starting', 'starting');
is(grep({ IO::Select->new($_)->can_read(0) } @waiting), 0, 'they wait');

$fake->set(200);
is($t->http_read($_)->{status}, 200, 'passed') for @waiting;
is($t->json('/init')->{gates}[0]{state}, 'ready', 'ready');
undisturbed($beside);
$t->quit;


# a verdict other than passed

$fake->set('');
$t = InitGate->new(also => InitGate::Load::BESIDE, http => $conf);
$t->write('marker');
$t->run;

$beside = beside($t);
@waiting = map { ask($t) } 1 .. 4;
$t->wait_for(sub { $t->json('/init')->{gates}[0]{checks}[0]{verdict}
    eq 'passed' }, 'one verdict');

my $start = time;
$fake->set(503);
is($t->http_read($_)->{status}, 503, 'refused') for @waiting;
cmp_ok(time - $start, '<', patience(1), 'at once');
undisturbed($beside);
$t->quit;


# no verdict at all: three seconds

$fake->set('');
$t = InitGate->new(also => InitGate::Load::BESIDE, http => $conf);
$t->write('marker');
$start = time;
$t->run;

$beside = beside($t);
@waiting = map { ask($t) } 1 .. 4;
is($t->http_read($_)->{status}, 503, 'refused') for @waiting;
cmp_ok(time - $start, '>=', 2.5, 'after three seconds');
cmp_ok(time - $start, '<', 3 + patience(1), 'and not more');
undisturbed($beside);

done_testing;
