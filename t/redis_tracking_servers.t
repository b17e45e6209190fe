#!/usr/bin/perl

# The redis check: changes of keys that are reported by the master that a
# sentinel names, and by the nodes of a cluster.  The interval is an hour.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::RedisServers;

my $t = InitGate->new(workers => 1);
my $servers = InitGate::RedisServers->new($t);

my $first = $servers->start('repl-diskless-sync-delay 0');
my $second = $servers->start('repl-diskless-sync-delay 0',
    'replicaof 127.0.0.1 ' . $first->port);
my $sentinel = $servers->sentinel($first,
    'sentinel down-after-milliseconds main 60000',
    'sentinel failover-timeout main 10000');

my @nodes = map { $servers->node('cluster-node-timeout 5000') } 0 .. 2;
my @at = map { $_->at } @nodes;

my $said = `redis-cli --cluster create @at --cluster-yes 2>&1`;
is($?, 0, 'redis-cli --cluster create: exit status 0') or diag($said);

sub info {
    my ($server, $name) = @_;

    return eval { $server->client->info->{$name} } // '';
}

$t->wait_for(sub { info($second, 'master_link_status') eq 'up' },
    'the replica');
$t->wait_for(sub {
    !grep { ($_->client->cluster('info') // '') !~ /cluster_state:ok/ } @nodes
}, 'the cluster');

$t->run(http => <<"CONF");

    init_checks app {
        interval 1h;
        timeout 1m;

        check file %%DIR%%/never  name=never;
        check redis @{[$sentinel->at]}  name=sentinel  sentinel=main  key=k;
        check redis redis://$at[0]      name=a         key=a;
        check redis redis://$at[0]      name=b         key=b;
        check redis redis://$at[0]      name=c         key=c;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }

CONF

# all servers that have a key track it

sub tracked {
    my ($server, $n) = @_;

    $t->wait_for(sub { info($server, 'tracking_total_keys') eq $n },
        "$n tracked keys");
}

tracked($_, 1) for $first, @nodes;

settles($t, $_, 'waiting missing') for qw(sentinel a b c);

# the master

$first->client->set(k => 1);
settles($t, 'sentinel', 'passed');

$t->wait_for(sub { eval { $second->client->get('k') } }, 'the replica');

$sentinel->client->sentinel('failover', 'main');
tracked($second, 1);
settles($t, 'sentinel', 'passed');

$second->client->del('k');
settles($t, 'sentinel', 'waiting missing');

# the nodes

my %has;
for my $node (@nodes) {
    for my $key (qw(a b c)) {
        $has{$key} = $node if eval { $node->client->exists($key); 1 };
    }
}

for my $key (qw(a b c)) {
    $has{$key}->client->set($key => 1);
    settles($t, $key, 'passed');
    $has{$key}->client->del($key);
    settles($t, $key, 'waiting missing');
}

# a key that is moved to another node

my $from = $has{a};
my ($to) = grep { $_ != $from } @nodes;
my ($from_id, $to_id) = map { $_->client->cluster('myid') } $from, $to;
my $slot = $from->client->cluster('keyslot', 'a');

$from->client->set(a => 1);
settles($t, 'a', 'passed');

$to->client->cluster('setslot', $slot, 'importing', $from_id);
$from->client->cluster('setslot', $slot, 'migrating', $to_id);

my $attempts = $t->check('a')->{attempts};
$from->client->migrate('127.0.0.1', $to->port, 'a', 0, 1000);
$t->wait_for(sub { $t->check('a')->{attempts} > $attempts },
    'a probe after the migration');
settles($t, 'a', 'passed');

tracked($to, 2);
$_->client->cluster('setslot', $slot, 'node', $to_id) for $to, $from;
$to->client->del('a');
settles($t, 'a', 'waiting missing');

done_testing;
