#!/usr/bin/perl

# The file check: files that the user of the workers may not read.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

plan skip_all => 'requires root, to run workers as another user' if $> != 0;

my $t = InitGate->new(http => <<'CONF');

    init_checks app {
        interval 20ms;

        check file %%DIR%%/never        name=never;
        check file %%DIR%%/shut/in/m    name=shut    optional;
        check file %%DIR%%/shut/in/m    name=absent  optional  absent;
        check file %%DIR%%/to           name=to      optional;
        check file %%DIR%%/mine         name=stat    optional;
        check file %%DIR%%/mine         name=read    optional  contains=ready;
        check file %%DIR%%/shut         name=tree    optional  files=1;
        check file %%DIR%%/             name=part    optional  files=1000;
        check file %%DIR%%/mine         name=failed  optional
                   failed=%%DIR%%/shut/failed;
        check file %%DIR%%/mine         name=secret  optional
                   failed=%%DIR%%/secret;
        check file %%DIR%%/none         name=hidden  optional
                   progress=%%DIR%%/shut/progress;
        check file %%DIR%%/mine         name=newer   optional
                   newer_than=%%DIR%%/shut/stamp;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
    }

CONF

my $dir = $t->dir;

$t->write('shut/in/m');
$t->write('mine', 'ready');
chmod 0600, "$dir/mine";
$t->write('secret', 'out of space');
chmod 0600, "$dir/secret";
chmod 0700, "$dir/shut";
symlink 'shut/in/m', "$dir/to";

$t->run;

# the interval of such a check grows: the first verdict is tested

sub first {
    my ($name, $expected, $message) = @_;

    my $check = $t->wait_for(sub {
        my $check = $t->check($name);
        return $check->{attempts} && $check;
    }, $name);

    is(join(' ', grep { defined } @$check{qw(verdict reason)}), $expected,
        "$name: $expected");
    like($check->{message} // '', $message, "$name: message");

    return $check;
}

my $uid = qr/the worker runs as uid [1-9]\d*/;
my $shut = qr/$uid and may not enter "\Q$dir\E\/shut"$/;

first('shut', 'error denied',
    qr{^stat\(\) "\Q$dir\E/shut/in/m" failed \(13: Permission denied\), $shut});
first('absent', 'error denied', $shut);
first('to', 'error denied', qr/$uid$/);

first('stat', 'passed', qr/^$/);
first('read', 'error denied', qr{^open\(\) "\Q$dir\E/mine" failed .*, $uid$});

first('tree', 'error denied', qr{^open\(\) "\Q$dir\E/shut" failed .*, $uid$});
my $part = first('part', 'waiting too_few',
    qr{; unreadable by the worker, which runs as uid [1-9]\d*: .*/shut});
cmp_ok($part->{observed}, '>=', 3, 'part: readable directories counted');

# a failure file or a stamp that cannot be read does not open the gate

first('failed', 'error denied', $shut);
first('newer', 'error denied', $shut);

# an unreadable failure file is valid; an unreadable progress file is ignored

first('secret', 'failed reported',
    qr{^reported by \Q$dir\E/secret, open\(\) failed \(13: Permission denied\)});
first('hidden', 'waiting missing',
    qr{^not there: .*/none; progress is unknown, stat\(\) .* failed \(13: });

done_testing;
