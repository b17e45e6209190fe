#!/usr/bin/perl

# The redis check: the conditions on a key, and the verdicts on the replies.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;

my $t = InitGate->new(workers => 1);

my $server = $t->redis;
my $redis = $server->client;
my $url = "redis://gate:word\@127.0.0.1:" . $server->port;

# the permissions that docs/checks/redis.md names

$redis->acl(qw(SETUSER gate on >word ~* +ping +select +type +exists +getrange
    +hexists +hstrlen +hget +hlen +llen +scard +zcard +xlen));

$t->run(http => <<"CONF");

    init_checks app {
        interval 20ms;
        timeout 1m;
        backoff 20ms;

        check file %%DIR%%/never  name=never;

        check redis $url  name=ping;
        check redis $url  name=exists  key=e;
        check redis $url  name=value   key=v  value=ready;
        check redis $url  name=match   key=v  "match=^rea(dy|l)";
        check redis $url  name=any     key=v  match=.*;
        check redis $url  name=endless key=v  "match=^(x+x+)+(y|z)";
        check redis $url  name=min     key=n  min=10;
        check redis $url  name=failed  key=v  value=ready  failed=broken;
        check redis $url  name=there   key=v  failed=broken;
        check redis $url  name=count   key=n  min=10  failed=broken;
        check redis $url  name=field   key=h  field=f;
        check redis $url  name=fvalue  key=h  field=f  value=ready;
        check redis $url  name=fmatch  key=h  field=f  match=dy\$;
        check redis $url  name=fmin    key=h  field=f  min=10;
        check redis $url  name=ffailed key=h  field=f  failed=broken;
        check redis $url  "name=odd"   "key=a b\\"{;}"  "value=x y";
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }

CONF

sub counts {
    my ($name, $verdict, $message, $observed, $expected) = @_;

    my $check = verdict($t, $name, $verdict, $message);

    is($check->{observed}, $observed, "$name: observed");
    is($check->{expected}, $expected, "$name: expected");
}

# no keys

verdict($t, 'ping', 'passed');
verdict($t, 'exists', 'waiting missing', qr/^key "e" does not exist$/);
verdict($t, 'value', 'waiting missing', qr/^key "v" does not exist$/);
verdict($t, 'match', 'waiting missing');
verdict($t, 'any', 'waiting missing');
verdict($t, 'failed', 'waiting missing');
verdict($t, 'there', 'waiting missing');
counts('min', 'waiting missing', qr/^key "n" does not exist$/, 0, 10);
verdict($t, 'field', 'waiting missing', qr/^field "f" of key "h" does not/);
counts('fmin', 'waiting missing', qr/^field "f" of key "h" does not/, 0, 10);
verdict($t, 'odd', 'waiting missing', qr/^key "a b"\{;\}" does not exist$/);

# a value

$redis->set(e => '');
verdict($t, 'exists', 'passed');

$redis->set(v => '');
verdict($t, 'value', 'waiting mismatch', qr/^key "v" is "", not "ready"$/);
verdict($t, 'match', 'waiting mismatch', qr/^key "v" is "", which does not/);
verdict($t, 'any', 'passed');
verdict($t, 'there', 'passed');

$redis->set(v => 'read');
verdict($t, 'value', 'waiting mismatch', qr/^key "v" is "read", not "ready"/);

$redis->set(v => "ready\n");
verdict($t, 'value', 'waiting mismatch',
    qr/^key "v" is "ready\\n", not "ready"$/);

$redis->set(v => "\r\n" x 30);
verdict($t, 'value', 'waiting mismatch',
    qr/^key "v" is "(?:\\r\\n){24}\.\.\.", not "ready"$/);

$redis->set(v => 'readyness');
verdict($t, 'value', 'waiting mismatch', qr/^key "v" is "readyness", not/);
verdict($t, 'match', 'passed');

$redis->set(v => 'ready');
verdict($t, 'value', 'passed');
verdict($t, 'match', 'passed');
verdict($t, 'failed', 'passed');

$redis->set(v => 'broken');
verdict($t, 'failed', 'failed reported', qr/^key "v" is "broken"$/);
verdict($t, 'there', 'failed reported');
verdict($t, 'value', 'waiting mismatch');

$redis->set(v => 'brokenx');
verdict($t, 'failed', 'waiting mismatch');
verdict($t, 'there', 'passed');

$redis->set('a b"{;}' => 'x y');
verdict($t, 'odd', 'passed');

# a number

counts('min', @$_) for
    map { $redis->set(n => $_->[0]); [@$_[1 .. 4]] }
    [3, 'waiting too_few', qr/^key "n" is 3, not yet 10$/, 3, 10];

my @numbers = (
    ['9.99',       'waiting too_few',  9],
    ["7\n",        'waiting too_few',  7],
    [' +8 ',       'waiting too_few',  8],
    ['-5',         'waiting too_few',  0],
    ['0',          'waiting too_few',  0],
    ['',           'waiting mismatch', undef],
    ['ten',        'waiting mismatch', undef],
    ['10 of 10',   'waiting mismatch', undef],
    ['-',          'waiting mismatch', undef],
    ['.5',         'waiting too_few',  0],
    ['7e-1',       'waiting too_few',  0],
    ['0.9e1',      'waiting too_few',  9],
    ['-1e3',       'waiting too_few',  0],
    ['1e',         'waiting mismatch', undef],
    ['e1',         'waiting mismatch', undef],
    ['0x10',       'waiting mismatch', undef],
    ['inf',        'waiting mismatch', undef],
    ['nan',        'waiting mismatch', undef],
    ["12\0",       'passed',           12],
    ["12\0x",      'waiting mismatch', undef],
    ['1e3',        'passed',           1000],
    ['+1.5E+3',    'passed',           1500],
    ['1e999',      'passed',           9223372036854775807],
    ['9223372036854775806', 'passed',  9223372036854775806],
    ['10',         'passed',           10],
    ['11',         'passed',           11],
    ['10.5',       'passed',           10],
    ['9' x 30,     'passed',           9223372036854775807],
);

for (@numbers) {
    my ($text, $verdict, $observed) = @$_;

    $redis->set(n => $text);
    # without blanks around it
    my ($shown) = $text =~ /^\s*(.*?)\s*$/s;
    my $message = $verdict =~ /too_few/
        ? qr/^key "n" is \Q$shown\E, not yet 10$/ : undef;

    counts('min', $verdict, $message, $observed,
        defined $observed ? 10 : undef);
}

$redis->set(n => 'broken');
verdict($t, 'count', 'failed reported');
verdict($t, 'min', 'waiting mismatch', qr/^key "n" is "broken", which is not a number$/);

$redis->set(n => 12);
verdict($t, 'count', 'passed');

# the length of other types

my @kinds = (
    ['a list', 'elements',
     sub { $redis->rpush(n => @_) }],
    ['a set', 'members',
     sub { $redis->sadd(n => @_) }],
    ['a sorted set', 'members',
     sub { $redis->zadd(n => map { $_ => $_ } @_) }],
    ['a hash', 'fields',
     sub { $redis->hset(n => $_ => $_) for @_ }],
    ['a stream', 'entries',
     sub { $redis->xadd(n => '*', $_ => $_) for @_ }],
);

for (@kinds) {
    my ($kind, $things, $add) = @$_;

    $redis->del('n');
    $add->(1 .. 3);
    counts('min', 'waiting too_few',
        qr/^key "n" is $kind of 3 $things, not yet 10$/, 3, 10);

    $add->(4 .. 12);
    counts('min', 'passed', undef, 12, 10);
    verdict($t, 'count', 'passed');
}

$redis->xtrim(n => 'MAXLEN', 0);
counts('min', 'waiting too_few', qr/^key "n" is a stream of 0 entries/, 0, 10);

$redis->del('n');
counts('min', 'waiting missing', undef, 0, 10);

# keys of another type

$redis->del('v');
$redis->rpush(v => 'ready');
verdict($t, 'value', 'waiting wrong_type',
    qr/^key "v" is a list, not a string$/);
verdict($t, 'match', 'waiting wrong_type');
verdict($t, 'failed', 'waiting wrong_type');
verdict($t, 'there', 'passed');

$redis->set(h => 'x');
verdict($t, 'field', 'waiting wrong_type',
    qr/^key "h" is a string, not a hash$/);
verdict($t, 'fmin', 'waiting wrong_type');
verdict($t, 'fvalue', 'waiting wrong_type');

# a field

$redis->del('h');
$redis->hset(h => other => 'x');
verdict($t, 'field', 'waiting missing', qr/^field "f" of key "h" does not/);
verdict($t, 'fvalue', 'waiting missing');

$redis->hset(h => f => '');
verdict($t, 'field', 'passed');
verdict($t, 'fvalue', 'waiting mismatch', qr/^field "f" of key "h" is "", n/);

$redis->hset(h => f => 'ready');
verdict($t, 'fvalue', 'passed');
verdict($t, 'fmatch', 'passed');
verdict($t, 'ffailed', 'passed');
verdict($t, 'fmin', 'waiting mismatch');

$redis->hset(h => f => 'broken');
verdict($t, 'ffailed', 'failed reported', qr/^field "f" of key "h" is "brok/);

$redis->hset(h => f => 7);
counts('fmin', 'waiting too_few', qr/^field "f" of key "h" is 7, not yet 10$/,
    7, 10);

$redis->hset(h => f => 70);
counts('fmin', 'passed', undef, 70, 10);

# very long values

my $large = 'x' x 300_000;

$redis->set(v => "ready$large");
verdict($t, 'value', 'waiting mismatch', qr/^key "v" is "readyx{43}\.\.\.", n/);
verdict($t, 'match', 'passed');

$redis->set(v => 'x' x 60);
verdict($t, 'endless', 'error timeout', qr/, on which the expression takes/);

$redis->set(v => "$large ready");
verdict($t, 'match', 'waiting mismatch', qr/^key "v" is "x{48}\.\.\.", whi/);

$redis->hset(h => f => $large);
verdict($t, 'fvalue', 'waiting mismatch',
    qr/^field "f" of key "h" has 300000 bytes, more than the 65536 that/);

$redis->hset(h => f => 'x' x 65536);
verdict($t, 'fvalue', 'waiting mismatch', qr/^field "f" of key "h" is "xxx/);

$redis->hset(h => f => 'ready');
verdict($t, 'fvalue', 'passed');

# one connection for all checks

my @clients = grep { !/cmd=(?:client|NULL)/ } split /\n/, $redis->client_list;
is(scalar @clients, 1,
    'all checks: one connection') or diag $redis->client_list;

done_testing;
