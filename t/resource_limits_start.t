#!/usr/bin/perl

# Resources that are missing at the start and at a reload: shared memory, a
# writable log; and a read-only file system.  Each is logged in one line, and a
# running nginx continues.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new(workers => 1);

sub conf {
    my ($name) = @_;

    # enough for the zone to be larger than what nginx needs otherwise
    my $checks = join "\n", map { "check file %%DIR%%/app name=$name$_;" }
        1 .. 5000;

    return <<"CONF";
    init_checks app { check file %%DIR%%/app;  interval 50ms; }
    init_checks many { $checks }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status app details=on; }
    }
CONF
}

sub limit {
    my ($pid, $bytes) = @_;

    system('prlimit', "--pid=$pid", "--as=$bytes:") && die 'prlimit failed';
}

# KiB

sub virtual { $t->read("/proc/$_[0]/status") =~ /^VmSize:\s+(\d+)/m and $1 }

$t->write('app');


# no shared memory at the start

SKIP: {
    skip 'sanitizers and valgrind need too much address space', 9
        if InitGate::is_linked_in() || $ENV{TEST_NGINX_VALGRIND};

    $t->run(http => conf('a'));
    $t->wait_ready;
    my $first = $t->gate;
    my $size = virtual($t->master);
    my $refused = qr/mmap\(MAP_ANON\|MAP_SHARED, \d+\) failed/;

    # at a reload the old configuration stays

    $t->allow($refused);
    limit($t->master, 1024 * ($size + 8192));
    $t->conf(http => conf('b'));
    $t->signal('HUP');
    $t->wait_log($refused);
    is($t->get('/')->{status}, 200, 'reload without shared memory: gate open');
    is_deeply([@{$t->gate()}{qw(state started_at history)}],
        [@$first{qw(state started_at history)}],
            'reload without shared memory: gate unchanged');

    limit($t->master, 'unlimited');
    ok($t->reload, 'shared memory available again: reload succeeds');
    is_deeply([@{$t->gate()}{qw(state started_at)}],
        [@$first{qw(state started_at)}],
            'reload with shared memory again: gate unchanged');
    $t->quit;

    my ($status, $said) = do {
        $t->conf(http => conf('a'));
        my $limit = $size - 4096;
        my $command = join ' ', $t->command;
        my $said = `ulimit -v $limit; $command 2>&1`;
        ($? >> 8, $said);
    };

    is($status, 1, 'start without shared memory: exit status 1');
    like($said, $refused, 'start without shared memory: message');
}


# a log that cannot be written

$t->run(http => conf('a'));
$t->wait_ready;
my $first = $t->gate;
my $denied = qr{open\(\) "\S+/none/error\.log" failed \(2: No such};

$t->allow($denied);
$t->conf(http => 'error_log %%DIR%%/none/error.log;' . conf('a'));
$t->signal('HUP');
$t->wait_log($denied);
is($t->get('/')->{status}, 200, 'reload without a log: gate open');
is_deeply([@{$t->gate()}{qw(state started_at history)}],
    [@$first{qw(state started_at history)}],
        'reload without a log: gate unchanged');
$t->quit;


# a read-only file system, except for the log and the pid file

SKIP: {
    my $dir = $t->dir;
    my $mount = "mount --bind $dir $dir && mount -o remount,bind,ro $dir";

    skip 'no mount namespaces here', 4
        if system("unshare -m sh -c '$mount' 2>/dev/null");

    my $elsewhere = InitGate->new;
    my $log = $elsewhere->path('log');
    my @files = ("pid $elsewhere->{dir}/pid;", 'error_log stderr notice;');

    $t->remove('app');
    $t->conf(http => conf('a'), main => 'daemon off;');
    $t->write('nginx.conf', $t->read('nginx.conf')
        =~ s/^pid .*$/$files[0]/mr =~ s/^error_log .*$/$files[1]/mr);

    my $command = join ' ', $t->binary, '-p', "$dir/", '-c', 'nginx.conf',
        '-e', 'stderr';
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        no warnings;
        exec 'unshare', '-m', 'sh', '-c', "$mount && exec $command 2>$log";
        POSIX::_exit(127);
    }

    $t->wait_for(sub { $t->get('/')->{status} == 503 },
        'the gate to be closed');
    is($t->gate->{state}, 'initializing',
        'read-only file system, no marker: initializing');

    # it is read-only only for nginx
    $t->write('app');
    $t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the gate to open');
    is($t->gate->{state}, 'ready', 'read-only file system, marker: ready');

    kill 'QUIT', $pid;
    waitpid $pid, 0;
    is($?, 0, 'read-only file system, QUIT: exit status 0');
    unlike($t->read($log), qr/\[(?:alert|crit|emerg)\]/,
        'read-only file system: no alerts');
}

done_testing;
