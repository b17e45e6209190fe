#!/usr/bin/perl

# conf-examples/quick-start

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

my $t = InitGate::Example->new('quick-start/nginx.conf',
    '/var/lib/app' => '%%DIR%%/app',
    'http://127.0.0.1:8000' => 'http://127.0.0.1:' . $app->port,
    'listen 80;' => 'listen 127.0.0.1:%%PORT_8080%%;');

mkdir $t->path('app');
$t->run;

is($t->get('/')->{status}, 503, 'closed');
is($t->get('/ready')->{status}, 503, 'not ready');
$t->restricted_ok('/init');
is($app->connections, 0, 'nothing has reached the application');

$t->write('app/.initialized');
$t->wait_for(sub { $t->json('/init')->{ready} }, 'the gate to open');

is($t->get('/')->{content}, 'hello', 'open');
is($t->get('/ready')->{status}, 200, 'ready');

done_testing;
