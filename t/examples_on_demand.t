#!/usr/bin/perl

# conf-examples/on-demand: the first request starts the initialization.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;

my $t = InitGate::Example->new('on-demand/nginx.conf',
    '/var/lib/app' => '%%DIR%%/app',
    '127.0.0.1:8000' => '127.0.0.1:%%PORT_8081%%',
    'listen 8080;' => 'listen 127.0.0.1:%%PORT_8080%%;');

mkdir $t->path('app');
chmod 0777, $t->path('app');
$t->run;
$t->spawn_command($t->file('app.py'), $t->path('app'), $t->port(8081));

$t->wait_listen($t->port(8081));

$t->wait_for(sub { $t->gate->{checks}[0]{attempts} > 1 }, 'two probes');
is($t->gate->{trigger}{state}, 'idle', 'no request: trigger idle');
is($t->get('/alive')->{status}, 200, 'liveness: 200');
is($t->get('/initialize')->{status}, 404, '/initialize: not for clients');
ok(!-e $t->path('app/.progress'), 'no request: no initialization');
$t->restricted_ok('/init');

my $answer = $t->get('/');
is($answer->{content}, "hello\n", 'first request: held, then served');

is($t->gate->{trigger}{state}, 'succeeded', 'first request: trigger succeeded');
is(scalar(() = $t->read('command.log') =~ /POST \/initialize/g), 1,
    'trigger: sent once');

# after a restart nothing is initialized again

$t->quit;
$t->run;
is($t->get('/')->{status}, 200, 'restart: served');
is(scalar(() = $t->read('command.log') =~ /POST \/initialize/g), 1,
    'restart: no trigger');

done_testing;
