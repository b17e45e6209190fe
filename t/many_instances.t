#!/usr/bin/perl

# Many instances of nginx and one database: each has one connection while its
# gates are closed, and none afterwards; too many connections are an error of
# the check.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Postgres;

my $some = InitGate->new;
my $pg = $some->postgres(extra_postmaster_args => '-c max_connections=8');
my $port = $pg->port;
my $redis_port = $some->redis->port;

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
    return map { @{$_->{checks}} } $_[0]->gates;
}

my $before = clients();

$_->run for @many;

for my $t (@many) {
    $t->wait_for(sub { !grep { $_->{attempts} < 3 } checks($t) }, 'probes');
}

is(connections(), scalar @many,
    'gates closed: one connection to PostgreSQL each');
$some->wait_for(sub { clients() - $before == 2 * @many },
    'two connections to Redis each');

# one more than max_connections, of which three are reserved

my @others = map { InitGate->new(http => $conf)->run } 1 .. 2;

my $without;

$some->wait_for(sub {
    ($without) = grep {
        grep { ($_->{reason} // '') eq 'too_many_connections' } checks($_)
    } @others;
    return $without;
}, 'an instance without a connection');

is($without->get('/ready')->{status}, 503, 'too many connections: gate closed');

# the database is initialized

psql($pg, 'create table users (); grant select on users to web');
qx(redis-cli -p $redis_port set warm 1);

for my $t (@many, @others) {
    $t->wait_for(sub { $t->get('/ready')->{status} == 200 },
        'the gates to open');
}

$some->wait_for(sub { connections() == 0 },
    'connections to PostgreSQL to be closed');
$some->wait_for(sub { clients() == $before },
    'connections to Redis to be closed');
pass('gates open: no connections');

done_testing;
