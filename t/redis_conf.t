#!/usr/bin/perl

# The redis check: invalid configurations, with their messages, which have no
# passwords, and valid ones.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new;
my ($certificate, $key) = $t->certificate('cache');

sub conf {
    my ($check) = @_;

    return $t->conf_error(<<"CONF");
    init_checks app {
        $check
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
    }
CONF
}

sub good {
    my ($check) = @_;

    my ($status, $said) = conf("check redis $check;");

    is($status, 0, "valid: $check") or diag($said);
}

sub bad {
    my ($check, $message) = @_;

    my ($status, $said) = conf("check redis $check;");

    isnt($status, 0, "refused: $check");
    like($said, qr/\[emerg\].*$message.* in check "redis" of type "redis" in init_checks "app" in /,
        "message: $check");
    like($said, qr{nginx\.conf:\d+$}m, "place in the message: $check");
    unlike($said, qr/secret/, "no secret in the message: $check");
}

my $url = 'redis://cache';

good($_) for
    $url,
    "$url:7000/3",
    "$url?db=3",
    "$url db=3",
    'redis://[::1]:6379/0',
    'redis://user:secret@cache',
    'redis://:secret@cache',
    'redis://user@cache password_file=/no/such',
    "$url user=user password_file=/no/such",
    "$url password_file=/no/such",
    'unix:/run/redis.sock',
    'unix:/run/redis.sock?db=3',
    'unix://user:secret@/run/redis.sock',
    'redis://a,b:7000,c/1 sentinel=main key=k',
    'a,b:7000 sentinel=main',
    "$url key=k",
    "$url key=k value=v failed=f",
    "$url key=k match=v failed=f",
    "$url key=k min=3 failed=f",
    "$url key=k failed=f",
    "$url key=k field=f min=3",
    "rediss://cache ca=$certificate cert=$certificate cert_key=$key",
    'rediss://cache verify=off sni=other',
    'rediss://a,b sentinel=main verify=off';

bad('cache', 'the target does not begin with "redis://", "rediss://" or "un');
bad('redis://', 'the target has no host');
bad("$url/x", 'the target has an invalid number of a database');
bad("$url:0", 'the target has an invalid port');
bad("$url?db=x", 'the target has an invalid number of a database');
bad("$url/1?db=2", 'the target has two databases');
bad('redis://u:@cache', 'the target has an empty password');
bad('redis://@cache', 'the target has neither user nor password before');
bad('redis://a,b', 'the target has several servers, which requires "sentinel="');
bad('redis://secret@cache', 'the user has no password');
bad("$url user=user", 'the user has no password');
bad('redis://:se/cret@cache', 'the target has "/" before "@"');
bad('unix:run/redis.sock', 'the target has no absolute path');
bad('unix:/' . 'x' x 200, 'the target has too long a path');
bad('redis://:secret@cache password_file=/f',
    '"password_file" conflicts with the target');
bad('redis://u:secret@cache user=v', '"user" conflicts with the target');
bad("$url/1 db=1", '"db" conflicts with the target');
bad("$url db=x", 'invalid value of parameter "db"');

bad("$url $_=1", "parameter \"$_\" needs \"key\"")
    for qw(field value match min failed);

bad("$url key=k value=a match=b", '"value" conflicts with "match"');
bad("$url key=k value=a min=1", '"value" conflicts with "min"');
bad("$url key=k match=a min=1", '"match" conflicts with "min"');
bad("$url key=k value=a failed=a", '"failed" conflicts with "value"');
bad("$url key=k min=0", 'invalid value "0" of parameter "min"');
bad("$url key=k min=x", 'invalid value "x" of parameter "min"');
bad("$url key=k match=(", '\(');
bad("$url key=", '"key" needs a value');
bad("$url key=a key=b", 'duplicate parameter "key"');
bad("$url colour=a",
    'unknown parameter "colour", allowed are key= field= value=');
bad("$url verify=maybe", 'invalid value "maybe"');

bad("$url $_", 'needs "rediss://"')
    for 'verify=off', "ca=$certificate", 'sni=a',
        "cert=$certificate cert_key=$key";

bad("rediss://cache cert_key=$key", '"cert_key" needs "cert"');
bad("rediss://cache cert=/nonexistent key=$key",
    'the key of "cert" is given by "cert_key=".*"key=" is the key in Redis');
bad('rediss://cache ca=/nonexistent', '/nonexistent');
bad('rediss://cache verify=off ca=/x', 'conflicts');
bad('unix:/run/redis.sock sentinel=main', '"sentinel" needs a target of host');
bad('redis://' . join(',', 1 .. 17) . ' sentinel=main',
    'the target has more than 16 servers');

done_testing;
