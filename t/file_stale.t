#!/usr/bin/perl

# The file check: stale markers, by newer_than= and max_age=.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;

my $t = InitGate->new(http => <<'CONF');

    init_checks app {
        interval 20ms;
        backoff 20ms;

        check file %%DIR%%/never  name=never;
        check file %%DIR%%/m      name=boot    optional  newer_than=boot;
        check file %%DIR%%/m      name=path    optional  newer_than=%%DIR%%/stamp;
        check file %%DIR%%/m      name=prefix  optional  newer_than=./boot;
        check file %%DIR%%/m      name=age     optional  max_age=1h;
        check file %%DIR%%/m      name=short   optional  max_age=200ms;
        check file %%DIR%%/m      name=text    optional  newer_than=boot
                                               contains=ready;
        check file %%DIR%%/d      name=dir     optional  max_age=1h;
        check file %%DIR%%/m      name=loop    optional  newer_than=%%DIR%%/loop;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
    }

CONF

my $dir = $t->dir;

my ($boot) = $t->read('/proc/stat') =~ /^btime (\d+)/m;
my $now = time;

mkdir "$dir/d";
symlink 'loop', "$dir/loop";

$t->run;

verdict($t, 'boot', 'waiting missing', qr/^not there: /);

# written since the host started

$t->write('m', 'ready');

verdict($t, 'boot', 'passed');
verdict($t, 'age', 'passed');
verdict($t, 'text', 'passed');
verdict($t, 'dir', 'passed');

# before the host started, a moment or long ago

$t->touch('m', $boot - 2);
verdict($t, 'boot', 'waiting stale',
    qr/^stale: .*, before the host started 20\S+Z$/);
verdict($t, 'text', 'waiting stale');

$t->touch('m', 0);
verdict($t, 'boot', 'waiting stale', qr/written 1970-01-01T00:00:00Z/);

$t->touch('m', -1e9);
verdict($t, 'boot', 'waiting stale');
verdict($t, 'age', 'waiting too_old');

$t->touch('m', $boot + 2);
verdict($t, 'boot', 'passed');
verdict($t, 'text', 'passed');

# another file to compare with

verdict($t, 'path', 'waiting missing',
    qr{^file to compare with is missing: \Q$dir\E/stamp$});
verdict($t, 'prefix', 'waiting missing', qr{is missing: \Q$dir\E/./boot$});
verdict($t, 'loop', 'error io', qr{^stat\(\) "\Q$dir\E/loop" failed});

$t->write('stamp');
$t->touch('stamp', $now);
$t->touch('m', $now + 1);
verdict($t, 'path', 'passed');

$t->touch('m', $now - 1);
verdict($t, 'path', 'waiting stale',
    qr{, written \S+Z, not after \Q$dir\E/stamp \S+Z$});

# to the nanosecond, and strictly so

sub at {
    my ($name, $time) = @_;

    system('touch', '-d', "\@$time", $t->path($name)) == 0 or die;
}

at('stamp', "$now.000000500");
at('m', "$now.000000500");
verdict($t, 'path', 'waiting stale');
at('m', "$now.000000501");
verdict($t, 'path', 'passed');

# age

$t->touch('m', time - 3500);
verdict($t, 'age', 'passed');

$t->touch('m', time - 3700);
verdict($t, 'age', 'waiting too_old',
    qr{^too old: \Q$dir\E/m, written 20\S+Z$});

# a time in the future, as from the clock of a file server

$t->touch('m', time + 3700);
verdict($t, 'age', 'passed');
verdict($t, 'boot', 'passed');

$t->touch('d', time - 3700);
verdict($t, 'dir', 'waiting too_old');

# a marker that is renewed, and then is not

$t->wait_for(sub {
    $t->write('m');
    return $t->check('short')->{verdict} eq 'passed';
}, 'heartbeat') for 1 .. 2;
ok($t->wait_for(sub { ($t->check('short')->{reason} // '') eq 'too_old' },
    'the age'), 'short, not renewed: too old');

done_testing;
