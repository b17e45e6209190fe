#!/usr/bin/perl

# conf-examples/model-load: a process that listens and does not respond yet.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;

my $t = InitGate::Example->new('model-load/nginx.conf',
    '127.0.0.1:8000' => '127.0.0.1:%%PORT_8081%%',
    'interval 1s 5s;' => 'interval 100ms;',
    'timeout 2s;' => 'timeout 1s;',
    'backoff 2s;' => 'backoff 300ms;',
    'listen 8080;' => 'listen 127.0.0.1:%%PORT_8080%%;');

my @server = ($t->file('server.py'), $t->port(8081));

my $server = $t->spawn_command(@server, 3600);
$t->wait_listen($t->port(8081));
$t->run;

$t->wait_for(sub { $t->gate->{checks}[0]{attempts} }, 'a probe');
is($t->gate->{checks}[0]{reason}, 'timeout', 'model loading: reason');
is($t->get('/ready')->{status}, 503, 'model loading: not ready');
$t->restricted_ok('/init');

# loaded

$t->stop_command($server);
$server = $t->spawn_command(@server, 0);
like($t->get('/', timeout => 60)->{content}, qr/"loaded": true/,
    'request while the model loads: held, then served');
is($t->gate->{state}, 'ready', 'model loaded: ready');

# started again: the gate closes until the model is loaded again

$t->stop_command($server);
$t->wait_for(sub { $t->get('/ready')->{status} == 503 }, 'the gate to close');
$server = $t->spawn_command(@server, 0);
$t->wait_for(sub { $t->get('/ready')->{status} == 200 },
    'the gate to open again');

done_testing;
