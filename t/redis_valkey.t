#!/usr/bin/perl

# The redis check with Valkey: a single server, with TLS and users, with a
# sentinel, and a cluster.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::RedisServers;

plan(skip_all => 'no valkey-server')
    if !grep { -x "$_/valkey-server" } split /:/, $ENV{PATH};

my $t = InitGate->new(workers => 1);
my $servers = InitGate::RedisServers->new($t, 'valkey-server');

my ($certificate, $key) = $t->certificate('127.0.0.1');
my $tls = $t->port('tls');

my $alone = $servers->start("tls-port $tls", "tls-cert-file $certificate",
    "tls-key-file $key", "tls-ca-cert-file $certificate",
    'tls-auth-clients no', 'user gate on >word ~* +@read +ping +select');

my $sentinel = $servers->sentinel($alone);
my @nodes = map { $servers->node } 0, 1;

my ($at, $s, $a, $b) = map { $_->at } $alone, $sentinel, @nodes;

$t->run(http => <<"CONF");

    init_checks app {
        interval 20ms;
        timeout 1m;
        backoff 50ms;

        check file %%DIR%%/never  name=never;

        check redis redis://$at               name=ping;
        check redis redis://gate:word\@$at/1  name=user   key=k  min=3;
        check redis redis://gate:none\@$at    name=wrong;
        check redis rediss://127.0.0.1:$tls   name=tls    ca=$certificate
                                              key=h  field=f  value=ready;
        check redis redis://$s                name=found  sentinel=main;
        check redis redis://$a                name=a      key=k;
        check redis redis://$b                name=b      key=k;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }

CONF

settles($t, 'ping', 'passed');
settles($t, 'user', 'waiting missing');
settles($t, 'wrong', 'error auth');
settles($t, 'tls', 'waiting missing');
settles($t, 'found', 'passed');
settles($t, $_, 'running starting') for qw(a b);

my $client = $alone->client;
$client->hset(h => f => 'ready');
settles($t, 'tls', 'passed');

$client->select(1);
$client->rpush(k => 1, 2);
settles($t, 'user', 'waiting too_few');
$client->rpush(k => 3);
settles($t, 'user', 'passed');

# key "k" is in slot 7629

my ($first, $second) = map { $_->client } @nodes;
$first->cluster('addslotsrange', 0, 8000);
$second->cluster('addslotsrange', 8001, 16383);
$first->cluster('meet', '127.0.0.1', $nodes[1]->port, $nodes[1]->bus);
settles($t, $_, 'waiting missing') for qw(a b);
$first->set(k => 1);
settles($t, $_, 'passed') for qw(a b);

done_testing;
