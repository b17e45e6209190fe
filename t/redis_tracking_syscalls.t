#!/usr/bin/perl

# The redis check: the system calls of probes while the server reports changes
# of the key are those of probes without reports.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Strace;

plan_traced();

my $t = InitGate->new(workers => 1);
my $server = $t->redis;
my $port = $server->port;

$t->run(http => <<"CONF");
    init_checks app {
        interval 20ms;
        timeout 1m;
        check redis redis://127.0.0.1:$port  key=k;
        check redis redis://127.0.0.1:$port  name=idle  key=i  interval=1h;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
    }
CONF

$t->wait_for(sub {
    $server->client->info('stats')->{tracking_total_keys} == 2;
}, 'the keys to be tracked');

# not while the connections are renewed, which is every 30 seconds

my ($probes, %calls);

for (1 .. 3) {
    probed($t, 'redis');
    ($probes, my @lines) = traced($t, '-yy', 'redis');

    %calls = ();
    for (@lines) {
        my ($call) = /^(\w+)\(/ or next;
        $calls{$call}++ if /<TCP:\[.*?->127\.0\.0\.1:$port\]>/;
    }

    last if !$calls{close};
}

is_deeply([sort keys %calls], [qw(recvfrom sendto)],
    'probes: only recvfrom and sendto') or diag explain \%calls;

for my $call (qw(recvfrom sendto)) {
    cmp_ok(abs(($calls{$call} // 0) - $probes->{redis}), '<=',
        $probes->{redis} / 8, "probes: one $call each")
        or diag("$calls{$call} calls, $probes->{redis} probes");
}

done_testing;
