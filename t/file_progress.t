#!/usr/bin/perl

# The file check: progress=, by which an initialiser tells how far it is.

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

sub touch {
    my ($name, $time) = @_;

    utime $time, $time, $t->path($name) or die "$name: $!";
}

sub progress {
    my ($name, $observed, $expected, $message) = @_;

    my $check = verdict($t, $name, 'running in_progress', $message);

    is($check->{observed}, $observed, "$name: observed");
    is($check->{expected}, $expected, "$name: expected");
}

$t->run;

# not begun

my $check = verdict($t, 'm', 'waiting missing');
is($check->{observed}, undef, 'no numbers');

verdict($t, 'dir', 'waiting missing',
    qr{^not there: .*/m; no progress, this is a directory: \Q$dir\E/d$});
verdict($t, 'loop', 'waiting missing', qr/; no progress, .*\(40: Too many/);

# the forms in which it is told (all of them are in t/unit/progress.c)

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
}, 'the mean'), 'the gate tells the mean of its checks');

$t->write('p', '150%');
progress('m', 100, 100);

$t->write('p', "7% \xff \x1b[31m\xe2\x82\xac\n<script>");
progress('m', 7, 100, qr/^\? +\[31m€ <script>$/);

# four bytes; too few, half a pair, one too long, none such, and the end

$t->write('p', "7% \xf0\x9f\x9a\x80 \xf0\x9f\x9a \xed\xa0\x80 \xc0\xaf"
    . " \xf5\x80\x80\x80 \xe2\x82");
progress('m', 7, 100, qr/^\x{1f680} \?+ \?+ \?+ \?+ \?+$/);

# a lock, and how far who holds it is

verdict($t, 'lock', 'passed');
$t->write('lock');
touch('lock', time - 60);
progress('lock', 7, 100);
touch('p', time - 120);
verdict($t, 'lock', 'waiting present');
$t->remove('lock');
verdict($t, 'lock', 'passed');

# no number is better than a wrong one

for my $text ("unpacking\n", '0/0', '-1', '2026-11-20 started', 'x' x 2000) {
    $t->write('p', $text);
    progress('m', undef, undef, qr/^\Q@{[substr $text, 0, 9]}\E/);
}

# empty at first

$t->remove('p');
verdict($t, 'm', 'waiting missing');
$t->write('p', '');
progress('m', undef, undef, qr/^$/);

# being rewritten: what was told last holds until there is more

$t->write('p', '9/10');
progress('m', 9, 10);
$t->write('p', '');
progress('m', 9, 10);
$t->write('p', '10/10');
progress('m', 10, 10);

# gone: forgotten

$t->remove('p');
verdict($t, 'm', 'waiting missing');
$t->write('p', '');
progress('m', undef, undef);

# left over from before the host started

$t->write('p', '90%');
touch('p', 1e9);
progress('m', 90, 100);
verdict($t, 'boot', 'waiting missing', qr/^not there: /);

# it ends when the marker is there

$t->write('m');
verdict($t, 'm', 'passed', qr/^$/);
is(check($t, 'm')->{observed}, undef, 'm: no numbers any more');

touch('p', time + 10);
verdict($t, 'm', 'passed');

# a marker that will not do is none, if the progress is newer

touch('m', 1e9);
progress('boot', 90, 100);

touch('p', 1e9);
verdict($t, 'boot', 'waiting stale');

touch('p', time);
$check = progress('size', 90, 100);

touch('p', 1e8);
$check = verdict($t, 'size', 'waiting too_small');
is($check->{expected}, 1024, 'size: its own numbers');

# never a number from nowhere while the file is replaced, and cut, in place

my %seen;

for my $i (1 .. 200) {
    open my $fh, '>', "$dir/p" or die "p: $!";
    print $fh 50 + $i % 2, '%';
    close $fh;
    touch('m', 1e7);
    my $check = check($t, 'boot');
    $seen{$check->{observed} // 'none'} = 1;
}

is(join(' ', grep { !/^(?:50|51|none)$/ } keys %seen), '', 'only what was told');

done_testing;
