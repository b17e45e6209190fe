#!/usr/bin/perl

# The file check: files=, the number of regular files in a directory tree.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;

use File::Path qw(make_path);
use Socket;

my $t = InitGate->new(http => <<'CONF');

    init_checks app {
        interval 20ms;
        backoff 20ms;

        check file %%DIR%%/never   name=never;
        check file %%DIR%%/tree    name=tree    optional  files=10;
        check file %%DIR%%/tree    name=json    optional  files=3  glob=*.json;
        check file %%DIR%%/tree    name=any     optional  files=10 glob=*;
        check file %%DIR%%/to      name=to      optional  files=10;
        check file %%DIR%%/deep    name=deep    optional  files=2;
        check file %%DIR%%/others  name=others  optional  files=1;
        check file %%DIR%%/file    name=file    optional  files=1;
        check file %%DIR%%/file/x  name=under   optional  files=1;
        check file %%DIR%%/fifo    name=fifo    optional  files=1;
        check file %%DIR%%/loop    name=loop    optional  files=1;
    }

    init_checks clone {
        interval 20ms;
        check file %%DIR%%/tree  files=10;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
        location = /clone { init_status clone details=on; }
    }

CONF

my $dir = $t->dir;

sub counted {
    my ($name, $expected, $observed, $message) = @_;

    my $check = verdict($t, $name, $expected, $message);

    is($check->{observed}, $observed, "$name: observed");
}

sub create {
    for (@_) {
        open my $fh, '>', "$dir/$_" or die "$_: $!";
    }
}

symlink 'tree', "$dir/to";
symlink 'loop', "$dir/loop";
POSIX::mkfifo("$dir/fifo", 0666);
create('file');

$t->run;

# no tree

counted('tree', 'waiting missing', 0, qr{^not there: \Q$dir\E/tree$});
is($t->check('tree')->{expected}, 10, 'tree: expected');
counted('to', 'waiting missing', 0, qr/\(a dangling symbolic link\)$/);

# filling

make_path("$dir/tree/a/b");
counted('tree', 'waiting too_few', 0, qr{^0 of 10 files in \Q$dir\E/tree$});

create(qw(tree/1.json tree/a/2.txt tree/a/b/3.json tree/a/b/.4.json));
counted('tree', 'waiting too_few', 4, qr{^4 of 10 files});
counted('to', 'waiting too_few', 4, qr{^4 of 10 files});
counted('json', 'waiting too_few', 2,
    qr{^2 of 3 files in \Q$dir\E/tree are named \*\.json$});
counted('any', 'waiting too_few', 3);

ok($t->wait_for(sub {
    abs(($t->json('/clone')->{gates}[0]{progress} // 0) - 0.4) < 0.001
}, 'the progress'), 'progress of the gate: 4 of 10 files');

# only regular files count, and links are not followed

mkdir "$dir/others";
POSIX::mkfifo("$dir/others/fifo", 0666);
symlink '../file', "$dir/others/link";
symlink '../tree', "$dir/others/tree";
symlink '..', "$dir/others/up";
symlink 'nowhere', "$dir/others/nowhere";
socket my $socket, PF_UNIX, SOCK_STREAM, 0;
bind $socket, pack_sockaddr_un("$dir/others/socket");

counted('others', 'waiting too_few', 0, qr/^0 of 1 files/);

# enough: where counting stopped

create(map { "tree/a/b/$_" } 5 .. 30);

counted('tree', 'passed', 10, qr/^$/);
counted('to', 'passed', 10);
counted('any', 'passed', 10);
counted('json', 'waiting too_few', 2);

create('tree/a/5.json');
counted('json', 'passed', 3);

ok($t->wait_for(sub { $t->json('/clone')->{ready} }, 'the gate to open'),
    'enough files: ready');

# deeper than the limit

my $deep = join '/', 'deep', (1 .. 63);

make_path("$dir/$deep/64/65");
create("$deep/x", "$deep/64/y");
counted('deep', 'waiting too_few', 1,
    qr/; directories below level 64 are not counted$/);

create('deep/2');
counted('deep', 'passed', 2);

# not a directory

verdict($t, 'file', 'waiting wrong_type',
    qr{^a directory is needed, but this is a file: \Q$dir\E/file$});
verdict($t, 'fifo', 'waiting wrong_type', qr/this is a FIFO/);
verdict($t, 'under', 'waiting missing', qr/\(20: Not a directory\)$/);
verdict($t, 'loop', 'error io', qr{^open\(\) "\Q$dir\E/loop" failed \(40:});

# directories come and go while they are counted

my %seen;

for my $i (1 .. 50) {
    make_path(map { "$dir/tree/$i/$_" } 1 .. 20);
    $t->remove("tree/$i");
    $seen{$t->check('tree')->{verdict}} = 1;
}

is_deeply([keys %seen], ['passed'],
    'directories removed while counting: passed');

# the tree is removed

$t->remove('tree');
counted('tree', 'waiting missing', 0);

# no directory is open between two probes

my $worker = $t->prober;

SKIP: {
    skip $t->hidden, 1 if $t->hidden;
    ok($t->wait_for(sub {
        !grep { m{^\Q$dir\E/(?:deep|others)} } $t->descriptors($worker)
    }, 'directories to be closed'), 'between probes: no open directory');
}

done_testing;
