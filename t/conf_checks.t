#!/usr/bin/perl

# Invalid init_checks blocks: the error names the file, the line, the invalid
# word, and what is allowed.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new;


# a block that is valid without this line

sub refused {
    my ($line, @regex) = @_;

    my ($status, $said) = $t->conf_error("init_checks app {\n"
        . "check file /marker;\n$line\n}");

    is_refused($line, $status, $said, @regex);
}


sub is_refused {
    my ($line, $status, $said, @regex) = @_;

    # the line with the number in the message
    my ($number) = $said =~ m{ in \S+/conf_error/nginx\.conf:(\d+)$}m;
    my @conf = split /\n/, $t->read('conf_error/nginx.conf');
    my ($first) = split /\n/, $line;

    subtest $line => sub {
        is($status, 1, 'exit status 1');
        is($number && $conf[$number - 1], $first,
            'file and line') or diag $said;
        like($said, $_, "$_") for @regex;
    };
}


my $time = qr/500ms, 5s, 2m or 1h/;
my $directives = qr/check, interval, timeout, backoff, latch, rise, fall, /;

refused('no_such thing;', qr/"no_such"/, $directives);
refused('Check file /x;', qr/"Check" \(did you mean "check"\?\)/);
refused('root /x;', qr/"root"/, $directives, qr/trigger and resolver /);

refused('check;', qr/number of arguments in "check"/);
refused('check file;', qr/number of arguments in "check"/);
refused('check no_such /x;', qr/"no_such"/,
    qr/file, postgres, redis, http, tcp, grpc, upstream, remote and notify/);
refused('check File /x name=y;', qr/"File" \(did you mean "file"\?\)/);
refused('check file /x;', qr/duplicate check "file"/, qr/"name="/);
refused('check file /x name=file;', qr/duplicate check "file"/, qr/"name="/);
refused('check file /x name=;', qr/"name"/);
refused('check file /x name=a/b;', qr{"a/b"}, qr/letters, digits/);
refused('check file /x name=' . 'a' x 65 . ';', qr/"a{65}"/, qr/64/);
refused('check file /x name=b no_such=1;', qr/"no_such"/, qr/interval=/);
refused('check file /x name=b no_such;', qr/"no_such"/, qr/optional/);
refused('check file /x name=b name=c;', qr/duplicate parameter "name"/);
refused('check file /x name=b optional optional;',
    qr/duplicate parameter "optional"/);
refused('check file /x name=b optional=on;', qr/"optional" takes no value/);
refused('check file /x name=b interval=0;', qr/"0" of parameter "interval"/,
    $time);
refused('check file /x name=b interval=-1s;', qr/"-1s"/, $time);
refused('check file /x name=b interval=soon;', qr/"soon"/, $time);
refused('check file /x name=b timeout=0;', qr/"0" of parameter "timeout"/,
    $time);
refused('check file /x name=b timeout=;', qr/"timeout"/, $time);
refused('check file /x name=b tables=t;', qr/"tables"/, qr/contains=/);

refused('interval;', qr/number of arguments in "interval"/);
refused('interval 1s 5s 9s;', qr/number of arguments in "interval"/);
refused('interval 0;', qr/"0"/, $time);
refused('interval 1s 0;', qr/"0"/, $time);
refused('interval often;', qr/"often"/, $time);
refused('interval 1s often;', qr/"often"/, $time);
refused('interval 1x;', qr/"1x"/, $time);
refused("interval 2s;interval 1s;", qr/"interval" directive is duplicate/);

for my $directive (qw(timeout backoff deadline)) {
    refused("$directive;", qr/number of arguments in "$directive"/);
    refused("$directive 0;", qr/"0" in "$directive"/, $time);
    refused("$directive never;", qr/"never"/, $time);
    refused("$directive -5s;", qr/"-5s"/, $time);
    refused("$directive 25d;", qr/"25d"/, $time);
    refused("$directive 1s; $directive 2s;",
        qr/"$directive" directive is duplicate/);
}

refused('timeout 1s 2s;', qr/number of arguments in "timeout"/);
refused('backoff 1s 2s;', qr/number of arguments in "backoff"/);
refused('deadline 1s ajar;', qr/"ajar"/, qr/"open" or "closed"/);
refused('deadline 1s open closed;', qr/number of arguments in "deadline"/);

my $address = qr/must be an IP address, with a port or without/;

refused('resolver;', qr/number of arguments in "resolver"/);
refused("resolver $_;", qr/invalid address "\Q$_\E" in "resolver"/, $address)
    for qw(kube-dns.kube-system valid=10s 10.0.0.2:x 10.0.0.2:0 10.0.0.2:65536
    10.0.0.256 fd00::2 [fd00::2 [10.0.0.2] unix:/run/dns);
refused('resolver 10.0.0.2 dns;', qr/invalid address "dns"/, $address);
refused('resolver "";', qr/invalid address ""/, $address);
refused("resolver 10.0.0.2;resolver 10.0.0.3;",
    qr/"resolver" directive is duplicate/);

refused('latch;', qr/number of arguments in "latch"/);
refused('latch maybe;', qr/"maybe"/, qr/"on" or "off"/);
refused('latch on off;', qr/number of arguments in "latch"/);
refused('latch on; latch off;', qr/"latch" directive is duplicate/);

for my $directive (qw(rise fall)) {
    refused("$directive;", qr/number of arguments in "$directive"/);
    refused("$directive 0;", qr/"0" in "$directive"/, qr/at least 1/);
    refused("$directive -1;", qr/"-1"/, qr/at least 1/);
    refused("$directive many;", qr/"many"/, qr/at least 1/);
    refused("$directive 1 2;", qr/number of arguments in "$directive"/);
    refused("$directive 1; $directive 2;",
        qr/"$directive" directive is duplicate/);
}

refused('trigger;', qr/number of arguments in "trigger"/);
refused('trigger nowhere;', qr/"trigger"/, qr{"http://"});
refused('trigger http://127.0.0.1:1/ on=demand;', qr/"on=demand"/,
    qr/"on=start" or "on=request"/);
refused('trigger http://127.0.0.1:1/ on=start on=start;', qr/duplicate/);
refused('trigger http://127.0.0.1:1/ optional;',
    qr/"optional" is not allowed in a trigger/);
refused('trigger http://127.0.0.1:1/ after=file;', qr/"after" is not allowed/);
refused('trigger http://127.0.0.1:1/ name=other;', qr/"name" is not allowed/);
refused('trigger http://127.0.0.1:1/ no_such=1;', qr/"no_such"/,
    qr/allowed are status= .* timeout= on= in "trigger" directive/);
refused('trigger http://127.0.0.1:1/ interval=1s;',
    qr/"interval" is not allowed/);
refused('trigger http://127.0.0.1:1/ method=;', qr/"method"/,
    qr/in capital letters/);
refused('trigger http://127.0.0.1:1/; trigger http://127.0.0.1:1/;',
    qr/"trigger" directive is duplicate/);


# the block as a whole

sub block {
    my ($text, @regex) = @_;

    my ($status, $said) = $t->conf_error($text);

    subtest substr($text, 0, 100) => sub {
        is($status, 1, 'exit status 1');
        like($said, qr{ in \S+/(?:nginx\.conf|included):\d+$}m,
            'file and line');
        like($said, $_, "$_") for @regex;
    };
}

block('init_checks { check file /x; }',
    qr/number of arguments in "init_checks"/);
block('init_checks a b { check file /x; }',
    qr/number of arguments in "init_checks"/);
block('init_checks a;', qr/"init_checks" has no opening "\{"/);
block('init_checks a/b { check file /x; }', qr{"a/b"}, qr/letters, digits/);
block('init_checks off { check file /x; }', qr/"off"/, qr/letters, digits/);
block('init_checks "a b" { check file /x; }', qr/"a b"/, qr/letters, digits/);
block('init_checks "" { check file /x; }', qr/""/, qr/letters, digits/);
block('init_checks ' . 'a' x 65 . ' { check file /x; }', qr/"a{65}"/, qr/64/);
block('init_checks a { }', qr/no check in init_checks "a"/);
block('init_checks a { interval 1s; }', qr/no check in init_checks "a"/);
block('init_checks a { check file /x; } init_checks a { check file /y; }',
    qr/duplicate init_checks "a"/);
block('server { init_checks a { check file /x; } }',
    qr/"init_checks" directive is not allowed here/);

block('init_checks a { check file /x after=no_such; }',
    qr/"after=no_such"/, qr/no such check/);
block('init_checks a { check file /x after=file; }',
    qr/"file"/, qr/depends on itself/);
block('init_checks a { check file /x name=x after=y;
                       check file /y name=y after=x; }',
    qr/"[xy]"/, qr/depends on itself/);
block('init_checks a { check file /x name=x after=y;
                       check file /y name=y after=z;
                       check file /z name=z after=y; }',
    qr/"[yz]"/, qr/depends on itself/);

# the line of the check, not that of the end of the block

for my $after (qw(no_such y)) {
    my (undef, $said) = $t->conf_error("init_checks a {
            check file /x  name=x  after=$after;
            check file /y  name=y  after=x;
        }");
    my ($number) = $said =~ m{ in \S+/nginx\.conf:(\d+)$}m;
    my @conf = split /\n/, $t->read('conf_error/nginx.conf');
    like($number && $conf[$number - 1], qr/name=x  after=$after;$/,
        "after=$after: line of the check") or diag $said;
}

{
    my $check = 'redis://user:S3cret@127.0.0.1/0';

    my (undef, $said) = $t->conf_error("init_checks a { check $check key=x; }");
    like($said, qr/unknown check type "\.\.\."/,
        'check without a type: message');
    unlike($said, qr/S3cret/,
        'check without a type: no password in the message');
}

block('init_checks a { ' . join("\n", map { "check file /x name=c$_;" }
    0 .. 10000) . ' }', qr/more than 10000 checks in init_checks "a"/);

# an included file

$t->write('included', 'check file /y name=y; latch maybe;');
block("init_checks a { check file /x; include @{[$t->path('included')]}; }",
    qr/"maybe" in "latch" directive/, qr{included:1$}m);

# the same names in two gates are two checks

my ($status, $said) = $t->conf_error(
    'init_checks a { check file /x; } init_checks b { check file /x; }');
is($status, 0, 'same name in two gates: valid') or diag $said;

done_testing;
