#!/usr/bin/perl

# The redis check: the nodes of a cluster, each with a part of the keys.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;
use InitGate::RedisServers;

my $t = InitGate->new(workers => 1);
my $servers = InitGate::RedisServers->new($t);

my @nodes = map {
    $servers->node('cluster-node-timeout 1000',
        'cluster-require-full-coverage no',
        'user gate on >word ~* +@read +@connection +asking',
        'unixsocket %DIR%/sock', 'unixsocketperm 777')
} 0 .. 2;

my @at = map { $_->at } @nodes;

# each node has one of these keys: slots 15495, 3300, 7365

my %key = (0 => 'b', 1 => 'c', 2 => 'a');
my $checks = '';

for my $node (0 .. 2) {
    $checks .= "check redis redis://gate:word\@$at[$node]"
               . " name=$_$node key=$_ min=3;\n" for qw(a b c);
}

# redirections with a port, without a host or with "?"

my ($no_host, $unknown_host) = map {
    my $unknown = $_;
    InitGate::Fake->new(sub {
        my ($c) = @_;
        $c->send("-MOVED 15495 $unknown:" . $c->word . "\r\n")
            while $c->read_until(qr/EXISTS.*\r\na\r\n/s);
    });
} '', '?';

$_->set($nodes[0]->port) for $no_host, $unknown_host;

# each redirects to the next one; the last one replies

my @chain;

for my $n (1 .. 7) {
    my $next = @chain && $chain[-1]->port;
    push @chain, InitGate::Fake->new(sub {
        my ($c) = @_;
        $c->send($next ? "-MOVED 15495 127.0.0.1:$next\r\n" : ":1\r\n")
            while $c->read_until(qr/EXISTS.*?\r\na\r\n/s);
    });
}

# a node that replies with an error; the target redirects to another one

my ($guide, $lost, $found) = map { InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->send(($c->word || ':1') . "\r\n")
        while $c->read_until(qr/EXISTS.*\r\na\r\n/s);
}) } 1 .. 3;

$guide->set('-MOVED 15495 127.0.0.1:' . $lost->port);

$t->run(http => <<"CONF");

    init_checks app {
        interval 20ms;
        timeout 1m;
        backoff 50ms;

        check file %%DIR%%/never  name=never;
        check redis redis://gate:word\@$at[0]  name=ping;
        check redis unix:gate:word\@@{[$nodes[0]->dir]}/sock  name=socket
                                                              key=a;
        check redis redis://127.0.0.1:@{[$no_host->port]}  name=no_host  key=a;
        check redis redis://127.0.0.1:@{[$unknown_host->port]}  key=a
                                                            name=unknown_host;
        check redis redis://127.0.0.1:@{[$chain[4]->port]}  key=a  name=four;
        check redis redis://127.0.0.1:@{[$chain[5]->port]}  key=a  name=five;
        check redis redis://127.0.0.1:@{[$guide->port]}     key=a  name=lost;
        $checks
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }

CONF

settles($t, 'ping', 'passed');
settles($t, 'a0', 'running starting', qr/CLUSTERDOWN /);

my $said = `redis-cli --cluster create @at --cluster-yes 2>&1`;
is($?, 0, 'redis-cli --cluster create: exit status 0') or diag($said);

# redirected repeatedly, within a probe

settles($t, 'four', 'passed');
settles($t, 'five', 'error query', qr/^MOVED /);

# a known node replies with an error: the target is queried again

settles($t, 'lost', 'passed');
my $asked = $guide->received;
probed($t, 'lost') for 1 .. 3;
is($guide->received, $asked, 'learned node: target not asked again');

$lost->set('-CLUSTERDOWN Hash slot not served');
settles($t, 'lost', 'running starting', qr/^CLUSTERDOWN /);
$lost->set(':1');
settles($t, 'lost', 'passed');

$guide->set('-MOVED 15495 127.0.0.1:' . $found->port);
$lost->set('-CLUSTERDOWN Hash slot not served');
$t->wait_for(sub { $found->received }, 'the other node to be asked');
settles($t, 'lost', 'passed');

# the node that has the key is queried, whatever node is the target

settles($t, $_, 'waiting missing') for map { ("a$_", "b$_", "c$_") } 0 .. 2;

system("redis-cli -c -p @{[$nodes[0]->port]} rpush $_ 1 2 3 >/dev/null")
    for qw(a b c);

settles($t, $_, 'passed') for map { ("a$_", "b$_", "c$_") } 0 .. 2;

settles($t, 'socket', 'passed');

# further probes query that node first

my %has;
for my $node (0 .. 2) {
    for my $key (qw(a b c)) {
        $has{$key} = $node if eval { $nodes[$node]->client->llen($key); 1 };
    }
}

is(scalar keys %has, 3, 'keys: on the three nodes');

$_->set($nodes[$has{a}]->port) for $no_host, $unknown_host;
settles($t, $_, 'passed') for qw(no_host unknown_host);

$_->client->config('RESETSTAT') for @nodes;
probed($t, $_) for map { ("a$_", "b$_", "c$_") } 0 .. 2;

my $moved = 0;
for (@nodes) {
    my $errors = $_->client->info('errorstats');
    $moved += ($errors->{errorstat_MOVED} // '') =~ /count=(\d+)/ ? $1 : 0;
}
is($moved, 0, 'further probes: no redirections');

# a slot that is migrated from one node to another

my $from = $nodes[$has{a}];
my $to = $nodes[($has{a} + 1) % 3];
my ($from_id, $to_id) = map { $_->client->cluster('myid') } $from, $to;
my $slot = $from->client->cluster('keyslot', 'a');

$to->client->cluster('setslot', $slot, 'importing', $from_id);
$from->client->cluster('setslot', $slot, 'migrating', $to_id);
verdict($t, 'a0', 'passed');

$from->client->migrate('127.0.0.1', $to->port, 'a', 0, 1000);
verdict($t, "a$_", 'passed') for 0 .. 2;

my $errors = $from->client->info('errorstats');
like($errors->{errorstat_ASK}, qr/count=/, 'migrated key: ASK redirections');

$_->client->cluster('setslot', $slot, 'node', $to_id) for $to, $from;
verdict($t, "a$_", 'passed') for 0 .. 2;

# a node that dies

my $dead = $has{b};
my ($alive) = grep { $_ != $dead } 0 .. 2;

$nodes[$dead]->stop;
settles($t, "b$dead", 'error refused');
settles($t, "b$alive", qr/^(?:error (?:refused|reset)|running starting)$/);
verdict($t, "c$alive", 'passed') if $has{c} != $dead;

$nodes[$dead]->run;
settles($t, "b$alive", qr/^(?:waiting|passed)/);

# a node that has left the cluster, and still replies

my ($left, $other) = grep { $_ != $to } @nodes;

# it may be the one that has just been restarted, without its keys
$to->client->del('a');
$to->client->rpush(a => 1 .. 3);
settles($t, "a$_", 'passed') for 0 .. 2;

$to->client->flushall;
$to->client->cluster('reset', 'hard');
$_->client->cluster('delslots', $slot) for $left, $other;
$left->client->cluster('addslots', $slot);

for (0 .. 2) {
    settles($t, "a$_", $nodes[$_] == $to ? 'running starting'
        : 'waiting missing');
}

done_testing;
