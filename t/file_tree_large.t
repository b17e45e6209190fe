#!/usr/bin/perl

# The file check: counting 100,000 files does not delay requests, and is
# continued by the next probe if it takes longer than the timeout.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;

use File::Temp qw(tempdir);
use List::Util qw(min);
use Time::HiRes qw(time);

my $t = InitGate->new(workers => 1, http => <<'CONF');

    keepalive_requests 100000;

    init_checks app {
        interval 10ms;
        timeout 10m;

        check file %%DIR%%/never  name=never;
        check file %%DIR%%/tree   name=full   optional  files=100000;
        check file %%DIR%%/tree   name=more   optional  files=100001;
        check file %%DIR%%/tree   name=short  optional  files=100001
                                              timeout=SHORT;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { empty_gif; }
        location = /init { init_status app details=on; }
    }

CONF

# in memory if possible: the disk is not measured

my $dir = tempdir('init-gate-XXXXXX', CLEANUP => 1,
    -w '/dev/shm' ? (DIR => '/dev/shm') : (TMPDIR => 1));
chmod 0755, $dir;

for my $i (1 .. 100) {
    mkdir "$dir/$i";

    for my $j (1 .. 1000) {
        open my $fh, '>', "$dir/$i/$j" or die "$dir/$i/$j: $!";
    }
}

my $tree = $t->path('tree');

# The 95th percentile of the duration of a request, in milliseconds of the CPU
# time of the worker, so that the load of the machine hardly matters, and by
# the clock.

sub waits {
    my ($worker, $n) = @_;

    my $socket = $t->connect;
    my (@work, @clock);

    for (1 .. $n) {
        my ($start, $before) = (time, spent($worker));

        $socket->syswrite("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        sysread $socket, my $answer, 4096 or last;

        push @clock, 1000 * (time - $start);
        push @work, spent($worker) - $before;
    }

    return map { (sort { $b <=> $a } @$_)[$n / 20] } \@work, \@clock;
}

sub spent {
    my ($pid) = @_;

    return (split ' ', $t->read("/proc/$pid/schedstat"))[0] / 1e6;
}

my $http = $t->{http};

$t->run(http => $http =~ s/SHORT/10m/r);

my $worker = $t->prober;
my (undef, $quiet) = waits($worker, 300);

symlink $dir, $tree or die "$tree: $!";

verdict($t, 'full', 'passed');
my $check = verdict($t, 'more', 'waiting too_few',
    qr{^100000 of 100001 files in \Q$tree\E$});
cmp_ok($check->{duration_ms}, '>', 5, 'more: counting takes longer than 5 ms');

my $before = $t->check('more')->{attempts};
my ($work, $time) = waits($worker, 400);

cmp_ok($t->check('more')->{attempts}, '>', $before,
    'more: counted during the requests');
cmp_ok($work, '<', patience(10), 'requests while counting: not delayed');

diag(sprintf "one in twenty: %.1f ms, %.1f ms of work; %.1f ms when quiet",
    $time, $work, $quiet);

# longer than the timeout: no timeout, and all files in the end.  A probe stops
# when a quarter of its time is left, which a busy machine may take from it.

my $timeout = int($check->{duration_ms} / 4) + 10;
$t->reload(http => $http =~ s/SHORT/${timeout}ms/r);
note("timeout: $timeout ms");

my $clock = $t->clock;
my %seen;

ok($t->wait_for(sub {
    my $check = $t->check('short');

    $seen{join ' ', grep { defined } @$check{qw(verdict reason)}} = 1;
    $seen{going} = 1
        if ($check->{message} // '') =~ /^\d+ of 100001 .*still counting$/;

    return $seen{going} && ($check->{observed} // 0) == 100000;
}, 'all to be counted'), 'short: all files counted in several probes');

delete @seen{'waiting too_few', 'pending', 'going'};
delete $seen{'error timeout'} if $clock->delay > $timeout / 4000;
is_deeply(\%seen, {}, 'short: no other verdicts');

# the last complete count is shown during the next one

my $lowest = 100000;

for (1 .. 50) {
    my $check = $t->check('short');
    $lowest = min($lowest, $check->{observed})
        if $check->{verdict} eq 'waiting' || $clock->delay <= $timeout / 4000;
}

is($lowest, 100000, 'short: observed does not fall');

# the harness tests that QUIT while counting is quick

done_testing;
