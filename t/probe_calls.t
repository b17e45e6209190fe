#!/usr/bin/perl

# On a kept connection a probe asks the system for no more than it must: one
# call to send, and one to receive.  Counted by strace.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;
use InitGate::Strace;

plan_traced();

my $t = InitGate->new(workers => 1);
my $pg = $t->postgres;
my ($redis) = { $t->redis->connect_info }->{server} =~ /(\d+)$/;

my $http = InitGate::Fake->new(sub {
    my ($c) = @_;

    while ($c->read_until(qr/\r\n\r\n/)) {
        $c->send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready") or return;
    }
})->port;

my %port = (http => $http, redis => $redis, postgres => $pg->port);

$t->run(http => <<"CONF");
    init_checks app {
        interval 20ms 20ms;
        latch off;
        check http http://127.0.0.1:$http/ match=ready;
        check redis redis://127.0.0.1:$redis;
        check postgres @{[$pg->uri]} "query=select true" keepalive;
        check tcp 127.0.0.1:$http;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
    }
CONF

$t->wait_for(sub { $t->json('/init')->{ready} }, 'ready');
probed($t, $_) for sort keys %port;

# -yy tells both ends of a connection

my ($probes, @lines) = traced($t, '-yy', keys %port);

my (%calls, %once);

for (@lines) {
    my ($call) = /^(\w+)\(/ or next;
    my ($to) = /<TCP:\[.*?->127\.0\.0\.1:(\d+)\]>/;

    $calls{$to}{$call}++ if defined $to;
    $once{$call}++;
}

# the tcp check, which keeps no connection, meets the same server as http

my $kept = $calls{$port{http}};
ok(!delete $kept->{setsockopt}, 'tcp: nothing is set that nobody needs');
delete @$kept{qw(close getsockopt)};

for my $name (sort keys %port) {
    my $got = $calls{$port{$name}} // {};

    is_deeply([sort keys %$got], [qw(recvfrom sendto)],
        "$name: recvfrom sendto") or diag explain $got;

    for my $call (qw(recvfrom sendto)) {
        my $off = abs(($got->{$call} // 0) - $probes->{$name});
        cmp_ok($off, '<=', $probes->{$name} / 8,
            "$name: a $call for each probe")
            or diag("$got->{$call} calls, $probes->{$name} probes");
    }
}

cmp_ok(abs($once{connect} - $probes->{tcp}), '<=', $probes->{tcp} / 8,
    'nobody but tcp connects');

done_testing;
