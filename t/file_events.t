#!/usr/bin/perl

# The file check: events of directories make a probe due at once, long before
# its interval is over.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;

use Time::HiRes qw(sleep);

my $t = InitGate->new(http => <<'CONF');

    init_checks app {
        interval 1h 1h;
        timeout 2h;
        latch off;
        fall 1;

        check file %%DIR%%/never          name=never;
        check file %%DIR%%/d/marker       name=marker    optional
                   failed=%%DIR%%/f/failed  progress=%%DIR%%/p/progress;
        check file %%DIR%%/d/lock         name=lock      optional  absent;
        check file %%DIR%%/d/text         name=text      optional
                   contains=ready;
        check file %%DIR%%/config/ready   name=config    optional;
        check file %%DIR%%/no/such/dir/m  name=deep      optional;
        check file %%DIR%%/dir            name=dir       optional;
        check file %%DIR%%/links/a        name=links     optional;
        check file %%DIR%%/loop/x         name=loop      optional;
        check file %%DIR%%/tree           name=tree      optional
                   files=3  glob=*.json;
        check file %%DIR%%/closed/m       name=closed    optional;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
    }

CONF

my $dir = $t->dir;

# a file whose name ends in .new is not watched: $t->write() uses such ones

mkdir "$dir/$_" or die "$_: $!" for qw(d f p config config/..1 config/..2
    links elsewhere tree tree/sub closed);

symlink '..1', "$dir/config/..data";
symlink '..data/ready', "$dir/config/ready";

symlink 'b/c/../d', "$dir/links/a";
symlink "$dir/elsewhere", "$dir/links/b";
mkdir "$dir/elsewhere/c";
symlink 'loop', "$dir/loop";
chmod 0711, "$dir/closed";

$t->run;

$t->wait_for(sub {
    !grep { !$_->{attempts} } @{$t->gate->{checks}};
}, 'the first probes');

sub becomes {
    my ($name, $expected, $label) = @_;

    my $is = '';

    ok($t->wait_for(sub {
        my $check = $t->check($name);
        $is = join ' ', grep { defined } @$check{qw(verdict reason)};
        return $is eq $expected;
    }, "$label: $expected", 30), "$label: $expected") or diag($is);

    return $t->check($name);
}

# a marker

$t->write('d/marker');
becomes('marker', 'passed', 'renamed into place');
unlink "$dir/d/marker";
becomes('marker', 'waiting missing', 'deleted');
open my $fh, '>', "$dir/d/marker" or die "marker: $!";
becomes('marker', 'passed', 'created');
rename "$dir/d/marker", "$dir/marker";
becomes('marker', 'waiting missing', 'moved away');
link "$dir/marker", "$dir/d/marker";
becomes('marker', 'passed', 'linked');
$t->remove('d/marker');
becomes('marker', 'waiting missing', 'deleted again');

$t->write('d/lock');
becomes('lock', 'waiting present', 'a lock');
unlink "$dir/d/lock";
becomes('lock', 'passed', 'a lock, deleted');

# written in place, and closed

open $fh, '>', "$dir/d/text" or die "text: $!";
becomes('text', 'waiting mismatch', 'no text yet');
print $fh 'ready';
close $fh;
becomes('text', 'passed', 'closed after writing');

# failure and progress

$t->write('p/progress', '7/10');
becomes('marker', 'running in_progress', 'progress');
open $fh, '>', "$dir/p/progress" or die "progress: $!";
print $fh '8/10';
close $fh;
ok($t->wait_for(sub { ($t->check('marker')->{observed} // 0) == 8 },
    'progress 8'), 'progress: written in place');
$t->write('f/failed', 'no space');
becomes('marker', 'failed reported', 'failure');
unlink "$dir/f/failed";
becomes('marker', 'running in_progress', 'failure deleted');

# as a kubelet updates a ConfigMap: ..data becomes another link

becomes('config', 'waiting missing', 'no key in ..1');
$t->write('config/..2/ready');
symlink '..2', "$dir/config/..data_tmp";
rename "$dir/config/..data_tmp", "$dir/config/..data";
becomes('config', 'passed', '..data replaced');
symlink '..1', "$dir/config/..data_tmp";
rename "$dir/config/..data_tmp", "$dir/config/..data";
becomes('config', 'waiting missing', '..data replaced again');

# directories that come later

mkdir "$dir/no";
mkdir "$dir/no/such";
$t->write('no/such/dir/m');
becomes('deep', 'passed', 'directories created');
$t->remove('no');
becomes('deep', 'waiting missing', 'directories deleted');

for (1 .. 20) {
    $t->write('no/such/dir/m');
    becomes('deep', 'passed', "created in no time, $_") or last;
    rename "$dir/no", "$dir/no$_";
    last if !$t->wait_for(sub {
        # two levels above the file: noticed by the probe of another event
        utime undef, undef, "$dir/no$_/such/dir/m";
        return $t->check('deep')->{verdict} eq 'waiting';
    }, "moved away, $_");
}

mkdir "$dir/dir";
becomes('dir', 'passed', 'a directory');
rmdir "$dir/dir";
becomes('dir', 'waiting missing', 'a directory, deleted');

# a directory is replaced

rename "$dir/d", "$dir/d.old";
mkdir "$dir/d";
$t->write('d/lock');
becomes('lock', 'waiting present', 'directory replaced');
$t->remove('d');
becomes('lock', 'passed', 'directory removed');
$t->write('d/lock');
becomes('lock', 'waiting present', 'directory created anew');

# links in the middle, and to nowhere

$t->write('elsewhere/d');
becomes('links', 'passed', 'through links');
unlink "$dir/links/b";
becomes('links', 'waiting missing', 'a link in the middle deleted');
symlink '../elsewhere', "$dir/links/b";
becomes('links', 'passed', 'a link in the middle created');

is($t->check('loop')->{reason}, 'io', 'a loop of links: an error');
unlink "$dir/loop";
becomes('loop', 'waiting missing', 'a loop of links, deleted');
$t->write('loop/x');
becomes('loop', 'passed', 'a directory instead of the loop');

# a tree, of which the first level is watched

$t->write('tree/sub/deep.json');
$t->write("tree/$_.json") for 1, 2;
ok($t->wait_for(sub { $t->check('tree')->{observed} == 3 }, 'tree'),
    'tree: counted again');
becomes('tree', 'passed', 'tree');
unlink "$dir/tree/1.json";
becomes('tree', 'waiting too_few', 'tree, a file deleted');

# names of others are no reason to look

my $before = $t->check('marker')->{attempts};
$t->write("d/other$_") for 1 .. 100;
$t->write('d/lock');
$t->remove('d/lock');
becomes('lock', 'passed', 'after other names');
is($t->check('marker')->{attempts}, $before, 'other names: no probe');

# more events than the queue has room for: looked at all the same

my ($limit) = $t->read('/proc/sys/fs/inotify/max_queued_events') =~ /(\d+)/;

if ($limit && $limit <= 65536) {
    my $prober = $t->gate->{prober}{pid} // $t->prober;

    kill 'STOP', $prober;

    # equal events are merged only if one comes after the other

    for (1 .. $limit / 2 + 10) {
        utime undef, undef, "$dir/d";
        open my $x, '>', "$dir/d/x" . $_ % 2;
    }

    $t->write('d/marker');
    kill 'CONT', $prober;

    becomes('marker', 'passed', 'after an overflow');
    is($t->log_count(qr/queue of inotify events has overflowed/), 1,
        'overflow: logged');
}

# one instance, in one worker

my @with = grep { my $pid = $_; grep { /inotify/ } $t->descriptors($pid) }
    $t->workers;
is(scalar @with, $t->hidden ? 0 : 1, 'inotify: in one worker');

done_testing;
