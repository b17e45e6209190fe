#!/usr/bin/perl

# The file check: failed=, by which an initialiser reports that it failed.

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

sub touch {
    my ($name, $time) = @_;

    utime $time, $time, $t->path($name) or die "$name: $!";
}

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
}, 'failure'), 'the gate fails');
is($t->get('/')->{status}, 503, 'nothing is let through');
unlike($t->get('/')->{content}, qr/no space/, 'and strangers are not told why');

# whatever it says, it is one line of text

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

# and is not opened if it is no file: the kernel lets a writer wait until there
# is, or was, a reader

POSIX::mkfifo("$dir/f", 0666);
chmod 0666, "$dir/f";

my $writer = fork // die "fork: $!";

if ($writer == 0) {
    open my $fh, '>', "$dir/f";
    POSIX::_exit(0);
}

verdict($t, 'm', 'failed reported', qr{^reported by \Q$dir\E/f$});
ok($t->alive($writer), 'nobody has opened it to read');
kill 'KILL', $writer;
waitpid $writer, 0;
$t->remove('f');

verdict($t, 'm', 'waiting missing');

# the newer one of the two counts

$t->write('f', 'broken');
$t->write('m', 'ready');
touch('f', time - 10);

verdict($t, 'm', 'passed');
verdict($t, 'text', 'passed');

touch('f', time + 10);

verdict($t, 'm', 'failed reported', qr/^broken$/);
verdict($t, 'text', 'failed reported', qr/^broken$/);

touch('f', my $now = time);
touch('m', $now);
verdict($t, 'm', 'passed');

# a trial that goes on after the failure, and shows its progress

$t->write('m', 'stopped');
$t->write('p', '5%');
touch('f', $now - 30);
touch('m', $now - 20);
touch('p', $now - 10);
verdict($t, 'text', 'running in_progress', qr/^5%$/);

touch('f', $now - 5);
verdict($t, 'text', 'failed reported');

# a failure before the host started is no more news than a marker then

touch('f', 1e9);
touch('m', 1e9 - 1);
verdict($t, 'm', 'failed reported');
verdict($t, 'boot', 'waiting stale');

$t->remove('m');
verdict($t, 'm', 'failed reported');
verdict($t, 'boot', 'waiting missing');

# with a tree, for as long as it is there

verdict($t, 'tree', 'failed reported');
$t->remove('f');
verdict($t, 'tree', 'waiting too_few');

# in the very directory that is awaited, whose time it sets

verdict($t, 'dir', 'passed');
open my $fh, '>', "$dir/d/f" or die "f: $!";
print $fh "disk full\n";
close $fh;
touch($_, $now) for 'd', 'd/f';
verdict($t, 'dir', 'failed reported', qr/^disk full$/);
touch('d', $now + 1);
verdict($t, 'dir', 'passed');

# a path through a file leads nowhere

$t->write('m');
verdict($t, 'under', 'passed');

done_testing;
