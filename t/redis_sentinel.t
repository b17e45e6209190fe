#!/usr/bin/perl

# The redis check: a master found by sentinels, and followed when it changes.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;
use InitGate::RedisServers;

my $t = InitGate->new(workers => 1);
my $servers = InitGate::RedisServers->new($t);

my $first = $servers->start('repl-diskless-sync-delay 0');
my $second = $servers->start('repl-diskless-sync-delay 0',
    'replicaof 127.0.0.1 ' . $first->port);

my @sentinels = map {
    $servers->sentinel($first, 'sentinel down-after-milliseconds main 400',
        'sentinel failover-timeout main 3000');
} 1, 2;

my $locked = $servers->start('user gate on >word ~* +@all');

my $dead = '127.0.0.1:' . $t->port('dead');
my ($one, $two, $a, $b, $c) = map { $_->at } @sentinels, $first, $second,
    $locked;

sub address {
    my ($at) = @_;

    return '*2' . join '', map { "\r\n\$" . length($_) . "\r\n$_" }
        split /:/, $at;
}

my $question = qr/\*3\r\n\$8\r\nSENTINEL\r\n\$23\r\nget-master-addr-by-name
                  \r\n\$4\r\nmain\r\n/x;

# returns the address of a replica

my $liar = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->send(address($b) . "\r\n") while $c->read_until($question);
});

# require a password

my ($strict, $stern) = map { InitGate::Fake->new(sub {
    my ($c) = @_;
    while (my $text = $c->read_until($question)) {
        $c->send($text =~ /AUTH\r\n\$4\r\ngate\r\n\$4\r\nword\r\n/
            ? "+OK\r\n" . address($c->word) . "\r\n"
            : "-NOAUTH Authentication required.\r\n");
    }
}) } 1, 2;

$strict->set($c);

# returns its role

my ($turncoat, $mute, $locked_out) = map { InitGate::Fake->new(sub {
    my ($c) = @_;
    while ($c->read_until(qr/ROLE.*EXISTS.*turn\r\n/s)) {
        my $role = $c->word || 'master';
        $c->hang if $role eq 'mute';
        $c->send($role =~ /^-/ ? "$role\r\n" x 2
            : "*1\r\n\$" . length($role) . "\r\n$role\r\n"
              . ($role eq 'slave' ? "-MASTERDOWN link is down\r\n"
                                  : ":1\r\n"));
    }
}) } 1 .. 3;

# return the address that was set

my ($guide, $other, $third) = map { InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->send(address($c->word) . "\r\n") while $c->read_until($question);
}) } 1 .. 3;

$guide->set('127.0.0.1:' . $turncoat->port);
$other->set('127.0.0.1:' . $mute->port);
$third->set('127.0.0.1:' . $locked_out->port);

my @odd = map {
    my $text = $_;
    InitGate::Fake->new(sub {
        my ($c) = @_;
        $c->send($text) while $c->read_until($question);
    });
} "*1\r\n+a\r\n", address('127.0.0.1:0') . "\r\n",
  address('127.0.0.1:x') . "\r\n", "+OK\r\n", address('a b:1') . "\r\n";

my $silent = InitGate::Fake->silent;

my ($lie, $lock, $bolt, $hush, $guided, $muted, $refused)
    = map { '127.0.0.1:' . $_->port }
      $liar, $strict, $stern, $silent, $guide, $other, $third;

my @names = map { "odd$_" } 0 .. $#odd;

my $odd = join "\n", map {
    "check redis redis://127.0.0.1:" . $odd[$_]->port
    . " name=odd$_ sentinel=main;"
} 0 .. $#odd;

$t->run(http => <<"CONF");

    init_checks app {
        interval 20ms;
        timeout 1m;
        backoff 50ms;

        check file %%DIR%%/never  name=never;

        check redis redis://$dead,$one,$two  name=ping     sentinel=main;
        check redis redis://$two,$one        name=key      sentinel=main
                                             key=k;
        check redis $one/1                   name=bare     sentinel=main
                                             key=l  min=3;
        check redis redis://$one,$two        name=unknown  sentinel=other;
        check redis redis://$dead            name=dead     sentinel=main;
        check redis redis://$lie             name=lie      sentinel=main;
        check redis redis://$lie,$one        name=lies     sentinel=main;
        check redis redis://gate:word\@$lock name=lock     sentinel=main;
        check redis redis://$bolt            name=nopass   sentinel=main;
        check redis redis://$hush,$one       name=hush     sentinel=main
                                             timeout=200ms;
        check redis redis://$b               name=server   sentinel=main;
        check redis redis://$guided          name=guided   sentinel=main
                                             key=turn;
        check redis redis://$muted           name=muted    sentinel=main
                                             key=turn  timeout=200ms;
        check redis redis://$refused         name=refused  sentinel=main
                                             key=turn;
        $odd
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }

CONF

my $redis = $first->client;

settles($t, 'ping', 'passed');
settles($t, 'key', 'waiting missing', qr/key "k" does not exist/);
settles($t, 'bare', 'waiting missing');

$redis->set(k => 1);
settles($t, 'key', 'passed');

$redis->select(1);
$redis->rpush(l => 1 .. 3);
$redis->select(0);
settles($t, 'bare', 'passed');

settles($t, 'unknown', 'error query',
    qr/the sentinel does not know this master$/);
settles($t, 'dead', 'error refused');
settles($t, 'lie', 'error other_role', qr/the server is not a master$/);
settles($t, 'lies', 'passed');
settles($t, 'lock', 'passed');
settles($t, 'nopass', 'error auth', qr/NOAUTH /);
settles($t, 'hush', 'passed');
settles($t, 'server', 'error query', qr/unknown command/);
settles($t, $_, 'error protocol', qr/the sentinel sent an invalid address$/)
    for @names;

# the sentinel is queried once, the master for each probe

my $asked = $strict->connections;
probed($t, 'lock') for 1 .. 5;
is($strict->connections, $asked, 'more probes: sentinel not asked again');

# the master is demoted, and replies with an error; the sentinel has the new
# one

settles($t, 'guided', 'passed');
probed($t, 'guided') for 1 .. 3;
is($guide->connections, 1, 'more probes: scripted sentinel not asked again');

$guide->set($a);
$turncoat->set('slave');
settles($t, 'guided', 'waiting missing', qr/key "turn" does not exist/);
unlike(join(' ', map { $_->[0] } @{$t->check('guided')->{recent}}), qr/error/,
    'master demoted: new one found in the same probe');

settles($t, 'muted', 'passed');
$mute->set('mute');
settles($t, 'muted', 'error timeout');
$other->set($a);
settles($t, 'muted', 'waiting missing');

# the role is refused: the sentinel is queried again

settles($t, 'refused', 'passed');
$locked_out->set('-NOAUTH Authentication required.');
settles($t, 'refused', 'error auth', qr/^NOAUTH/);
$locked_out->set('master');
settles($t, 'refused', 'passed');
$third->set($a);
$locked_out->set('-NOPERM no permissions');
settles($t, 'refused', 'waiting missing');
is((grep { $_->[1] eq 'denied' } @{$t->check('refused')->{recent}}), 0,
    'role refused: new master found in the same probe');

# the master is killed, and the replica takes over

sub is_info {
    my ($server, $name, $value) = @_;

    ok($t->wait_for(sub {
        return eval { $server->client->info->{$name} eq $value };
    }, "$name:$value", 20), "second server, $name: $value");
}

is_info($second, master_link_status => 'up');
$first->stop;
settles($t, 'guided', 'error refused');
is_info($second, role => 'master');

$second->client->del('k');
settles($t, 'key', 'waiting missing');
$second->client->set(k => 1);
settles($t, $_, 'passed') for qw(key ping hush lie);

done_testing;
