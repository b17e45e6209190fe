#!/usr/bin/perl

# The redis check and Valkey: alone, with TLS and users, by sentinels, and as a
# cluster.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::RedisServers;

plan(skip_all => 'there is no valkey-server')
    if !grep { -x "$_/valkey-server" } split /:/, $ENV{PATH};

my $t = InitGate->new(workers => 1);
my $servers = InitGate::RedisServers->new($t, 'valkey-server');

my ($certificate, $key) = $t->certificate('127.0.0.1');
my $tls = $t->port('tls');

my $alone = $servers->start("tls-port $tls", "tls-cert-file $certificate",
    "tls-key-file $key", "tls-ca-cert-file $certificate",
    'tls-auth-clients no', 'user gate on >word ~* +@read +ping +select');

my $sentinel = $servers->sentinel(
    'sentinel monitor main 127.0.0.1 ' . $alone->port . ' 1');

my @nodes = map {
    $servers->start('cluster-enabled yes', 'cluster-port ' . $t->port("b$_"))
} 0, 1;

my ($at, $s, $a, $b)
    = map { '127.0.0.1:' . $_->port } $alone, $sentinel, @nodes;

$t->run(http => <<"CONF");

    init_checks app {
        interval 20ms;
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

sub settles {
    my ($name, $expected) = @_;

    my $got = '';

    ok($t->wait_for(sub {
        my $check = check($t, $name);
        $got = join ' ', grep { defined } @$check{qw(verdict reason)};
        return $got eq $expected;
    }, "$name: $expected", 15), "$name: $expected") or diag($got);
}

settles('ping', 'passed');
settles('user', 'waiting missing');
settles('wrong', 'error auth');
settles('tls', 'waiting missing');
settles('found', 'passed');
settles($_, 'running starting') for qw(a b);

my $client = $alone->client;
$client->hset(h => f => 'ready');
settles('tls', 'passed');

$client->select(1);
$client->rpush(k => 1, 2);
settles('user', 'waiting too_few');
$client->rpush(k => 3);
settles('user', 'passed');

# key "k" is in slot 7629

my ($first, $second) = map { $_->client } @nodes;
$first->cluster('addslotsrange', 0, 8000);
$second->cluster('addslotsrange', 8001, 16383);
$first->cluster('meet', '127.0.0.1', $nodes[1]->port, $t->port('b1'));
settles($_, 'waiting missing') for qw(a b);
$first->set(k => 1);
settles($_, 'passed') for qw(a b);

done_testing;
