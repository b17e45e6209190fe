#!/usr/bin/perl

# worker_connections exhausted by others: a probe that finds none ends as an
# error that counts neither way, nothing crashes, and all goes on afterwards.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;

my $fake = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.1 " . ($c->word || 200) . " x\r\nContent-Length: 0\r\n"
        . "Connection: close\r\n\r\n");
});

my $t = InitGate->new(workers => 1, events => 'worker_connections 32;',
    http => InitGate::Load::LOG . <<"CONF");

    init_checks app {
        check http http://127.0.0.1:@{[$fake->port]}/;
        interval 50ms 50ms;
        latch off;
        fall 1;
    }
    init_checks closed {
        check http http://127.0.0.1:@{[$fake->port]}/ status=404;
        interval 50ms;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app;  empty_gif; }
        location = /closed { init_gate closed;  init_hold 30s;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
    }
CONF

$t->allow(qr/\[alert\].*worker_connections are not enough/);
$t->run;
$t->wait_for(sub { $t->json('/init')->{gates}[0]{ready} }, 'the gate to open');

sub gate { $t->json('/init')->{gates}[$_[0]] }

sub failures {
    return $t->get('/init?format=prometheus')->{content}
        =~ /^init_check_failures_total\{gate="app".*no_connections"\} (\d+)/m
        ? $1 : 0;
}

my $waiting = $t->connect;
$waiting->syswrite("GET /closed HTTP/1.1\r\nHost: a\r\n\r\n");
$t->wait_for(sub { gate(1)->{held} == 1 }, 'somebody to wait');
is(failures(), 0, 'never without a connection');

# a request that has begun is not given up for another connection; before it
# has, it may be.  A probe may have had the last one, and give it back

my $load = InitGate::Load->new($t, clients => 2);
my @others;

$t->wait_for(sub {
    my $socket = $t->connect;
    $socket->syswrite("GET / HTTP/1.1\r\n");
    push @others, $socket;

    return !grep { !$t->log_count(qr/init gate "$_": check "http" error/) }
        qw(app closed);
}, 'connections to be exhausted');

# there is room again

@others = ();
$t->wait_for(sub { gate(0)->{checks}[0]{verdict} eq 'passed' },
    'a probe that passes');

cmp_ok(failures(), '>', 0, 'without a connection, where one failure counts');
is(gate(0)->{state}, 'ready', 'ready all the time');
is_deeply([map { $_->{state} } @{gate(0)->{history}}], ['starting', 'ready'],
    'indeed');
is(gate(1)->{state}, 'initializing', 'the other one is as it was');
is(gate(1)->{held}, 1, 'and who waits, waits');

# who had no connection had no answer, and nobody had another one

$load->more(20, 200);
my %count = $load->stop->counts;
delete $count{lost};
is_deeply([keys %count], [200], 'open');
balanced($t, 'app');

# and what is found out then counts

$load = InitGate::Load->new($t, clients => 2);
$load->more(20);
only($load, 200, 'open');

$fake->set(404);
$t->wait_for(sub { gate(0)->{state} eq 'initializing' }, 'the gate to close');
is($t->http_read($waiting)->{status}, 200, 'who waited is served');
is(gate(1)->{held_passed}, 1, 'and counted');

done_testing;
