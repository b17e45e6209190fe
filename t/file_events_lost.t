#!/usr/bin/perl

# The file check without events: polling notices each change, where there are
# no inotify instances or watches left, and where a file system sends no event.
# A directory that is removed before it is watched is one that does not exist.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

# mounts of its own

if ($> == 0 && !$ENV{FILE_EVENTS_LOST}
    && system('unshare -m true 2>/dev/null') == 0)
{
    $ENV{FILE_EVENTS_LOST} = 1;
    exec 'unshare', '-m', $^X, $0 or die "unshare: $!";
}

my $conf = <<'CONF';

    init_checks app {
        interval %s;
        timeout 2h;
        latch off;
        fall 1;

        check file %%%%DIR%%%%/never     name=never;
        check file %%%%DIR%%%%/d/marker  name=marker  optional;
        check file %%%%DIR%%%%/d/text    name=text    optional
                   contains=ready;
        check file %%%%DIR%%%%/tree      name=tree    optional  files=1;
    }

    server {
        listen 127.0.0.1:%%%%PORT_8080%%%%;
        location = /init { init_status app details=on; }
    }

CONF

my $polled = sprintf $conf, '20ms 20ms';
my $notified = sprintf $conf, '1h 1h';

my $t = InitGate->new(http => $polled);
my $dir = $t->dir;

sub becomes {
    my ($name, $expected, $label) = @_;

    my $is = '';

    ok($t->wait_for(sub {
        $is = $t->check($name)->{verdict};
        return $is eq $expected;
    }, "$label: $expected"), "$label: $expected") or diag($is);
}

sub reset_files {
    $t->remove('tree');
    $t->remove('d');
    mkdir "$dir/$_" or die "$_: $!" for qw(d tree);
}

# limits; with ASAN, no library can be loaded first

if (!InitGate::is_linked_in()) {
    local $ENV{LD_PRELOAD} = $t->preload('inotify');
    local $ENV{INOTIFY_INSTANCES} = "$dir/instances";
    local $ENV{INOTIFY_WATCHES} = "$dir/watches";

    for (['instances', qr/inotify_init1\(\) failed.*\(24: Too many open files\)/],
         ['watches', qr/inotify_add_watch\(\) failed.*\(28: No space left/])
    {
        my ($limit, $message) = @$_;

        reset_files();
        $t->write($limit);
        $t->run(http => $polled);

        becomes('marker', 'waiting', "no $limit");
        $t->write('d/marker');
        becomes('marker', 'passed', "no $limit, created");
        unlink "$dir/d/marker";
        becomes('marker', 'waiting', "no $limit, deleted");
        $t->write('tree/file');
        becomes('tree', 'passed', "no $limit, tree");
        is($t->log_count(qr/\[warn\] .*$message/), 1, "no $limit: logged once");

        # after a while it is tried again

        $t->remove($limit);
        ok($t->wait_for(sub {
            grep { /inotify/ } map { $t->descriptors($_) } $t->workers
        }, "$limit"), "$limit again: watched") if !$t->hidden;

        $t->quit;
    }
}

# a directory that is removed when it is about to be watched

if (!InitGate::is_linked_in()) {
    local $ENV{LD_PRELOAD} = $t->preload('inotify');
    local $ENV{INOTIFY_REMOVED} = "$dir/d";

    chmod 0777, $dir;

    reset_files();
    $t->run(http => $notified);
    becomes('marker', 'waiting', 'removed before it is watched');
    ok(!-e "$dir/d", 'removed before it is watched: removed');

    # with a file, in one step

    $t->write('n/marker');
    rename "$dir/n", "$dir/d" or die "d: $!";
    becomes('marker', 'passed', 'removed before it is watched, created');
    $t->quit;
    chmod 0755, $dir;
}

# a directory that may be searched and not read

reset_files();
chmod 0711, "$dir/d";
$t->run(http => $polled);
becomes('marker', 'waiting', 'unreadable directory');
$t->write('d/marker');
becomes('marker', 'passed', 'unreadable directory, created');
is($t->log_count(qr/inotify_add_watch.*denied/), 0,
    'unreadable directory: not logged');
$t->quit;

# mounts

SKIP: {
    skip 'no mounts', 1
        if !$ENV{FILE_EVENTS_LOST}
           || system("mount --make-rprivate / && mount -t tmpfs none $dir/d"
                     . " && umount $dir/d") != 0;

    # over the directory: nothing is sent

    reset_files();
    $t->run(http => $polled);
    becomes('marker', 'waiting', 'before a mount');
    mount('-t tmpfs none', 'd');
    $t->write('d/marker');
    becomes('marker', 'passed', 'mounted over the directory');
    $t->quit;
    unmount('d');

    # bind mounts have the same events

    reset_files();
    mount("--bind $dir/d", 'bound');
    $t->run(http => $notified);
    becomes('marker', 'waiting', 'bind mount');
    $t->write('bound/marker');
    becomes('marker', 'passed', 'bind mount: an event');
    $t->quit;
    unmount('bound');

    # a mount that is removed sends an event

    reset_files();
    mount('-t tmpfs none', 'd');
    $t->write('d/marker');
    $t->run(http => $notified);
    becomes('marker', 'passed', 'mounted');
    unmount('d');
    becomes('marker', 'waiting', 'unmounted: an event');
    $t->write('d/marker');
    becomes('marker', 'passed', 'below the mount: an event');
    $t->quit;

    # the upper directory of an overlay is written to

    reset_files();
    mount('-t tmpfs none', 'over');
    mkdir "$dir/over/$_" for qw(l u w);
    $t->write('over/u/text', 'not yet');
    mount("-t overlay none -o lowerdir=$dir/over/l,upperdir=$dir/over/u,"
        . "workdir=$dir/over/w", 'd') or unmount('over'), skip 'no overlay', 1;

    $t->run(http => $polled);
    becomes('text', 'waiting', 'overlay');
    open my $fh, '>', "$dir/over/u/text" or die "text: $!";
    print $fh 'ready';
    close $fh;
    becomes('text', 'passed', 'overlay, written from outside');
    $t->quit;
    unmount('d');
    unmount('over');
}

sub mount {
    my ($what, $name) = @_;

    mkdir $t->path($name);

    return system("mount $what $dir/$name") == 0
        && chmod 0755, $t->path($name);
}

sub unmount { system("umount $dir/$_[0]") == 0 or die "umount $_[0]" }

done_testing;
