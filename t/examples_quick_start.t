#!/usr/bin/perl

# conf-examples/quick-start: one marker file.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;
use InitGate::Fake;

my $app = InitGate::Fake->http(200, body => 'hello');

my $t = InitGate::Example->new('quick-start/nginx.conf',
    '/var/lib/app' => '%%DIR%%/app',
    'http://127.0.0.1:8000' => 'http://127.0.0.1:' . $app->port,
    'listen 8080;' => 'listen 127.0.0.1:%%PORT_8080%%;');

mkdir $t->path('app');
$t->run;

is($t->get('/')->{status}, 503, 'no marker: refused');
is($t->get('/ready')->{status}, 503, 'no marker: not ready');
$t->restricted_ok('/init');
is($app->connections, 0, 'no marker: no request to the application');

$t->write('app/.initialized');
$t->wait_ready;

is($t->get('/')->{content}, 'hello', 'marker: served');
is($t->get('/ready')->{status}, 200, 'marker: ready');

done_testing;
