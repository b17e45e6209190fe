#!/usr/bin/perl

# conf-examples/init-container: the files of an init container.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;
use InitGate::Fake;

my $app = InitGate::Fake->http(200, body => 'hello');

my $t = InitGate::Example->new('init-container/nginx.conf',
    '/shared' => '%%DIR%%/shared',
    'http://127.0.0.1:8000' => 'http://127.0.0.1:' . $app->port,
    'listen 8080;' => 'listen 127.0.0.1:%%PORT_8080%%;');

my $run = $t->file('run-init');
my $shared = $t->path('shared');

mkdir $shared;
$t->run;

is($t->get('/')->{status}, 503, 'no marker: refused');
$t->restricted_ok('/init');

# it fails

is($t->run_command($run, $shared, 42, 'sh', '-c',
    'echo cannot reach the licence server >&2; exit 3'), 3,
    'run-init: exit status of the command');

$t->wait_state('failed');
like($t->gate->{checks}[0]{message},
    qr/exit status 3: cannot reach the licence server/, 'failed: message');
is($t->get('/')->{status}, 503, 'failed: refused');
is($t->get('/ready')->{status}, 503, 'failed: not ready');
is($app->connections, 0, 'failed: no request to the application');
unlike($t->get('/')->{content}, qr/licence/,
    'failed: no message in the response');

# the marker of another release

$t->write('shared/.initialized', "release 41\n");
$t->remove('shared/.init-failed');
$t->wait_state('initializing');
is($t->get('/')->{status}, 503, 'marker of another release: refused');

# it succeeds, and exits

$t->command_ok($run, $shared, 42, 'true', 'run-init, second run');
$t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the gate to open');
is($t->gate->{state}, 'ready', 'marker: ready');

$t->quit;
$t->run;
is($t->get('/')->{content}, 'hello', 'restart: first request served');

done_testing;
