#!/usr/bin/perl

# The redis check: a connection is kept for at most 30 seconds, in use or idle,
# so a server that has moved is found.  The clock of nginx is put forward.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::DNS;
use InitGate::Fake;
use InitGate::MonotonicClock;
use InitGate::RedisServers;

my $t = InitGate->new(workers => 1);
my $clock = InitGate::MonotonicClock->new($t);

# an address that forwards to a server: a connection stays with its server

my $proxy = InitGate::Fake->new(sub {
    my ($c) = @_;
    my $reply = $c->word || ':0';
    $c->send("$reply\r\n") while $c->read_until(qr/EXISTS.*?\r\nk\r\n/s);
});

my $idle = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->send("+PONG\r\n") while $c->read_until(qr/PING\r\n/);
    $t->write('closed');
});

# a request without a reply before the connection is too old

my $slow = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until(qr/EXISTS.*?\r\nk\r\n/s) or return;
    if ($c->number == 1) {
        select undef, undef, undef, 0.01 until $c->word;
    }
    $c->send(":1\r\n");
    $c->hang;
    $t->write('slow.closed');
});

# behind a name

my $servers = InitGate::RedisServers->new($t);
my $old = $servers->start;
my $new = $servers->start('bind 127.0.0.2', 'port ' . $old->port);

my $dns = InitGate::DNS->new(sub {
    my ($name, $type, $word) = @_;
    return $type eq 'A' ? [$word || '127.0.0.1'] : [];
});

$t->conf(http => <<"CONF");
    init_checks app {
        resolver 127.0.0.1:@{[$dns->port]};

        check file %%DIR%%/never  name=never;
        check redis redis://127.0.0.1:@{[$proxy->port]}  name=address  key=k;
        check redis redis://redis.test:@{[$old->port]}   name=name     key=k;
        check redis redis://127.0.0.1:@{[$idle->port]}   name=idle
                                                         interval=1h;
        check redis redis://127.0.0.1:@{[$slow->port]}   name=slow     key=k
                                                         interval=1h;
        check redis redis://127.0.0.1:@{[$old->port]}    name=tracked  key=t
                                                         interval=1h;
        interval 100ms;
        backoff 100ms;
        timeout 1h;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

$clock->run;

verdict($t, $_, 'waiting missing') for qw(address name);
settles($t, 'idle', 'passed');
$t->wait_for(sub { $slow->connections }, 'the slow server to be asked');

$t->wait_for(sub { $old->client->info('stats')->{tracking_total_items} == 2 },
    'the keys to be tracked');

my $connections = $proxy->connections;

$clock->forward(10);
probed($t, 'address') for 1 .. 5;
cmp_ok($proxy->connections, '<=', $connections + 1, 'after 10 s: kept');

my $attempts = $t->check('tracked')->{attempts};

# moved, while the old servers still answer

$proxy->set(':1');
$dns->set('127.0.0.2');
Redis->new(server => '127.0.0.2:' . $new->port)->set(k => 1);

$clock->forward(25);
settles($t, 'address', 'passed');
settles($t, 'name', 'passed');

$t->wait_for(sub { -e $t->path('closed') },
    'the idle connection to be closed');
is($t->check('idle')->{attempts}, 1, 'idle: one probe');

# reports of changes continue over new connections

$t->wait_for(sub { $t->check('tracked')->{attempts} >= $attempts + 2 },
    'a probe by each of the new connections');
$old->client->set(t => 1);
settles($t, 'tracked', 'passed');

# a connection in use is closed after the reply

ok(!-e $t->path('slow.closed'), 'request in flight: connection open');
$slow->set('go');
settles($t, 'slow', 'passed');
$t->wait_for(sub { -e $t->path('slow.closed') },
    'the slow connection to be closed');
is($slow->connections, 1, 'request in flight: one connection');

done_testing;
