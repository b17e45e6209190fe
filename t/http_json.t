#!/usr/bin/perl

# http: json= with value=, match= and min=; the peer is nginx.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;

my $t = InitGate->new(quit => 2);
my $dir = $t->dir;

plan(skip_all => 'built without jansson')
    if ($t->conf_error(
        'init_checks a { check http http://127.0.0.1:1/ json=/a; }'))[1]
        =~ /built without jansson/;

my $health = '{"status":"yellow","nodes":3,"green":0,"timed_out":false}';
my $job = '{"status":{"succeeded":1,"active":0,"rate":0.5,"big":1e300,'
    . '"below":-2,"null":null,"yes":true,"empty":"","text":" 42\n",'
    . '"word":"many","long":12345678901234567890,"one":1.0}}';
my $list = '{"data":[{"id":"a"},{"id":"b/c"}],"none":[],"object":'
    . '{"a b":1,"~":{"/":[true]},"":0},"11":{"0":"x"}}';
my $text = "{\"nul\":\"a\\u0000b\",\"long\":\"@{['x' x 100]}\","
    . '"a":"first","a":"second","ü":"ö","lines":"one\ntwo"}';
my $twenty = '{"a":"' . 'x' x (65536 - 8);

# body, parameters, verdict, message, observed and expected

my %case = (
    value => [$health, 'json=/status value=yellow', 'passed'],
    other => [$health, 'json=/status value=green', 'waiting mismatch',
        qr{^"/status" is "yellow", not "green"$}],
    alternatives => [$health, 'json=/status "match=^(green|yellow)$"',
        'passed'],
    no_match => [$health, 'json=/status "match=^green$"', 'waiting mismatch',
        qr{^"/status" is "yellow", which does not match$}],
    alone => [$health, 'json=/nodes', 'passed'],
    zero => [$health, 'json=/green', 'passed'],
    false => [$health, 'json=/timed_out', 'waiting mismatch',
        qr{^"/timed_out" is false$}],
    is_false => [$health, 'json=/timed_out value=false', 'passed'],
    missing => [$health, 'json=/state', 'waiting missing',
        qr{^"/state" is not in the body$}],
    missing_value => [$health, 'json=/status/a value=b', 'waiting missing'],

    number => [$job, 'json=/status/succeeded value=1', 'passed'],
    fraction => [$job, 'json=/status/rate value=0.5', 'passed'],
    whole => [$job, 'json=/status/one value=1', 'passed'],
    huge => [$job, 'json=/status/big value=1e300', 'passed'],
    null => [$job, 'json=/status/null', 'waiting mismatch', qr/is null$/],
    is_null => [$job, 'json=/status/null value=null', 'passed'],
    true => [$job, 'json=/status/yes', 'passed'],
    is_true => [$job, 'json=/status/yes value=true', 'passed'],
    empty => [$job, 'json=/status/empty', 'passed'],
    is_empty => [$job, 'json=/status/empty match=^$', 'passed'],
    object => [$job, 'json=/status', 'passed'],
    inside => [$job, 'json=/status "match=\"succeeded\":1,"', 'passed'],
    precision => [$job, 'json=/status/long value=12345678901234567890',
        'waiting mismatch', qr/is "1.23456789012346e\+?19"/],

    min => [$job, 'json=/status/succeeded min=1', 'passed', undef, 1, 1],
    few => [$job, 'json=/status/succeeded min=3', 'waiting too_few',
        qr{^"/status/succeeded" is 1, not yet 3$}, 1, 3],
    min_zero => [$job, 'json=/status/active min=1', 'waiting too_few',
        qr/is 0, not yet 1$/, 0, 1],
    min_below => [$job, 'json=/status/below min=1', 'waiting too_few',
        qr/is -2, not yet 1$/, 0, 1],
    min_half => [$job, 'json=/status/rate min=1', 'waiting too_few',
        qr/is 0.5, not yet 1$/, 0, 1],
    min_text => [$job, 'json=/status/text min=40', 'passed', undef, 42, 40],
    min_huge => [$job, 'json=/status/big min=1', 'passed', undef,
        9223372036854775807, 1],
    min_word => [$job, 'json=/status/word min=1', 'waiting mismatch',
        qr/is "many", which is not a number$/],
    min_null => [$job, 'json=/status/null min=1', 'waiting mismatch',
        qr/is "null", which is not a number$/],
    min_missing => [$job, 'json=/status/failed min=2', 'waiting missing',
        qr/not in the body/, 0, 2],

    array => [$list, 'json=/data min=2', 'passed', undef, 2, 2],
    array_few => [$list, 'json=/data min=3', 'waiting too_few',
        qr{^"/data" has 2 elements, not yet 3$}, 2, 3],
    array_none => [$list, 'json=/none min=1', 'waiting too_few',
        qr/has 0 elements/, 0, 1],
    object_min => [$list, 'json=/object min=3', 'passed', undef, 3, 3],
    index => [$list, 'json=/data/1/id value=b/c', 'passed'],
    index_beyond => [$list, 'json=/data/2', 'waiting missing'],
    index_zeros => [$list, 'json=/data/01', 'waiting missing'],
    index_dash => [$list, 'json=/data/-', 'waiting missing'],
    index_word => [$list, 'json=/data/x', 'waiting missing'],
    index_huge => [$list, 'json=/data/99999999999999999999',
        'waiting missing'],
    index_empty => [$list, 'json=/data/', 'waiting missing'],
    key_number => [$list, 'json=/11/0 value=x', 'passed'],
    key_space => [$list, '"json=/object/a b" value=1', 'passed'],
    key_escaped => [$list, 'json=/object/~0/~1/0 value=true', 'passed'],
    key_empty => [$list, 'json=/object/ value=0', 'passed'],
    contains => [$list, 'json=/data "match=\"id\":\"b/c\""', 'passed'],
    within_scalar => [$list, 'json=/data/0/id/x', 'waiting missing'],

    nul => [$text, 'json=/nul "match=^a.b$"', 'passed'],
    nul_text => [$text, 'json=/nul value=a', 'waiting mismatch'],
    cut => [$text, 'json=/long value=x', 'waiting mismatch',
        qr{^"/long" is "x{64}\.\.\.", not "x"$}],
    duplicate => [$text, 'json=/a value=second', 'passed'],
    unicode => [$text, "json=/ü value=ö", 'passed'],
    lines => [$text, 'json=/lines "match=^one\ntwo$"', 'passed'],

    root => ['[1,2,3]', 'json= min=3', 'passed', undef, 3, 3],
    root_few => ['[]', 'min=1 json=', 'waiting too_few',
        qr/^the body has 0 elements, not yet 1$/, 0, 1],
    root_scalar => ["\n\"ready\"\n", 'json= value=ready', 'passed'],
    root_optional => ['true', 'json= optional', 'passed'],

    no_json => ['<html>no</html>', 'json=/a', 'error protocol',
        qr/^the body is not JSON, line 1, column 1$/],
    no_body => ['', 'json=/a', 'error protocol', qr/not JSON/],
    truncated => ['{"a":1', 'json=/a', 'error protocol', qr/not JSON/],
    trailing => ['{"a":1} x', 'json=/a', 'error protocol', qr/not JSON/],
    bad_utf8 => ["{\"a\":\"\xff\"}", 'json=/a', 'error protocol', qr/not JSON/],
    nul_key => ['{"a\u0000b":1}', 'json=/a', 'error protocol', qr/not JSON/],
    deep => ['[' x 20000, 'json=/a', 'error protocol', qr/not JSON/],

    within => ["$twenty\"}", 'json=/a', 'passed'],
    beyond => ["$twenty\"} ", 'json=/a', 'error too_large',
        qr/^the body is larger than 64 KiB$/],
    far_beyond => [$twenty x 20, 'json=/a', 'error too_large'],

    steps => ["{\"a\":\"@{['a' x 60000]}\"}", 'json=/a match=(a+)+[bd]',
        'error timeout', qr/takes too long$/],
);

my $checks = '';

for my $name (sort keys %case) {
    my ($body, $params) = @{$case{$name}};

    $t->write("www/$name", $body);
    $checks .= "check http http://127.0.0.1:%%PORT_1%%/$name name=$name "
        . "$params;\n";
}

$t->run(http => <<"CONF");
    init_checks app {
$checks
        check http http://127.0.0.1:%%PORT_1%%/status  name=bad_status
            json=/a;
        check http http://127.0.0.1:%%PORT_1%%/status  name=good_status
            status=503 json=/a value=b;
        check http http://127.0.0.1:%%PORT_1%%/counts  name=counts
            json=/done min=10;
        interval 100ms;
        timeout 1m;
        backoff 100ms;
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        root $dir/www;
        location = /status { return 503 '{"a":"b"}'; }
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
        location = /public { init_status app; }
    }
CONF

my $all = verdicts($t,
    (map { [$_, @{$case{$_}}[2, 3]] } sort keys %case),
    [bad_status => 'waiting bad_status', qr/^HTTP 503$/],
    [good_status => 'passed']);

for my $name (sort keys %case) {
    is_deeply([@{$all->{$name}}{qw(observed expected)}],
        [@{$case{$name}}[4, 5]], "$name: observed and expected");
}

# progress

$t->write('www/counts', '{"done":0}');
is(settles($t, 'counts', 'waiting too_few', qr/is 0/)->{observed}, 0,
    'min, in the beginning: 0');

$t->write('www/counts', '{"done":4}');
is(settles($t, 'counts', 'waiting too_few', qr/is 4/)->{observed}, 4,
    'min, later: 4');

$t->write('www/counts', '{"done":10}');
settles($t, 'counts', 'passed');

unlike($t->get('/public')->{content}, qr/yellow|succeeded/,
    'public status: no value and no pointer');

# invalid configurations

my %wrong = (
    'json' => qr/"json" needs a value: "json=" and a JSON pointer/,
    'json=a' => qr/"json": it must begin with "\/", as in \/status\/ready/,
    'json=/a~' => qr/"json": it has a "~" that is not followed/,
    'json=/a~2/b' => qr/"json": it has a "~" that is not followed/,
    'json=/a json=/b' => qr/duplicate parameter "json"/,
    'value=x' => qr/"value" needs "json"/,
    'min=1' => qr/"min" needs "json"/,
    'min=0 json=/a' => qr/"min", it must be a number, 1 or more/,
    'json=/a value=x match=x' => qr/"value" conflicts with "match"/,
    'json=/a value=x min=1' => qr/"value" conflicts with "min"/,
    'json=/a match=x min=1' => qr/"match" conflicts with "min"/,
    'json=/a method=HEAD' => qr/"json" conflicts with "method=HEAD"/,
    'json=/a value=' => qr/"value" needs a value/,
    'json=/a value="x"' => qr/write "value=x"/,
);

for my $words (sort keys %wrong) {
    my ($status, $said) =
        $t->conf_error("init_checks app { check http http://x/ $words; }");

    isnt($status, 0, "refused: $words");
    like($said, $wrong{$words}, "message: $words");
}

done_testing;
