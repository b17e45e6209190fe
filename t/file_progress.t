#!/usr/bin/perl

# The file check: progress=, a file with the progress of the initializer.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;

use utf8;

my $t = InitGate->new(http => <<'CONF');

    init_checks app {
        interval 20ms;
        backoff 20ms;

        check file %%DIR%%/never  name=never;
        check file %%DIR%%/m      name=m       optional  progress=%%DIR%%/p;
        check file %%DIR%%/lock   name=lock    optional  progress=%%DIR%%/p
                                               absent;
        check file %%DIR%%/m      name=boot    optional  progress=%%DIR%%/p
                                               newer_than=boot;
        check file %%DIR%%/m      name=size    optional  progress=%%DIR%%/p
                                               min_size=1k;
        check file %%DIR%%/m      name=dir     optional  progress=%%DIR%%/d;
        check file %%DIR%%/m      name=loop    optional  progress=%%DIR%%/loop;
    }

    init_checks mean {
        interval 20ms;
        check file %%DIR%%/m      name=one  progress=%%DIR%%/p;
        check file %%DIR%%/other  name=two;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
        location = /mean { init_status mean details=on; }
    }

CONF

my $dir = $t->dir;

mkdir "$dir/d";
symlink 'loop', "$dir/loop";

sub progress {
    my ($name, $observed, $expected, $message) = @_;

    my $check = verdict($t, $name, 'running in_progress', $message);

    is($check->{observed}, $observed, "$name: observed");
    is($check->{expected}, $expected, "$name: expected");
}

$t->run;

# no file

my $check = verdict($t, 'm', 'waiting missing');
is($check->{observed}, undef, 'm, no progress: no "observed"');

verdict($t, 'dir', 'waiting missing',
    qr{^not there: .*/m; progress is unknown, this is a directory: \Q$dir/d\E$});
verdict($t, 'loop', 'waiting missing',
    qr/; progress is unknown, .*\(40: Too many/);

# some formats (t/unit/progress.c has all of them)

$t->write('p', '42');
progress('m', 42, 100, qr/^42$/);

$t->write('p', "43%\n");
progress('m', 43, 100, qr/^43%$/);

$t->write('p', "420/1000 copying modules\n");
progress('m', 420, 1000, qr/^copying modules$/);
progress('boot', 420, 1000);
progress('size', 420, 1000);

ok($t->wait_for(sub {
    abs(($t->json('/mean')->{gates}[0]{progress} // 0) - 0.21) < 0.001
}, 'the mean'), 'progress of the gate: mean of its checks');

$t->write('p', '150%');
progress('m', 100, 100);

$t->write('p', "7% \xff \x1b[31m\xe2\x82\xac\n<script>");
progress('m', 7, 100, qr/^\? +\[31m€ <script>$/);

# UTF-8: four bytes; truncated; a surrogate; overlong; too large; cut off

$t->write('p', "7% \xf0\x9f\x9a\x80 \xf0\x9f\x9a \xed\xa0\x80 \xc0\xaf"
    . " \xf5\x80\x80\x80 \xe2\x82");
progress('m', 7, 100, qr/^\x{1f680} \?+ \?+ \?+ \?+ \?+$/);

# a lock, and the progress of its holder

verdict($t, 'lock', 'passed');
$t->write('lock');
$t->touch('lock', time - 60);
progress('lock', 7, 100);
$t->touch('p', time - 120);
verdict($t, 'lock', 'waiting present');
$t->remove('lock');
verdict($t, 'lock', 'passed');

# text without a valid number

for my $text ("unpacking\n", '0/0', '-1', '2026-11-20 started', 'x' x 2000) {
    $t->write('p', $text);
    progress('m', undef, undef, qr/^\Q@{[substr $text, 0, 9]}\E/);
}

# an empty file

$t->remove('p');
verdict($t, 'm', 'waiting missing');
$t->write('p', '');
progress('m', undef, undef, qr/^$/);

# emptied while it is rewritten: the last numbers are kept

$t->write('p', '9/10');
progress('m', 9, 10);
$t->write('p', '');
progress('m', 9, 10);
$t->write('p', '10/10');
progress('m', 10, 10);

# removed: the numbers are forgotten

$t->remove('p');
verdict($t, 'm', 'waiting missing');
$t->write('p', '');
progress('m', undef, undef);

# older than the start of the host

$t->write('p', '90%');
$t->touch('p', 1e9);
progress('m', 90, 100);
verdict($t, 'boot', 'waiting missing', qr/^not there: /);

# the marker ends the progress

$t->write('m');
verdict($t, 'm', 'passed', qr/^$/);
is($t->check('m')->{observed}, undef, 'm, passed: no "observed"');

$t->touch('p', time + 10);
verdict($t, 'm', 'passed');

# a stale marker is ignored if the progress is newer

$t->touch('m', 1e9);
progress('boot', 90, 100);

$t->touch('p', 1e9);
verdict($t, 'boot', 'waiting stale');

$t->touch('p', time);
$check = progress('size', 90, 100);

$t->touch('p', 1e8);
$check = verdict($t, 'size', 'waiting too_small');
is($check->{expected}, 1024, 'size, old progress: expected');

# the file is truncated and written in place repeatedly

my %seen;

for my $i (1 .. 200) {
    open my $fh, '>', "$dir/p" or die "p: $!";
    print $fh 50 + $i % 2, '%';
    close $fh;
    $t->touch('m', 1e7);
    my $check = $t->check('boot');
    $seen{$check->{observed} // 'none'} = 1;
}

is(join(' ', grep { !/^(?:50|51|none)$/ } keys %seen), '',
    'written in place: no other numbers');

done_testing;
