#!/usr/bin/perl

# The redis check: states in which a real server does not execute commands.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::RedisServers;

my $t = InitGate->new(workers => 1);
my $servers = InitGate::RedisServers->new($t);

my $server = $servers->start('enable-debug-command local',
    'loading-process-events-interval-bytes 1024',
    'repl-diskless-sync-delay 0');
my $replica = $servers->start('replica-serve-stale-data no');
my $node = $servers->node;

my ($main, $second, $third) = map { $_->client } $server, $replica, $node;
my ($a, $b, $c) = map { $_->at } $server, $replica, $node;

$t->run(http => <<"CONF");

    init_checks app {
        interval 20ms;
        timeout 1m;
        backoff 20ms;

        check file %%DIR%%/never  name=never;

        check redis redis://$a  name=ping;
        check redis redis://$a  name=key  key=k1;
        check redis redis://$a  name=count  key=l  min=10;
        check redis redis://$a/1  name=other;

        check redis redis://$b  name=replica  key=k1;
        check redis redis://$c  name=node  key=k1;
        check redis redis://$c/1  name=nodedb  key=k1;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }

CONF

# sends a command and does not read the reply

sub order {
    my ($at, @words) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => $at);
    print $socket '*' . @words . "\r\n",
        map { '$' . length($_) . "\r\n$_\r\n" } @words;
    $socket->flush;

    return $socket;
}

$main->set("k$_" => 'x') for 1 .. 300;
$main->rpush(l => 1 .. 7);
verdict($t, 'key', 'passed');

# a replica without its master

verdict($t, 'replica', 'waiting missing');
$second->replicaof('127.0.0.1', $t->port('closed'));
verdict($t, 'replica', 'running loading', qr/^MASTERDOWN /);
$second->replicaof('127.0.0.1', $server->port);

# a cluster's node before there is a cluster

verdict($t, 'node', 'running starting', qr/^CLUSTERDOWN /);
$third->cluster('addslotsrange', 0, 16383);

# busy with a script

$main->config(qw(SET busy-reply-threshold 10));
my $busy = order($a, 'EVAL', 'while true do end', 0);

$t->wait_for(sub { $t->check('ping')->{verdict} ne 'passed' },
    'the server to be busy');
verdict($t, 'key', 'error query', qr/^BUSY /);

$main->script('KILL');
verdict($t, 'key', 'passed');

# full

my ($nginx) = map { /^id=(\d+)/ } grep { / db=1 / }
    split /\n/, $main->client_list;
my $clients = () = $main->client_list =~ /^id=/mg;

$main->config('SET', 'maxclients', $clients - 1);
$main->client(qw(KILL ID), $nginx);
$main->ping;

# a database other than 0 is selected first
verdict($t, 'other', 'error too_many_connections', qr/ERR max number of cli/);
verdict($t, 'key', 'passed');

$main->config('SET', 'maxclients', 1000);
verdict($t, 'other', 'passed');

# replica and node are initialized by now

settles($t, 'replica', 'passed');
$second->replicaof('no', 'one');
settles($t, 'node', 'waiting missing');

my $check = $t->check('nodedb');
is("@$check{qw(verdict reason)}", 'error no_database',
    'nodedb: error no_database');

# the server loads its data from disk

$main->config(qw(SET key-load-delay 5000));
my $socket = order($a, qw(DEBUG RELOAD));

$t->wait_for(sub { $t->check('ping')->{verdict} eq 'running' },
    'the server to load');

for (qw(ping key count other)) {
    my $check = $t->check($_);
    is("@$check{qw(verdict reason)}", 'running loading', "$_: running loading");
    like($check->{message}, qr/^LOADING /, "$_: message");
}

$main->config(qw(SET key-load-delay 0));
verdict($t, 'key', 'passed');
verdict($t, 'other', 'passed');

$check = verdict($t, 'count', 'waiting too_few');
is($check->{observed}, 7, 'count, loaded: observed');

# stopped and started again

$server->stop;
verdict($t, 'ping', 'error refused', qr/^connect\(\) to \Q$a\E fail/);
verdict($t, 'other', 'error refused');

$server->run;
verdict($t, 'ping', 'passed');

done_testing;
