#!/usr/bin/perl

# The file check: failed=, a file by which an initializer reports a failure.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;

use utf8;

my $t = InitGate->new(http => <<'CONF');

    init_checks app {
        interval 20ms;
        backoff 20ms;

        check file %%DIR%%/never     name=never;
        check file %%DIR%%/m         name=m       optional
                   failed=%%DIR%%/f;
        check file %%DIR%%/m         name=text    optional  contains=ready
                   failed=%%DIR%%/f  progress=%%DIR%%/p;
        check file %%DIR%%/m         name=boot    optional  newer_than=boot
                   failed=%%DIR%%/f;
        check file %%DIR%%/lock      name=lock    optional  absent
                   failed=%%DIR%%/f;
        check file %%DIR%%/d         name=dir     optional
                   failed=%%DIR%%/d/f;
        check file %%DIR%%/d         name=tree    optional  files=2
                   failed=%%DIR%%/f;
        check file %%DIR%%/m         name=loop    optional
                   failed=%%DIR%%/loop;
        check file %%DIR%%/m         name=under   optional
                   failed=%%DIR%%/m/f;
    }

    init_checks fails {
        interval 20ms;
        check file %%DIR%%/m  failed=%%DIR%%/f;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
        location / { init_gate fails;  empty_gif; }
    }

CONF

my $dir = $t->dir;

mkdir "$dir/d";
symlink 'loop', "$dir/loop";

$t->run;

# nothing reported

verdict($t, 'm', 'waiting missing');
verdict($t, 'lock', 'passed');
verdict($t, 'loop', 'error io', qr{"\Q$dir\E/loop" failed});

# reported: the first line is the message

$t->write('f', "\n  pip: no space left on device\r\nTraceback\n");

my $message = qr/^pip: no space left on device$/;

verdict($t, 'm', 'failed reported', $message);
verdict($t, 'text', 'failed reported', $message);
verdict($t, 'boot', 'failed reported', $message);
verdict($t, 'lock', 'failed reported', $message);
verdict($t, 'tree', 'failed reported', $message);

ok($t->wait_for(sub {
    $t->get('/')->{headers}{'x-init-gate'} eq 'fails; state=failed'
}, 'the failure'), 'reported: gate failed');
is($t->get('/')->{status}, 503, 'reported: refused');
unlike($t->get('/')->{content}, qr/no space/,
    'reported: no message in the response');

# the message is one line of valid text

$t->write('f', "bell \a\x00<b>\xff\xfe \xe2\x82\xac\nnext");
verdict($t, 'm', 'failed reported', qr/^bell +<b>\?\? €$/);

$t->write('f', 'x' x 100000);
verdict($t, 'm', 'failed reported', qr/^x{300,}$/);

$t->write('f', '');
verdict($t, 'm', 'failed reported', qr{^reported by \Q$dir\E/f$});

$t->remove('f');
mkdir "$dir/f";
verdict($t, 'm', 'failed reported', qr{^reported by \Q$dir\E/f$});
rmdir "$dir/f";

# only regular files are opened: open() of a FIFO for writing
# blocks until it is opened for reading

POSIX::mkfifo("$dir/f", 0666);
chmod 0666, "$dir/f";

my $writer = fork // die "fork: $!";

if ($writer == 0) {
    open my $fh, '>', "$dir/f";
    POSIX::_exit(0);
}

verdict($t, 'm', 'failed reported', qr{^reported by \Q$dir\E/f$});
ok($t->alive($writer), 'FIFO: not opened for reading');
kill 'KILL', $writer;
waitpid $writer, 0;
$t->remove('f');

verdict($t, 'm', 'waiting missing');

# the newer one of the two files is used

$t->write('f', 'broken');
$t->write('m', 'ready');
$t->touch('f', time - 10);

verdict($t, 'm', 'passed');
verdict($t, 'text', 'passed');

$t->touch('f', time + 10);

verdict($t, 'm', 'failed reported', qr/^broken$/);
verdict($t, 'text', 'failed reported', qr/^broken$/);

$t->touch('f', my $now = time);
$t->touch('m', $now);
verdict($t, 'm', 'passed');

# a new attempt after the failure, with progress

$t->write('m', 'stopped');
$t->write('p', '5%');
$t->touch('f', $now - 30);
$t->touch('m', $now - 20);
$t->touch('p', $now - 10);
verdict($t, 'text', 'running in_progress', qr/^5%$/);

$t->touch('f', $now - 5);
verdict($t, 'text', 'failed reported');

# a failure from before the start of the host is ignored, like such a marker

$t->touch('f', 1e9);
$t->touch('m', 1e9 - 1);
verdict($t, 'm', 'failed reported');
verdict($t, 'boot', 'waiting stale');

$t->remove('m');
verdict($t, 'm', 'failed reported');
verdict($t, 'boot', 'waiting missing');

# with a tree: as long as the failure file exists

verdict($t, 'tree', 'failed reported');
$t->remove('f');
verdict($t, 'tree', 'waiting too_few');

# in the target directory, whose time it changes

verdict($t, 'dir', 'passed');
open my $fh, '>', "$dir/d/f" or die "f: $!";
print $fh "disk full\n";
close $fh;
$t->touch($_, $now) for 'd', 'd/f';
verdict($t, 'dir', 'failed reported', qr/^disk full$/);
$t->touch('d', $now + 1);
verdict($t, 'dir', 'passed');

# a path below a file does not exist

$t->write('m');
verdict($t, 'under', 'passed');

done_testing;
