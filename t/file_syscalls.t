#!/usr/bin/perl

# The system calls of a probe of the file check, counted by strace.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Strace;

plan_traced();

my $t = InitGate->new(workers => 1, http => <<'CONF');

    init_checks app {
        interval 20ms;

        check file %%DIR%%/missing   name=missing   optional;
        check file %%DIR%%/never     name=never;
        check file %%DIR%%/present   name=present   optional;
        check file %%DIR%%/fresh     name=fresh     optional  max_age=1d
                                                    newer_than=boot;
        check file %%DIR%%/content   name=content   optional  contains=ready;
        check file %%DIR%%/stale     name=stale     optional  contains=ready
                                                    newer_than=boot;
        check file %%DIR%%/both      name=both      optional
                   failed=%%DIR%%/failed;
        check file %%DIR%%/awaited   name=awaited   optional
                   progress=%%DIR%%/progress;
        check file %%DIR%%/fifo      name=fifo      optional  contains=x;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
    }

CONF

my $dir = $t->dir;

$t->write($_, 'ready') for qw(present fresh content stale both);
$t->write('progress', '42%');
utime 1e9, 1e9, "$dir/stale";
POSIX::mkfifo("$dir/fifo", 0666);

$t->run;

probed($t, 'fifo');

# -y prints the path of a descriptor

my ($probes, @lines) = traced($t, '-y', 'fifo');

my %calls;

for (@lines) {
    next if !m{^(\w+)\(.*?\Q$dir\E/(\w+)(?:["<>])};
    my ($call, $file) = ($1, $2);

    # the name depends on the C library
    $call = 'stat' if $call eq 'newfstatat' && !/newfstatat\(\d/;
    $call = 'fstat' if $call eq 'newfstatat';
    $call = 'open' if $call eq 'openat';
    $calls{$file}{$call}++;
}

sub calls {
    my ($file, $name, @expected) = @_;

    my $got = $calls{$file} // {};

    is_deeply([sort keys %$got], [sort @expected],
        "$file: @expected") or return;

    for my $call (@expected) {
        my $off = $got->{$call} - $probes->{$name};
        cmp_ok(abs $off, '<=', $probes->{$name} / 8,
            "$file: one $call per probe")
            or diag("$got->{$call} calls, $probes->{$name} probes");
    }
}

calls('present', 'present', 'stat');
calls('fresh', 'fresh', 'stat');
calls('stale', 'stale', 'stat');
calls('both', 'both', 'stat');
calls('failed', 'both', 'stat');
calls('fifo', 'fifo', 'stat');

# readlink() finds dangling links, once in many probes

my $links = delete $calls{missing}{readlink} // 0;
calls('missing', 'missing', 'stat');
cmp_ok($links, '<=', 1 + $probes->{missing} / 60,
    'missing: one readlink in 60 probes');
delete $calls{awaited}{readlink};
calls('awaited', 'awaited', 'stat');

calls('content', 'content', qw(stat open fstat read close));
calls('progress', 'awaited', qw(stat open fstat read close));

done_testing;
