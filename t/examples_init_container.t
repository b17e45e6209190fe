#!/usr/bin/perl

# conf-examples/init-container: what an init container leaves behind.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;
use InitGate::Fake;

my $app = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
});

my $t = InitGate::Example->new('init-container/nginx.conf',
    '/shared' => '%%DIR%%/shared',
    'http://127.0.0.1:8000' => 'http://127.0.0.1:' . $app->port,
    'listen 80;' => 'listen 127.0.0.1:%%PORT_8080%%;');

my $run = $t->file('run-init');
my $shared = $t->path('shared');

sub gate { $t->json('/init')->{gates}[0] }

mkdir $shared;
$t->run;

is($t->get('/')->{status}, 503, 'closed');
$t->restricted_ok('/init');

# it fails

is($t->run_command($run, $shared, 42, 'sh', '-c',
    'echo cannot reach the licence server >&2; exit 3'), 3,
    'the exit status is the command\'s');

$t->wait_for(sub { gate()->{state} eq 'failed' }, 'the failure to be seen');
like(gate()->{checks}[0]{message},
    qr/exit status 3: cannot reach the licence server/, 'the reason');
is($t->get('/')->{status}, 503, 'nothing let through');
is($t->get('/ready')->{status}, 503, 'not ready');
is($app->connections, 0, 'the application has seen nobody');
unlike($t->get('/')->{content}, qr/licence/, 'the reason is not for all');

# another release's marker

$t->write('shared/.initialized', "release 41\n");
$t->remove('shared/.init-failed');
$t->wait_for(sub { gate()->{state} eq 'initializing' }, 'the old marker');
is($t->get('/')->{status}, 503, 'does not count');

# it succeeds, and is gone

$t->command_ok($run, $shared, 42, 'true', 'run again');
$t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the gate to open');
is(gate()->{state}, 'ready', 'ready');

$t->quit;
$t->run;
is($t->get('/')->{content}, 'hello', 'after a restart, ready at once');

done_testing;
