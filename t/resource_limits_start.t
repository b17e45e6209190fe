#!/usr/bin/perl

# What is not to be had at the start and at a reload: shared memory, a log
# that can be written; and nothing to write to at all.  Each is told in one
# line, and an nginx that runs goes on as it was.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new(workers => 1);

sub conf {
    my ($name) = @_;

    # enough for its zone to be larger than what nginx needs besides
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

sub gate { $t->json('/init')->{gates}[0] }

sub limit {
    my ($pid, $bytes) = @_;

    system('prlimit', "--pid=$pid", "--as=$bytes:") && die 'prlimit failed';
}

# KiB

sub virtual { $t->read("/proc/$_[0]/status") =~ /^VmSize:\s+(\d+)/m and $1 }

$t->write('app');


# no shared memory at the start

SKIP: {
    skip 'sanitizers and valgrind need all there is', 9
        if InitGate::is_linked_in() || $ENV{TEST_NGINX_VALGRIND};

    $t->run(http => conf('a'));
    $t->wait_for(sub { gate()->{ready} }, 'the gate to open');
    my $first = gate();
    my $size = virtual($t->master);
    my $refused = qr/mmap\(MAP_ANON\|MAP_SHARED, \d+\) failed/;

    # nor at a reload: the old one goes on

    $t->allow($refused);
    limit($t->master, 1024 * ($size + 4096));
    $t->conf(http => conf('b'));
    $t->signal('HUP');
    $t->wait_log($refused);
    is($t->get('/')->{status}, 200, 'no shared memory for a reload: open');
    is_deeply([@{gate()}{qw(state started_at history)}],
        [@$first{qw(state started_at history)}], 'the gate is as it was');

    limit($t->master, 'unlimited');
    ok($t->reload, 'and once there is, it is reloaded');
    is_deeply([@{gate()}{qw(state started_at)}],
        [@$first{qw(state started_at)}], 'with the gate as it was');
    $t->quit;

    my ($status, $said) = do {
        $t->conf(http => conf('a'));
        my $limit = $size - 4096;
        my $command = join ' ', $t->command;
        my $said = `ulimit -v $limit; $command 2>&1`;
        ($? >> 8, $said);
    };

    is($status, 1, 'no shared memory at the start');
    like($said, $refused, 'and why');
}


# a log that cannot be written

$t->run(http => conf('a'));
$t->wait_for(sub { gate()->{ready} }, 'the gate to open');
my $first = gate();
my $denied = qr{open\(\) "\S+/none/error\.log" failed \(2: No such};

$t->allow($denied);
$t->conf(http => 'error_log %%DIR%%/none/error.log;' . conf('a'));
$t->signal('HUP');
$t->wait_log($denied);
is($t->get('/')->{status}, 200, 'no log for a reload: open');
is_deeply([@{gate()}{qw(state started_at history)}],
    [@$first{qw(state started_at history)}], 'the gate is as it was');
$t->quit;


# nothing to write to but the log and the pid file, which are elsewhere

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

    $t->wait_for(sub { $t->get('/')->{status} == 503 }, 'closed');
    is(gate()->{state}, 'initializing', 'a read-only file system: closed');

    # it is read-only for nginx alone
    $t->write('app');
    $t->wait_for(sub { $t->get('/')->{status} == 200 }, 'open');
    is(gate()->{state}, 'ready', 'and open');

    kill 'QUIT', $pid;
    waitpid $pid, 0;
    is($?, 0, 'and it ends');
    unlike($t->read($log), qr/\[(?:alert|crit|emerg)\]/, 'no alerts');
}

done_testing;
