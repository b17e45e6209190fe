#!/usr/bin/perl

# The redis check: servers that cannot or will not answer, real ones.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;

use Redis;

my $t = InitGate->new(workers => 1);

my $server = $t->redis(conf => { 'enable-debug-command' => 'local',
    'loading-process-events-interval-bytes' => 1024,
    'repl-diskless-sync-delay' => 0 });
my $replica = $t->redis(conf => { 'replica-serve-stale-data' => 'no' });
my $node = $t->redis(conf => { 'cluster-enabled' => 'yes',
    'cluster-port' => $t->port('bus') });

my ($main, $second, $third)
    = map { Redis->new($_->connect_info) } $server, $replica, $node;
my ($a, $b, $c) = map { $_->info->{tcp_port} } $main, $second, $third;

$t->run(http => <<"CONF");

    init_checks app {
        interval 20ms;
        backoff 20ms;

        check file %%DIR%%/never  name=never;

        check redis redis://127.0.0.1:$a  name=ping;
        check redis redis://127.0.0.1:$a  name=key  key=k1;
        check redis redis://127.0.0.1:$a  name=count  key=l  min=10;
        check redis redis://127.0.0.1:$a/1  name=other;

        check redis redis://127.0.0.1:$b  name=replica  key=k1;
        check redis redis://127.0.0.1:$c  name=node  key=k1;
        check redis redis://127.0.0.1:$c/1  name=nodedb  key=k1;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }

CONF

# within the time that the servers need among themselves

sub settles {
    my ($name, $expected) = @_;

    my $got = '';

    ok($t->wait_for(sub {
        my $check = check($t, $name);
        $got = join ' ', grep { defined } @$check{qw(verdict reason)};
        return $got eq $expected;
    }, "$name: $expected", 15), "$name: $expected") or diag($got);
}

# says it once, whatever comes of it

sub order {
    my ($port, @words) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
    print $socket '*' . @words . "\r\n",
        map { '$' . length($_) . "\r\n$_\r\n" } @words;
    $socket->flush;

    return $socket;
}

$main->set("k$_" => 'x') for 1 .. 300;
$main->rpush(l => 1 .. 7);
verdict($t, 'key', 'passed');

# a replica that has lost its master, or has never had it

verdict($t, 'replica', 'waiting missing');
$second->replicaof('127.0.0.1', $t->port('nobody'));
verdict($t, 'replica', 'running loading', qr/^MASTERDOWN /);
$second->replicaof('127.0.0.1', $a);

# a cluster's node before there is a cluster

verdict($t, 'node', 'running starting', qr/^CLUSTERDOWN /);
$third->cluster('addslotsrange', 0, 16383);

# busy with a script

$main->config(qw(SET busy-reply-threshold 10));
my $busy = order($a, 'EVAL', 'while true do end', 0);

$t->wait_for(sub { check($t, 'ping')->{verdict} ne 'passed' }, 'busy');
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

# what has taken its time meanwhile

settles('replica', 'passed');
$second->replicaof('no', 'one');
settles('node', 'waiting missing');

my $check = check($t, 'nodedb');
is("@$check{qw(verdict reason)}", 'error no_database', 'one database there');

# reads its data from the disk, and answers meanwhile

$main->config(qw(SET key-load-delay 5000));
my $socket = order($a, qw(DEBUG RELOAD));

$t->wait_for(sub { check($t, 'ping')->{verdict} eq 'running' }, 'loading');

for (qw(ping key count other)) {
    my $check = check($t, $_);
    is("@$check{qw(verdict reason)}", 'running loading', "$_: running");
    like($check->{message}, qr/^LOADING /, "$_: says so");
}

$main->config(qw(SET key-load-delay 0));
verdict($t, 'key', 'passed');
verdict($t, 'other', 'passed');

$check = verdict($t, 'count', 'waiting too_few');
is($check->{observed}, 7, 'counts again');

# gone and back

$server->stop;
verdict($t, 'ping', 'error refused', qr/^connect\(\) to 127\.0\.0\.1:$a fail/);
verdict($t, 'other', 'error refused');

# which waits for a line in this file
unlink $server->tmpdir . '/redis-server.log';
$server->start;
verdict($t, 'ping', 'passed');

done_testing;
