#!/usr/bin/perl

# How many may wait in a worker: max=, waits at the start included; otherwise a
# quarter of worker_connections.  Probes find a connection whatever waits.
# The wait at the start ends where init_hold does, if a verdict is in by then.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;
use Time::HiRes qw(time sleep);

my $fake = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;
    sleep $c->word || 0;
    $c->send("HTTP/1.1 503 x\r\nContent-Length: 0\r\n"
        . "Connection: close\r\n\r\n");
});

my $t = InitGate->new(workers => 1, events => 'worker_connections 64;',
    http => '', also => InitGate::Load::BESIDE);

sub conf {
    my ($hold) = @_;

    return InitGate::Load::LOG . <<"CONF";
    init_checks app {
        check http http://127.0.0.1:@{[$fake->port]}/;
        interval 50ms;
        timeout 5s;
        latch off;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app;  init_hold $hold;  empty_gif; }
        location = /off { init_gate app;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
    }
CONF
}

sub gate { $t->json('/init')->{gates}[0] }

sub begin {
    my ($uri) = @_;

    my $socket = $t->connect;
    $socket->syswrite("GET $uri HTTP/1.1\r\nHost: a\r\n"
        . "Connection: close\r\n\r\n");

    return $socket;
}

# how many of so many are refused at once; the others wait

sub refused {
    my ($n) = @_;

    my $before = gate();
    my $sum = sub { my ($gate) = @_; $gate->{held} + $gate->{refused} };

    my @waiting = map { begin('/') } 1 .. $n;
    $t->wait_for(sub { $sum->(gate()) >= $sum->($before) + $n }, "$n of them");

    return (gate()->{refused} - $before->{refused}, \@waiting);
}

# at the start

$fake->set(1);
$t->run(http => conf('5s max=3'));
my $beside = beside($t);

my ($refused, $waiting) = refused(5);
is($refused, 2, 'max=3: two of five are refused at once');
is(gate()->{held}, 3, 'three wait');

$t->wait_for(sub { gate()->{state} eq 'initializing' }, 'the first verdict');
is(gate()->{held}, 3, 'and go on waiting');
is($t->get('/off')->{status}, 503, 'no hold');

# room again

undef $waiting;
$t->wait_for(sub { gate()->{held} == 0 }, 'them to go');
($refused, $waiting) = refused(4);
is($refused, 1, 'one of four');
undef $waiting;

is(gate()->{refused}, 4, 'counted: refused');
$t->wait_for(sub { gate()->{gone} == 6 }, 'gone');
balanced($t, 'app');

# the default, and probes go on: each needs a connection

$fake->set(0);
$t->reload(http => conf('30s'));
$t->wait_for(sub { gate()->{state} eq 'initializing' }, 'the first verdict');

($refused, $waiting) = refused(24);
is($refused, 8, '16 of 64 connections');
is(gate()->{held}, 16, 'wait');

my $attempts = gate()->{checks}[0]{attempts};
$t->wait_for(sub { gate()->{checks}[0]{attempts} > $attempts + 3 }, 'probes');
is(gate()->{checks}[0]{reason}, 'bad_status', 'which are answered');
undef $waiting;
$t->wait_for(sub { gate()->{held} == 0 }, 'them to go');

# more than there are connections: the last ones are never taken

$t->reload(http => conf('30s max=1000'));
$t->wait_for(sub { gate()->{state} eq 'initializing' }, 'the first verdict');

($refused, $waiting) = refused(70);
cmp_ok(gate()->{held}, '<=', 56, 'an eighth is left');
cmp_ok(gate()->{held}, '>', 40, 'and no more');
$attempts = gate()->{checks}[0]{attempts};
$t->wait_for(sub { gate()->{checks}[0]{attempts} > $attempts + 3 }, 'probes');
is(gate()->{checks}[0]{reason}, 'bad_status', 'which are answered, too');
undef $waiting;
$t->wait_for(sub { gate()->{held} == 0 }, 'them to go');

# a verdict after 300 ms; then init_hold decides, not the 3 s of the start

undisturbed($beside);

$fake->set(0.3);
$t->quit;
$t->run(http => conf('600ms'));

my $begun = time;
is($t->get('/')->{status}, 503, 'refused');
cmp_ok(time - $begun, '>', 0.5, 'when init_hold has passed');
cmp_ok(time - $begun, '<', patience(2), 'not later');

done_testing;
