#!/usr/bin/perl

# http, grpc: a connection is kept for at most 30 seconds, in use or idle.  The
# clock of nginx is put forward.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::HTTP2;
use InitGate::MonotonicClock;

my $t = InitGate->new(workers => 1);
my $clock = InitGate::MonotonicClock->new($t);

sub closed { $t->write('closed.' . $_[0]->socket->sockport) }

my %serve = (
    http => sub {
        my ($c) = @_;

        $c->send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            while $c->read_until(qr/\r\n\r\n/);
    },

    grpc => sub {
        my ($c) = @_;

        $c->send(settings());

        for (my $stream = 1; $c->read_until(qr/\x0a\x01x/); $stream += 2) {
            $c->send(headers($stream, ':status' => 200,
                'content-type' => 'application/grpc')
                . data($stream, message("\x08\x01"))
                . end($stream, 'grpc-status' => 0));
        }
    },
);

my %fake = map {
    my $code = $serve{$_};
    my @two = map { InitGate::Fake->new(sub { $code->($_[0]);
                                              closed($_[0]) }) } 1, 2;
    ("$_.busy" => $two[0], "$_.idle" => $two[1]);
} keys %serve;

my %at = map { $_ => '127.0.0.1:' . $fake{$_}->port } keys %fake;

$t->conf(http => <<"CONF");
    init_checks app {
        check file %%DIR%%/never  name=never;
        check grpc $at{'grpc.busy'}  name=grpc.busy  service=x;
        check grpc $at{'grpc.idle'}  name=grpc.idle  service=x  interval=1h;
        check http http://$at{'http.busy'}/  name=http.busy;
        check http http://$at{'http.idle'}/  name=http.idle  interval=1h;
        interval 100ms;
        backoff 100ms;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

$clock->run;

sub probes {
    my %attempts = map { $_ => $t->check("$_.busy")->{attempts} } keys %serve;

    $t->wait_for(sub {
        !grep { $t->check("$_.busy")->{attempts} <= $attempts{$_} + 5 }
            keys %serve;
    }, 'more probes');
}

$t->wait_for(sub {
    !grep { ($t->check($_)->{verdict} // '') ne 'passed' } keys %fake;
}, 'all to be probed');
probes();

my %connections = map { $_ => $fake{"$_.busy"}->connections } keys %serve;

$clock->forward(10);
probes();
cmp_ok($fake{"$_.busy"}->connections, '<=', $connections{$_} + 1,
    "$_, after 10 s: kept") for sort keys %serve;

$clock->forward(25);
probes();

for my $type (sort keys %serve) {
    cmp_ok($fake{"$type.busy"}->connections, '>', $connections{$type},
        "$type, after 35 s: a new connection");

    my $closed = $t->path('closed.' . $fake{"$type.idle"}->port);

    $t->wait_for(sub { -e $closed }, 'the idle connection to be closed');
    ok(-e $closed, "$type, after 35 s: an idle connection closed");
    is($t->check("$type.idle")->{attempts}, 1, "$type, idle: one probe");
}

done_testing;
