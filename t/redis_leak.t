#!/usr/bin/perl

# Thousands of redis probes while servers stop and start: no descriptor, no
# connection and no memory is left.

use FindBin;
use lib "$FindBin::Bin/lib";

# freed memory is reused soon
BEGIN {
    $ENV{ASAN_OPTIONS} = 'detect_odr_violation=0:detect_leaks=1'
                         . ':quarantine_size_mb=1';
}

use InitGate;
use InitGate::Fake;
use InitGate::RedisServers;

use Time::HiRes qw(time);

# few connections, so that leaks show soon
my $t = InitGate->new(workers => 1, quit => 2,
    events => 'worker_connections 64;');

my $servers = InitGate::RedisServers->new($t);
my $master = $servers->start('user gate on >word ~* +@all');
my $sentinel = $servers->sentinel($master);

my $invalid = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until(qr/\r\n/) or return;
    $c->send(':1' . "\r\n" . '*1000' . "\r\n" x 1000);
});

my ($at, $at_sentinel) = map { 'redis://' . $_->at } $master, $sentinel;

$t->write('password', 'word');

$t->run(http => <<"CONF");

    init_checks app {
        interval 5ms;
        backoff 20ms;
        timeout 60ms;

        check file %%DIR%%/never  name=never;

        check redis $at           name=ping;
        check redis $at           name=exists  key=k;
        check redis $at           name=value   key=large  match=never;
        check redis $at           name=field   key=h  field=f  match=never;
        check redis $at           name=count   key=l  min=100;
        check redis $at/1         name=other   key=k;
        check redis $at           name=user    user=gate password_file=password;
        check redis $at           name=auth    user=gone password_file=password;
        check redis $at_sentinel  name=found   sentinel=main  key=k;
        check redis redis://127.0.0.1:@{[$invalid->port]}  name=invalid  key=k;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { return 200; }
        location = /init { init_status details=on; }
    }

CONF

my ($worker) = $t->workers;

sub probes {
    my $all = 0;

    $all += $_->{attempts} for @{$t->gate->{checks}};

    return $all;
}

sub probed {
    my ($more) = @_;

    my $from = probes();
    $t->wait_for(sub { probes() > $from + $more }, "$more probes");
}

sub fill {
    my $redis = $master->client;

    $redis->set(large => 'x' x 60000);
    $redis->hset(h => f => 'y' x 60000);
    $redis->rpush(l => 1 .. 9);

    return $redis;
}

# data, closed connections, a frozen server, a stopped server

sub faults {
    my $redis = fill();
    probed(150);

    for (1 .. 3) {
        eval { $redis->client(qw(KILL TYPE normal)) };
        probed(20);
    }

    $master->freeze;
    probed(40);
    $master->thaw;
    probed(50);

    $master->stop;
    probed(80);
    $master->run;
}

faults() for 1 .. 3;

my $memory = $t->memory($worker);
my $descriptors = () = $t->descriptors($worker);

faults() for 1 .. 8;

cmp_ok(probes(), '>', 3000, 'many probes: more than 3000');

SKIP: {
    skip $t->hidden, 1 if $t->hidden;
    cmp_ok(scalar(() = $t->descriptors($worker)), '<=', $descriptors + 4,
        'many probes: descriptors');
}

SKIP: {
    skip 'memory is counted otherwise', 1 if !$t->memory_counts;
    cmp_ok($t->memory($worker), '<', $memory + 1024, 'many probes: memory');
}

is(($t->workers)[0], $worker, 'many probes: same worker');

# the servers are available again

fill()->set(k => 1);

my %verdict;

ok($t->wait_for(sub {
    %verdict = map { $_->{name} => $_->{verdict} }
        @{$t->gate->{checks}};
    return "@verdict{qw(ping exists user found)}"
           eq 'passed passed passed passed';
}, 'checks to pass'), 'servers available again: checks pass')
    or diag(join ' ', %verdict);

is("@verdict{qw(value field count)}", 'waiting waiting waiting',
    'servers available again: other checks wait');

done_testing;
