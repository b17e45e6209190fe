#!/usr/bin/perl

# The redis check: changes of keys that the server reports, by CLIENT TRACKING
# with a second connection.  The interval of the checks is an hour.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::RedisServers;

my $t = InitGate->new(workers => 1);
my $servers = InitGate::RedisServers->new($t);

my $server = $servers->start;
my $redis = $server->client;
my $at = $server->at;

$redis->acl(qw(SETUSER gate on >word ~* +ping +select +type +exists +getrange
    +hexists +hstrlen +hget +hlen +llen +scard +zcard +xlen
    +client|id +client|tracking +subscribe &__redis__:invalidate));
$redis->acl(qw(SETUSER key on >word ~* +type +exists +getrange));
$redis->acl(qw(SETUSER nochannel on >word ~* resetchannels +type +exists
    +getrange +client|id +client|tracking +subscribe));
$redis->acl(qw(SETUSER soon on >word ~* &* +@all));
$redis->acl(qw(SETUSER noredirect on >word ~* +type +exists +getrange
    +client|id +subscribe &*));

my $url = "redis://gate:word\@$at";

$t->run(http => <<"CONF");

    init_checks app {
        interval 1h;
        timeout 1m;

        check file %%DIR%%/never  name=never;

        check redis $url    name=exists  key=e;
        check redis $url    name=value   key=v  value=ready;
        check redis $url    name=min     key=n  min=3;
        check redis $url    name=field   key=h  field=f;
        check redis $url    name=fvalue  key=h  field=f  value=ready;
        check redis $url/1  name=other   key=e;
        check redis $url    name=beside  key=beside;
        check redis $url    name=ping;

        check redis redis://key:word\@$at         name=key         key=k;
        check redis redis://nochannel:word\@$at   name=nochannel   key=k;
        check redis redis://noredirect:word\@$at  name=noredirect  key=k;

        check redis redis://soon:word\@$at  name=soon  key=s  interval=50ms;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }

CONF

my @names = qw(exists value min field fvalue other beside);

sub clients {
    my ($regex) = @_;

    return grep { $_ =~ $regex } split /\n/, $redis->client_list;
}

# six keys, one of them in two databases

$t->wait_for(sub { $redis->info('stats')->{tracking_total_items} == 7 },
    'the keys to be tracked');

settles($t, $_, 'waiting missing') for @names;
cmp_ok($t->check($_)->{attempts}, '<=', 2 + 2 * int((time - $^T) / 29),
    "$_: at most two probes") for @names;

# keys that did not exist

my $clock = $t->clock;
$redis->set(e => 1);
settles($t, 'exists', 'passed');

$redis->set(v => 'ready');
settles($t, 'value', 'passed');

$redis->hset(h => f => 'ready');
settles($t, 'field', 'passed');
settles($t, 'fvalue', 'passed');

# reported after each read

$redis->set(v => $_), settles($t, 'value', 'waiting mismatch', qr/is "$_"/)
    for 1 .. 3;

$redis->del('h');
settles($t, 'field', 'waiting missing');

# each type

for my $add (sub { $redis->set(n => 3) }, sub { $redis->rpush(n => 1 .. 3) },
    sub { $redis->sadd(n => 1 .. 3) }, sub { $redis->zadd(n => 1, 1, 2, 2, 3, 3) },
    sub { $redis->hset(n => $_ => $_) for 1 .. 3 },
    sub { $redis->xadd(n => '*', a => $_) for 1 .. 3 })
{
    $add->();
    settles($t, 'min', 'passed');
    $redis->del('n');
    settles($t, 'min', 'waiting missing');
}

$redis->rpush(n => 1);
settles($t, 'min', 'waiting too_few', qr/1 elements/);
$redis->rpush(n => 2, 3);
settles($t, 'min', 'passed');

# expiration, and all keys at once

$redis->psetex(e => 50, 1);
settles($t, 'exists', 'passed');
settles($t, 'exists', 'waiting missing');

$redis->flushall;
settles($t, 'value', 'waiting missing');

# another database of the same server

$redis->select(1);
$redis->set(e => 1);
settles($t, 'other', 'passed');
$redis->select(0);

# without reports, each is noticed when the connection is renewed

cmp_ok($clock->seconds, '<', patience(25), 'all changes: at once');

# other keys, and checks without a key

my $attempts;

for (1 .. 3) {
    $attempts = $t->check('beside')->{attempts};
    $redis->set(v => 'x');
    settles($t, 'value', 'waiting mismatch');
    $redis->set(v => 'ready');
    settles($t, 'value', 'passed');

    # unless the connections have just been renewed
    last if $t->check('beside')->{attempts} == $attempts;
}

is($t->check('beside')->{attempts}, $attempts, 'another key: not probed');
is($t->check('ping')->{attempts}, 1, 'no key: not probed');

# refused by permissions

cmp_ok($t->check($_)->{attempts}, '<=', 2, "$_: two probes at most")
    for qw(key nochannel noredirect);
$t->wait_log(qr/does not report changes of keys, they are polled: NOPERM/, 3);

is(scalar clients(qr/ user=(?:key|nochannel|noredirect) .*sub=1 /), 0,
    'refused: no subscriber');
is(scalar clients(qr/ user=key /), 1, 'refused: one connection');

# the subscriber is lost: the check is probed at once

$attempts = $t->check('value')->{attempts};
my ($subscriber) = map { /^id=(\d+)/ } clients(qr/ db=0 .*sub=1 .*user=gate /);
$redis->client('KILL', 'ID', $subscriber);
$t->wait_for(sub { $t->check('value')->{attempts} > $attempts },
    'a probe after the loss of the subscriber');

# and there is a new one after a while

my @before;

for (1, 2) {
    my ($id) = map { /^id=(\d+)/ } clients(qr/ sub=1 .*user=soon /);
    push @before, $id;
    $redis->client('KILL', 'ID', $id);
    $t->wait_for(sub {
        my ($new) = map { /^id=(\d+)/ } clients(qr/ sub=1 .*user=soon /);
        return $new && $new ne $id;
    }, 'another subscriber');
}

is(scalar clients(qr/ user=soon /), 2, 'after two losses: two connections');

# both are lost

$server->stop;
settles($t, 'soon', qr/^error (?:refused|reset)$/);

# the gate ends: nothing is left

$server->run;
$redis = $server->client;
$t->reload(http => <<'CONF');
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status; }
    }
CONF
$t->wait_for(sub { !clients(qr/ user=(?!default)/) },
    'the connections to be closed');
pass('gate removed: connections closed');

done_testing;
