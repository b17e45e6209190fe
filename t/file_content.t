#!/usr/bin/perl

# The file check: contains=, match= and min_size=, and paths that are not
# files.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;

my $t = InitGate->new(http => <<'CONF');

    init_checks app {
        interval 20ms;
        backoff 20ms;

        check file %%DIR%%/never  name=never;
        check file %%DIR%%/m      name=contains  optional  contains=ready;
        check file %%DIR%%/m      name=quoted    optional  "contains=is ready";
        check file %%DIR%%/m      name=match     optional  match=^state:\s+ready$;
        check file %%DIR%%/m      name=both      optional  contains=state
                                                 match=v[2-9];
        check file %%DIR%%/m      name=size      optional  min_size=1k;
        check file %%DIR%%/m      name=all       optional  min_size=5
                                                 contains=ready  match=^s;
        check file %%DIR%%/m      name=slow      optional  match=(a+)+[bd];
        check file %%DIR%%/m      name=line      optional  match=a.*[bd];
        check file %%DIR%%/d      name=dir       optional  contains=x;
        check file %%DIR%%/d      name=dir_size  optional  min_size=1;
        check file %%DIR%%/fifo   name=fifo      optional  contains=x;
        check file /dev/zero      name=device    optional  match=x;
        check file /proc/version  name=proc      optional  contains=Linux;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
    }

CONF

my $dir = $t->dir;

mkdir "$dir/d";
POSIX::mkfifo("$dir/fifo", 0666);
chmod 0666, "$dir/fifo";

# open() of a FIFO for writing blocks until it is opened for reading

my $writer = fork // die "fork: $!";

if ($writer == 0) {
    open my $fh, '>', "$dir/fifo";
    POSIX::_exit(0);
}

$t->run;

verdict($t, 'contains', 'waiting missing');

my $check = verdict($t, 'size', 'waiting missing');
is($check->{observed}, 0, 'size, no file: observed');
is($check->{expected}, 1024, 'size, no file: expected');

$t->write('m', '');

verdict($t, 'contains', 'waiting mismatch',
    qr{^no "ready" in \Q$dir\E/m, which is empty$});
verdict($t, 'size', 'waiting too_small', qr{^0 of 1024 bytes: \Q$dir\E/m$});

$t->write('m', "state: ready\n");

verdict($t, 'contains', 'passed');
verdict($t, 'quoted', 'waiting mismatch', qr{^no "is ready" in});
verdict($t, 'match', 'passed');
verdict($t, 'both', 'waiting mismatch', qr{^no "v\[2-9\]" in});
verdict($t, 'all', 'passed');

$check = verdict($t, 'size', 'waiting too_small', qr{^13 of 1024 bytes});
is($check->{observed}, 13, 'size, 13 bytes: observed');

$t->write('m', "this is ready, v2\0state");

verdict($t, 'quoted', 'passed');
verdict($t, 'match', 'waiting mismatch');
verdict($t, 'both', 'passed');
verdict($t, 'all', 'waiting mismatch', qr{^no "\^s" in});

# only the first 64 KiB are read

my $head = 65536 - length 'ready';

$t->write('m', 'x' x $head . "ready\nstate: ready");
verdict($t, 'contains', 'passed');

$t->write('m', 'x' x ($head + 1) . "ready\nstate: ready");
verdict($t, 'contains', 'waiting mismatch', qr{, of which 64 KiB were read$});
verdict($t, 'size', 'passed');

# a sparse file of 4 TiB

open my $fh, '>', "$dir/huge" or die "huge: $!";
print $fh "state: ready\n";
truncate $fh, 1 << 42 or diag("truncate: $!");
close $fh;
rename "$dir/huge", "$dir/m";

verdict($t, 'contains', 'passed');
$check = verdict($t, 'size', 'passed');
is($check->{observed}, 1024, 'size, 4 TiB: observed is at most expected');

# text on which a regular expression backtracks for very long

$t->write('m', 'a' x 60000 . 'c');

my $clock = $t->clock;
$check = verdict($t, 'slow', 'error timeout', qr/takes too long/);
cmp_ok($check->{duration_ms}, '<', patience(100) + 1000 * $clock->delay,
    'slow: match limit reached in time');
$check = verdict($t, 'line', 'waiting mismatch');
cmp_ok($check->{duration_ms}, '<', patience(100) + 1000 * $clock->delay,
    'line: matched in time');

# only regular files are opened; otherwise the writer would continue

verdict($t, 'dir', 'waiting wrong_type', qr{is a directory: \Q$dir\E/d$});
verdict($t, 'dir_size', 'waiting wrong_type', qr{is a directory});
verdict($t, 'device', 'waiting wrong_type', qr{is a device: /dev/zero$});
verdict($t, 'fifo', 'waiting wrong_type', qr{is a FIFO});

ok($t->alive($writer), 'fifo: not opened for reading');
kill 'KILL', $writer;
waitpid $writer, 0;

# a file of /proc, which has a size of 0

verdict($t, 'proc', 'passed');

# replaced and removed repeatedly

my %seen;

for my $i (1 .. 100) {
    $t->write('m', $i % 2 ? 'ready' : 'steady') if $i % 3;
    unlink "$dir/m" if $i % 3 == 0;
    $check = $t->check('contains');
    $seen{join ' ', grep { defined } @$check{qw(verdict reason)}} = 1;
}

delete @seen{'passed', 'waiting mismatch', 'waiting missing'};
is_deeply(\%seen, {}, 'replaced and removed: no other verdicts');

done_testing;
