#!/usr/bin/perl

# A client whose request and end of connection arrive together: its request
# is not held, and does not reach the backend when the gate opens.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;

my $backend = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.0 200 OK\r\n\r\nserved");
});

my $t = InitGate->new(workers => 1, http => <<'CONF');
    init_checks app { check file %%DIR%%/marker;  interval 20ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / {
            init_gate app;
            init_hold 60s;
            proxy_pass http://127.0.0.1:BACKEND;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_8081%%;
        location = /init { init_status details=on; }
    }
CONF

$t->{http} =~ s/BACKEND/$backend->port/e;
$t->run;

sub gate { $t->json('/init', port => $t->port(8081))->{gates}[0] }

$t->wait_for(sub { gate()->{state} eq 'initializing' }, 'the first verdict');

my ($worker) = $t->workers;

for my $method (qw(GET POST)) {
    $t->signal('STOP', $worker);

    my $socket = $t->connect;
    $socket->syswrite("$method / HTTP/1.1\r\nHost: a\r\nContent-Length: 0"
        . "\r\n\r\n");
    $socket->shutdown(2);
    $socket->close;

    $t->signal('CONT', $worker);

    my $gone = $method eq 'GET' ? 1 : 2;

    $t->wait_for(sub { gate()->{gone} == $gone }, "$method: a request counted as gone");
    is(gate()->{held}, 0, "$method from a client that left: not held");
}

$t->write('marker');
$t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the gate to open');

is($backend->connections, 1, 'backend: only the request of the last client');

done_testing;
