#!/usr/bin/perl

# conf-examples/model-load: a process that listens, and does not answer yet.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;

use Time::HiRes qw(time);

my $t = InitGate::Example->new('model-load/nginx.conf',
    '127.0.0.1:8000' => '127.0.0.1:%%PORT_8081%%',
    'interval 1s 5s;' => 'interval 100ms;',
    'timeout 2s;' => 'timeout 300ms;',
    'backoff 2s;' => 'backoff 300ms;',
    'listen 80;' => 'listen 127.0.0.1:%%PORT_8080%%;');

sub gate { $t->json('/init')->{gates}[0] }

sub listens {
    my $socket = eval { $t->connect($t->port(8081)) };
    return defined $socket;
}

my @server = ($t->file('server.py'), $t->port(8081));

my $server = $t->spawn_command(@server, 3600);
$t->wait_for(\&listens, 'the server to listen', 10);
$t->run;

$t->wait_for(sub { gate()->{checks}[0]{attempts} }, 'a probe');
is(gate()->{checks}[0]{reason}, 'timeout', 'it does not answer');
is($t->get('/ready')->{status}, 503, 'not ready, and says so');
$t->restricted_ok('/init');

# loaded

$t->stop_command($server);
$server = $t->spawn_command(@server, 0);
like($t->get('/', timeout => 10)->{content}, qr/"loaded": true/,
    'held until it had loaded');
is(gate()->{state}, 'ready', 'ready');

# started again: the gate closes until it has loaded again

$t->stop_command($server);
$t->wait_for(sub { $t->get('/ready')->{status} == 503 }, 'the gate to close');
$server = $t->spawn_command(@server, 0);
$t->wait_for(sub { $t->get('/ready')->{status} == 200 }, 'open again', 10);

done_testing;
