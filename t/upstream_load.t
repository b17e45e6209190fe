#!/usr/bin/perl

# Servers restart one after the other under load, each after it has been out
# for its probe, while nginx reloads: no request is lost or refused, and none
# goes to a server that is out.  The logs of the servers are compared.
#
# TEST_UPSTREAM_RESTARTS is the number of restarts.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;
use InitGate::Servers;
use Time::HiRes qw(time);

my $restarts = $ENV{TEST_UPSTREAM_RESTARTS} // 9;

my $t = InitGate->new(status => 8080, quit => 15, level => 'notice',
    descriptors => 0);
my $s = InitGate::Servers->new($t, 4);
my @line = split /(?<=;\n)/, $s->lines;

sub http {
    my ($uri, @servers) = @_;

    return <<"CONF";
    upstream app {
        zone app 128k;
        keepalive 16;
@line[@servers]
    }
    init_checks app {
        check upstream app  http=$uri;
        interval 50ms 100ms;
        timeout 30s;
        fall 2;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%% backlog=4096;
        location / {
            init_gate app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_next_upstream off;
            proxy_pass http://app;
        }
        location = /init { init_status details=on; }
    }
CONF
}

# the same list, a longer one, a shorter one, and another check

my @conf = (
    [http('/ready', 0 .. 2)], [http('/ready', 0 .. 3)], [http('/ready', 0 .. 2)],
    [http('/ready?again', 0 .. 2)],
);

sub wait_in {
    my ($i, $in) = @_;

    my $address = $s->address($i);

    return $t->wait_for(sub {
        grep { $_->{address} eq $address && !$_->{in} == !$in }
            @{$t->check('upstream')->{servers}};
    }, "server $i to be " . ($in ? 'in' : 'out'));
}

$s->ready(0 .. 3);
$t->run(http => $conf[0][0]);
wait_in($_, 1) for 0 .. 2;

my $load = InitGate::Load->new($t, clients => 10, pause => 0.002);
$load->more(100);

my $sent = 0;

for my $n (1 .. $restarts) {
    my $i = $n % 3;

    $t->reload(http => $conf[$n % @conf][0]);
    wait_in($_, 1) for 0 .. 2;

    $s->unready($i);
    wait_in($i, 0);

    # a request that has been sent by then may still be logged

    my $log = $s->server($i);
    $load->more(20);
    my $before = $s->requests($i);
    $load->more(50);
    $t->reload if $n % 3 == 1;
    $load->more(50);
    my $while_out = $s->requests($i) - $before;

    $s->stop($i);
    $load->more(50);
    $s->start($i);
    $load->more(50);
    $sent += $s->requests($i) - $before;
    diag("restart $n: $while_out and $sent requests while out") if $sent;

    $s->ready($i);
    wait_in($i, 1);
    $load->more(50);
    cmp_ok($s->requests($i), '>', $before, "restart $n: gets requests again")
        if $n <= 3;
}

is($sent, 0, 'servers that are out: got no request');
only_status($load, 200, 'load: none refused, none lost');
is($t->log_count(qr/ (?:connecting to|reading response header from) upstream/),
    0, 'log: no failed attempt');

done_testing;
