#!/usr/bin/perl

# The file check: invalid configurations, with their messages, and valid ones.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new;

sub refused {
    my ($line, $message) = @_;

    my ($status, $said) = $t->conf_error(
        "init_checks app {\n    check file $line;\n}");

    isnt($status, 0, "refused: $line") or return;
    like($said, qr/\[emerg\].*\Q$message\E/, "message: $line");
    like($said, qr/in check "\w+" of type "file" in .*nginx\.conf:\d+/,
        "place in the message: $line");
}

sub valid {
    my ($line) = @_;

    my ($status, $said) = $t->conf_error(
        "init_checks app {\n    check file $line;\n}");

    is($status, 0, "valid: $line") or diag($said);
}

valid('/m');
valid('m');
valid('/m absent failed=/f progress=/p optional');
valid('/m contains=a match=b min_size=1 max_age=1d newer_than=boot failed=/f'
    . ' progress=/p name=x interval=1s timeout=2s');
valid('/m newer_than=/stamp');
valid('/m files=10 glob=*.json failed=/f');
valid('"/with space" "contains=a text; with {all}" "match=^\d{3}$"');
valid('/boot newer_than=boot');

refused('""', 'the path is empty');
refused('/m colour=blue', 'unknown parameter "colour", allowed are absent'
    . ' contains= match= min_size= max_age= newer_than= files= glob= failed='
    . ' progress= name= label= interval= timeout= optional after=');
refused('/m Max-Age=5', 'unknown parameter "Max-Age" (did you mean "max_age"');
refused('/m contains=a b"', 'unknown parameter "..." (an argument with spaces'
    . ' is quoted whole, as in "name=a b"), allowed are absent');
refused('/m absent=yes', 'parameter "absent" takes no value');
refused('/m absent absent', 'duplicate parameter "absent"');
refused('/m failed=/a failed=/b', 'duplicate parameter "failed"');

refused("/m $_", "parameter \"$_\" needs a value") for
    qw(contains match min_size max_age newer_than files glob failed progress);
refused("/m $_=", "parameter \"$_\" needs a value") for
    qw(contains match min_size max_age newer_than files glob failed progress);

refused('/m match=(', 'invalid value of parameter "match"');
refused('/m min_size=0', 'a size above 0, as in 100, 64k, 1m or 2g');
refused('/m min_size=big', 'invalid value "big" of parameter "min_size"');
refused('/m max_age=0', 'a time above 0, as in 30s, 5m, 2h or 1d');
refused('/m max_age=-1', 'invalid value "-1" of parameter "max_age"');
refused('/m files=0', 'a number, 1 or more');
refused('/m files=many', 'invalid value "many" of parameter "files"');
refused('/m files=1 glob=a/b', 'invalid value "a/b" of parameter "glob"');

# combinations that can never pass, and ambiguous ones

refused("/m absent $_", 'parameters "absent" and "'
    . (split /=/)[0] . '" exclude each other') for
    qw(contains=a match=a min_size=1 max_age=1h newer_than=boot newer_than=/x
       files=1);
refused('/m absent glob=*.json',
    'parameters "absent" and "glob" exclude each other');
refused("/m files=2 $_", 'parameters "files" and "'
    . (split /=/)[0] . '" exclude each other') for
    qw(contains=a match=a min_size=1 max_age=1h newer_than=boot newer_than=/x
       progress=/p);
refused('/m glob=*.json', 'parameter "glob" needs "files"');
refused('/m failed=/m', 'path "/m" is given twice');
refused('/m progress=/m', 'path "/m" is given twice');
refused('/m newer_than=/m', 'path "/m" is given twice');
refused('/m failed=/f progress=/f', 'path "/f" is given twice');

{
    my ($status, $said) = $t->conf_error(
        "init_checks app { check file \"/m\0n\"; }");

    isnt($status, 0, 'refused: a zero byte in a path');
    like($said, qr/a path without a zero byte/,
        'message: a zero byte in a path');
}

done_testing;
