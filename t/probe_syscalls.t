#!/usr/bin/perl

# The system calls of a probe on a kept connection: one to send, and one to
# receive.  Counted by strace.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;
use InitGate::Strace;

plan_traced();

my $t = InitGate->new(workers => 1);
my $pg = $t->postgres;
my $redis = $t->redis->port;
my $http = InitGate::Fake->http(200, body => 'ready', keepalive => 1)->port;

my %port = (http => $http, redis => $redis, postgres => $pg->port);

$t->run(http => <<"CONF");
    init_checks app {
        interval 20ms 20ms;
        timeout 1m;
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

$t->wait_ready;
probed($t, $_) for sort keys %port;

# until no connection is closed after its 30 s; -yy prints both ends of each

my ($probes, %calls, %once);

for (1 .. 5) {
    ($probes, my @lines) = traced($t, '-yy', keys %port);

    %calls = %once = ();

    for (@lines) {
        my ($call) = /^(\w+)\(/ or next;
        my ($to) = /<TCP:\[.*?->127\.0\.0\.1:(\d+)\]>/;

        $calls{$to}{$call}++ if defined $to;
        $once{$call}++;
    }

    last if !grep { $_->{close} } @calls{@port{qw(postgres redis)}}
        and $once{connect} <= $probes->{tcp} + 1;
}

# the tcp check, which keeps no connection, has the same server as http

delete @{$calls{$port{http}}}{qw(close)};

# a new connection takes a few calls more

for my $name (sort keys %port) {
    my $got = $calls{$port{$name}} // {};
    my $half = $probes->{$name} / 2;

    is(join(' ', grep { $got->{$_} > $half } sort keys %$got),
        'recvfrom sendto', "$name: only recvfrom and sendto")
        or diag explain $got;

    for my $call (qw(recvfrom sendto)) {
        my $off = abs(($got->{$call} // 0) - $probes->{$name});
        cmp_ok($off, '<=', $probes->{$name} / 8,
            "$name: one $call per probe")
            or diag("$got->{$call} calls, $probes->{$name} probes");
    }
}

cmp_ok(abs($once{connect} - $probes->{tcp}), '<=', $probes->{tcp} / 8,
    'tcp: one connect per probe, others none');

done_testing;
