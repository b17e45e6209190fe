#!/usr/bin/perl

# The notify check and init_notify: invalid configurations, with their
# messages, and valid ones.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new;

# of absolute and of relative paths

$t->write($_) for 'token', 'conf_error/t', 'conf_error/s/keep';

my $location = 'server { location / { init_gate app; }'
    . ' location /notify/ { init_notify token_file=%%DIR%%/token; } }';

sub conf_ok {
    my ($http, $label, $message) = @_;

    my ($status, $said) = $t->conf_error($http);

    is($status, 0, "$label: accepted") or diag($said);
    like($said, $message, "$label: message") if $message;
    unlike($said, qr/\[warn\]/, "$label: no warning") if !$message;
}

sub refused {
    my ($http, $message) = @_;

    my ($status, $said) = $t->conf_error($http);

    isnt($status, 0, "refused: $message");
    like($said, qr/\[emerg\].*\Q$message\E.* in .*nginx\.conf:\d+/, $message);
}

sub check { "init_checks app { check notify $_[0]; }\n$location" }

conf_ok(check('import'), 'alone');
conf_ok(check('import  ttl=2m  store=/var/store  newer_than=boot'
    . ' label=Import interval=1s timeout=1s'), 'all parameters');
conf_ok("init_checks app { check notify a; check notify b after=a; }\n"
    . $location, 'two checks');
conf_ok("init_checks app { check notify a store=s/a; }"
    . " init_checks two { check notify a store=s/b; }"
    . 'server { location / { init_gate app two; } '
    . ' location /notify { init_notify token_file=t;'
    . ' limit_except POST { deny all; } if ($arg_x) { set $y z; } } }',
    'two gates');

refused(check('a/b'), 'invalid name "a/b"');
refused(check('a  name=b'),
    'parameter "name" is not allowed, "a" is the name of the check');
refused(check('a  newer_than=boot'),
    'parameter "newer_than" is allowed only with "store"');
refused(check('a  store=/s  newer_than=/x'),
    'invalid value "/x" of parameter "newer_than", it must be "boot"');
refused(check('a  ttl=0'), 'parameter "ttl"');
refused(check('a  store='), 'parameter "store"');
refused(check('a; check notify a'), 'duplicate check "a"');
refused(check('a  store=/s.new'), 'the store "/s.new" ends with ".new", as'
    . ' temporary files do: check "a" of init_checks "app"');
refused("init_checks app { check notify a store=/s; check notify b store=/s; }"
    . $location, 'the store "/s" is that of another check');

# one file by different paths: of directories that exist, and that do not

mkdir $t->path('real');
mkdir $t->path('real/sub');
symlink 'real', $t->path('link') or die $!;
symlink '.', $t->path('real/here') or die $!;

for (['real/s', 'real//s'], ['real/s', 'real/./s'], ['real/s', './real/s'],
     ['real/s', 'real/sub/../s'], ['real/s', 'link/s'], ['link/s', 'real/s'],
     ['real/s', 'link/here/here/s'], ['link/sub/s', 'real/here//sub/s'],
     ['real/s', 'link/sub/../s'], ['none/s', 'none//s'],
     ['none/s', './none/./s'], ['none/s', 'none/deep/../s'],
     ['real/none/s', 'link/none/s'], ['real/a/b/s', 'link/./a//x/../b/./s'],
     ['s', 'none/../s'])
{
    my ($first, $second) = map { "%%DIR%%/$_" } @$_;

    refused("init_checks app { check notify a store=$first; }"
        . " init_checks two { check notify b store=$second; }"
        . 'server { location / { init_gate app two; } '
        . ' location /n/ { init_notify token_file=t; } }',
        "the store \"$t->{dir}/$_->[1]\" is that of another check, too:"
        . ' check "b" of init_checks "two"');
}

# without the warning about a missing directory

mkdir "$t->{dir}/$_" or die "$_: $!" for qw(none other);

for (['real/s', 'real/sub/s'], ['none/s', 'other/s'], ['real/s', 's'],
     ['none/s', 'none/s2'], ['none/s', 'none/../nones'])
{
    my ($first, $second) = @$_;

    conf_ok("init_checks app { check notify a store=%%DIR%%/$first;"
        . " check notify b store=%%DIR%%/$second; }\n$location",
        "$first and $second");
}

sub directive { "init_checks app { check notify a; }\nserver { $_[0] }" }

refused(directive('location /n/ { init_notify /t; }'),
    'invalid parameter "/t" in "init_notify" directive: it must be'
    . ' "token_file=" and a path');
refused(directive('location /n/ { init_notify token_file=; }'),
    'invalid parameter "token_file="');
refused(directive('location /n/ { init_notify; }'),
    'invalid number of arguments in "init_notify"');
refused(directive('location /n/ { init_notify token_file=/t;'
    . ' init_notify token_file=/t; }'), '"init_notify" directive is duplicate');
refused(directive('location /n/ { init_notify token_file=/t; init_status; }'),
    '"init_status" directive is beside "init_notify"');
refused(directive('location /n/ { init_ready; init_notify token_file=/t; }'),
    '"init_notify" directive is duplicate, or beside another directive');

for my $location ('= /n', '~ ^/n/', '@n') {
    refused(directive("location $location { init_notify token_file=/t; }"),
        '"init_notify" is allowed only in a location that is a prefix of'
        . ' paths, as in "location /notify/"');
}

refused(directive('location = /c { init_control token_file=/t; }'),
    'as in "location /control/"');

conf_ok('init_checks app { check notify a; } server { location / {'
    . ' init_gate app; } }', 'no init_notify',
    qr/\[warn\].*no location has "init_notify", so that check "a" of init_checks "app" gets no notices in .*:\d+/);
conf_ok("init_checks app { check notify a; } server { location / {"
    . " init_gate app; } location /n/ { init_notify token_file=$t->{dir}; } }",
    'directory', qr/\[warn\].*"token_file=.*" of "init_notify": it is a directory in .*:\d+/);
conf_ok("init_checks app { check notify a; } server {"
    . ' location /n/ { init_gate app; init_notify token_file=/t; } }',
    'init_gate beside',
    qr/\[warn\].*"init_gate" has no effect beside "init_notify"/);

done_testing;
