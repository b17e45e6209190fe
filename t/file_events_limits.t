#!/usr/bin/perl

# The file check where the kernel has no inotify instances or watches left:
# polling notices each change, and it is logged once.  The limits are those of
# a user namespace.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $sysctl = '/proc/sys/user';

if (!$ENV{FILE_EVENTS_LIMITS}) {
    $ENV{FILE_EVENTS_LIMITS} = 1;

    plan(skip_all => 'no user namespaces')
        if system('unshare -Ur sh -c'
            . " ': > $sysctl/max_inotify_instances' 2>/dev/null") != 0;

    exec 'unshare', '-Ur', $^X, $0 or die "unshare: $!";
}

# without a master, so that the only user of the namespace is kept

my $t = InitGate->new(master => 0, main => 'user root root;',
    http => <<'CONF');
    init_checks app {
        check file %%DIR%%/d/marker  name=marker;
        check file %%DIR%%/e/marker  name=other  optional;
        interval 20ms 20ms;
        latch off;
        fall 1;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

sub limit {
    my ($name, $n) = @_;

    open my $file, '>', "$sysctl/max_inotify_$name" or die $!;
    print $file $n;
    close $file or die "max_inotify_$name: $!";
}

sub becomes {
    my ($name, $expected, $label) = @_;

    my $is = '';

    ok($t->wait_for(sub {
        $is = $t->check($name)->{verdict};
        return $is eq $expected;
    }, "$label: $expected"), "$label: $expected") or diag($is);
}

mkdir $t->path($_) or die $! for qw(d e);

for (['instances', 0, qr/inotify_init1\(\) failed, .*\(24: Too many open files\)/],
     ['watches', 1, qr/inotify_add_watch\(\) failed, .*\(28: No space left/])
{
    my ($name, $n, $message) = @$_;

    limit($name, $n);
    $t->run;

    for my $check (qw(marker other)) {
        my $path = $check eq 'marker' ? 'd/marker' : 'e/marker';

        becomes($check, 'waiting', "no $name, $check");
        $t->write($path);
        becomes($check, 'passed', "no $name, $check: created");
        $t->remove($path);
        becomes($check, 'waiting', "no $name, $check: deleted");
    }

    is($t->log_count(qr/\[warn\] .*$message/), 1,
        "no $name: logged once");

    $t->quit;
    limit($name, 1000);
}

done_testing;
