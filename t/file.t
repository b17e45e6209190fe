#!/usr/bin/perl

# The file check: a marker that exists, that does not, and that cannot be read.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;

use Socket;

my $t = InitGate->new(http => <<'CONF');

    init_checks app {
        interval 20ms;
        backoff 20ms;

        check file %%DIR%%/d/marker     name=never   after=last;
        check file %%DIR%%/d/marker     name=marker  optional;
        check file %%DIR%%/d            name=dir     optional;
        check file d/marker             name=prefix  optional;
        check file %%DIR%%/d/marker/    name=slash   optional;
        check file %%DIR%%/d/marker/in  name=under   optional;
        check file %%DIR%%/to           name=to      optional;
        check file %%DIR%%/loop         name=loop    optional;
        check file %%DIR%%/fifo         name=fifo    optional;
        check file %%DIR%%/socket       name=socket  optional;
        check file /dev/null            name=device  optional;
        check file %%DIR%%/d/lock       name=gone    optional  absent;
        check file %%DIR%%/no/lock      name=no_dir  optional  absent;
        check file %%DIR%%/none         name=last;
    }

    init_checks plain {
        interval 20ms;
        check file %%DIR%%/plain;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;

        location / { init_gate plain;  empty_gif; }
        location = /init { init_status app details=on; }
    }

CONF

my $dir = $t->dir;

mkdir "$dir/d";
symlink 'd/marker', "$dir/to";
symlink 'loop', "$dir/loop";
POSIX::mkfifo("$dir/fifo", 0644);
socket my $socket, PF_UNIX, SOCK_STREAM, 0;
bind $socket, pack_sockaddr_un("$dir/socket");

$t->run;

# the most common gate: one check of a file

is($t->get('/')->{status}, 503, 'no marker: refused');
$t->write('plain');
ok($t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the gate to open'),
    'marker: served');

# missing

verdict($t, 'marker', 'waiting missing', qr{^not there: \Q$dir/d/marker\E$});
verdict($t, 'prefix', 'waiting missing', qr{^not there: \Q$dir/d/marker\E$});
verdict($t, 'to', 'waiting missing', qr{/to \(a dangling symbolic link\)$});
verdict($t, 'under', 'waiting missing');
verdict($t, 'gone', 'passed');
verdict($t, 'no_dir', 'passed');

# anything that exists passes, a pipe or a device as well

verdict($t, 'dir', 'passed');
verdict($t, 'fifo', 'passed');
verdict($t, 'socket', 'passed');
verdict($t, 'device', 'passed');

# created

$t->write('d/marker');

verdict($t, 'marker', 'passed', qr/^$/);
verdict($t, 'prefix', 'passed');
verdict($t, 'to', 'passed');
verdict($t, 'slash', 'waiting missing', qr/\(20: Not a directory\)$/);
verdict($t, 'under', 'waiting missing', qr/\(20: Not a directory\)$/);

$t->write('d/lock');
verdict($t, 'gone', 'waiting present', qr{^still there: \Q$dir/d/lock\E$});

# cannot be read

verdict($t, 'loop', 'error io', qr/^stat\(\) .*\(40: Too many levels/);

# no numbers where nothing is counted

my $check = $t->check('marker');
is($check->{observed}, undef, 'marker: no "observed"');
is($check->{expected}, undef, 'marker: no "expected"');

# the directory is removed

$t->remove('d');

verdict($t, 'marker', 'waiting missing', qr/^not there/);
verdict($t, 'dir', 'waiting missing');
verdict($t, 'gone', 'passed');

done_testing;
