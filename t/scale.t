#!/usr/bin/perl

# Many nginx and one database: each has one connection while its gates are
# closed, and none afterwards; a server that has no more is no disaster.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Postgres;

my $some = InitGate->new;
my $pg = $some->postgres(extra_postmaster_args => '-c max_connections=8');
my $redis = $some->redis;
my $port = $pg->port;
my ($redis_port) = $some->port("$some->{dir}/redis2");

psql($pg, 'create role web login');

my $conf = <<"CONF";
    init_checks one {
        interval 100ms;  backoff 500ms;
        check postgres "host=127.0.0.1 port=$port dbname=test user=web"
                       tables=users keepalive;
        check postgres "host=127.0.0.1 port=$port dbname=test user=web"
                       name=again tables=users keepalive;
        check redis redis://127.0.0.1:$redis_port key=warm;
    }
    init_checks two {
        interval 100ms;  backoff 500ms;
        check postgres "host=127.0.0.1 port=$port dbname=test user=web"
                       "query=select count(*) = 0 from users" keepalive;
        check redis redis://127.0.0.1:$redis_port key=warm;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
        location = /ready { init_ready; }
    }
CONF

my @many = map { InitGate->new(http => $conf) } 1 .. 4;

sub connections {
    return (psql($pg, "select count(*) from pg_stat_activity
        where usename = 'web'"))[0][0];
}

sub clients {
    return scalar grep { !/cmd=client/ }
        grep { /^id=/ } qx(redis-cli -p $redis_port client list);
}

sub checks {
    return map { @{$_->{checks}} } @{$_[0]->json('/init')->{gates} // []};
}

my $before = clients();

$_->run for @many;

for my $t (@many) {
    $t->wait_for(sub { !grep { $_->{attempts} < 3 } checks($t) }, 'probes', 15);
}

is(connections(), scalar @many, 'one connection to PostgreSQL each');
is(clients() - $before, scalar @many, 'one connection to Redis each');

# one more than there is room for: three are kept for administrators

my @others = map { InitGate->new(http => $conf)->run } 1 .. 2;

my $crowded;

$some->wait_for(sub {
    ($crowded) = grep {
        grep { ($_->{reason} // '') eq 'too_many_connections' } checks($_)
    } @others;
    return $crowded;
}, 'one that finds no room', 15);

is($crowded->get('/ready')->{status}, 503, 'its gate stays closed');

# all at once

psql($pg, 'create table users (); grant select on users to web');
qx(redis-cli -p $redis_port set warm 1);

for my $t (@many, @others) {
    $t->wait_for(sub { $t->get('/ready')->{status} == 200 }, 'open', 15);
}

$some->wait_for(sub { connections() == 0 }, 'no connection to PostgreSQL');
$some->wait_for(sub { clients() == $before }, 'no connection to Redis');
pass('no connection is left');

done_testing;
