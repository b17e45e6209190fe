#!/usr/bin/perl

# Everything at once, under load: gates open and close, PostgreSQL and Redis
# are restarted, the same and changed configurations are reloaded, workers are
# killed, and clients leave while their requests are held.  At the end
# the same resources are in use as at the beginning, and every request is
# counted.
#
# TEST_NGINX_SOAK is the duration in seconds (tools/soak MINUTES).

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;
use InitGate::Postgres 'psql';
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time sleep);

my $seconds = $ENV{TEST_NGINX_SOAK} // 8;
my @gates = qw(app held data);
my @decisions = qw(passed held_passed held_refused refused gone);

# a log at debug level would be too large after an hour

my $t = InitGate->new(workers => 2, level => 'notice');
my $pg = $t->postgres;
my $redis = $t->redis;
my $db = 'host=127.0.0.1 user=postgres dbname=test port=' . $pg->port;
my $cache = $redis->port;
my $http = InitGate::Fake->http(200)->port;

psql($pg, 'CREATE TABLE items ()');

sub http {
    my ($changed) = @_;

    my $more = $changed ? "check file %%DIR%%/base  name=c$changed;" : '';
    my $gate = $changed && $changed % 2 ? "init_checks g$changed {
        check file %%DIR%%/none; check http http://127.0.0.1:$http/; }" : '';

    return InitGate::Load::LOG . <<"CONF";
    init_checks app {
        check file %%DIR%%/app;
        check http http://127.0.0.1:$http/  optional;
        $more
        interval 20ms 20ms;  latch off;  fall 1;
    }
    init_checks held {
        check file %%DIR%%/held;
        interval 20ms 20ms;  latch off;  fall 1;
    }
    init_checks data {
        check postgres "$db"  tables=items;
        check postgres "$db"  name=again "query=select 1"  after=postgres;
        check redis redis://127.0.0.1:$cache  key=warm;
        check tcp 127.0.0.1:$cache;
        interval 50ms 50ms;  timeout 1s;  backoff 200ms;  latch off;  fall 2;
    }
    $gate

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        keepalive_requests 200;
        location / { init_gate app;  empty_gif; }
        location = /held { init_gate held;  init_hold 2s;  empty_gif; }
        location = /data { init_gate data;  init_hold 100ms;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
        location = /ready { init_ready app held data;  access_log off; }
    }
CONF
}

sub gates { map { $_->{gate} => $_ } $t->gates }


# the resources in use while all gates are open and nothing changes

sub at_rest {
    my ($name) = @_;

    $t->write($_) for qw(app held);
    $redis->client->set(warm => 1);
    $t->wait_for(sub { $t->get('/ready')->{status} == 200 }, "open: $name", 30);

    # old workers exit after their last request

    $t->wait_for(sub {
        2 == grep { $_->{parent} == $t->master } $t->processes;
    }, "two workers: $name");

    $t->wait_for(sub {
        my %gate = gates();
        my $held = 0;
        $held += $gate{$_}{held} for @gates;
        $held == 0;
    }, "no held requests: $name");

    # a probe has one more for a moment; one of a client may be closing

    my @pids = $t->workers;
    my $before = switches(@pids);
    my $descriptors = 1e9;

    my $begun = time;

    for (1 .. 100) {
        my $now = map { $t->descriptors($_) } @pids;
        $descriptors = $now if $now < $descriptors;
        sleep 0.01;
    }

    my %is = (
        wakeups => (switches(@pids) - $before) / (time - $begun),
        descriptors => $descriptors,
        memory => sum(map { $t->memory($_) } @pids),
        master => $t->memory($t->master),
        master_descriptors => scalar($t->descriptors($t->master)),
        zones => scalar(() = $t->read('/proc/' . $t->master . '/maps')
            =~ m{/dev/zero}g),
    );

    note("$name: ", join ', ', map { "$_ $is{$_}" } sort keys %is);

    return \%is;
}

sub sum { my $sum = 0; $sum += $_ for @_; $sum }

sub switches {
    return sum(map { $t->read("/proc/$_/status")
        =~ /^voluntary_ctxt_switches:\s+(\d+)/m } @_);
}


# clients that close their connections

sub leavers {
    my $parent = $$;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;

    my $stop;
    local $SIG{TERM} = sub { $stop = 1 };

    until ($stop || getppid != $parent) {
        my $socket = IO::Socket::INET->new(
            PeerAddr => '127.0.0.1:' . $t->port) or sleep(0.01) && next;
        my $uri = (qw(/held /data /))[rand 3];

        syswrite $socket, "GET $uri HTTP/1.1\r\nHost: a\r\n\r\n";
        sleep rand 0.05;
        setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0
            if rand() < 0.5;
        close $socket;
    }

    POSIX::_exit(0);
}

my %did;

sub happens {
    my (%may) = @_;

    my $what = rand;
    my $did;

    if ($what < 0.75) {
        my $file = (qw(app held))[rand 2];
        -e $t->path($file) ? $t->remove($file) : $t->write($file);
        $did = 'flips';

    } elsif ($what < 0.83) {
        $did = 'same' if $may{reload} && $t->reload;

    } elsif ($what < 0.90) {
        $did = 'changed' if $may{reload}
            && $t->reload(http => http(1 + int rand 8));

    } elsif ($what < 0.96) {
        if ($may{kill}) {
            my @pids = $t->workers;
            $t->signal('KILL', $pids[rand @pids]);
            $did = 'kills';
        }

    } elsif ($what < 0.98) {
        $redis->stop;
        $t->wait_for(sub { !$t->get('/ready')->{success} }, 'no Redis');
        $redis->run;
        $redis->client->set(warm => 1);
        $did = 'Redis restarts';

    } elsif ($what < 0.99) {
        $pg->stop;
        $t->wait_for(sub { !$t->get('/ready')->{success} }, 'no PostgreSQL');
        $pg->start;
        $did = 'PostgreSQL restarts';

    } else {
        psql($pg, 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity'
            . " WHERE application_name = 'nginx-init-gate'");
        $did = 'terminations';
    }

    $did{$did}++ if $did;
    sleep rand 0.1;
}

sub difference {
    my ($gate) = @_;

    my ($counters, $logged) = (counters($t, $gate), logged($t, $gate));

    return { map { $_ => $counters->{$_} - $logged->{$_} } @decisions };
}


my $clients = 0;

sub phase {
    my ($name, $length, %may) = @_;

    my @loads = map {
        my ($uri, $n, $keepalive) = @$_;
        $clients += $n;
        InitGate::Load->new($t, uri => $uri, clients => $n, pause => 0.01,
            keepalive => $keepalive);
    } ['/', 2, 1], ['/held', 3, 1], ['/data', 2, 0];

    my $leavers = leavers();
    my $end = time + $length;

    happens(%may) while time < $end;

    my %count;
    kill 'TERM', $leavers;
    waitpid $leavers, 0;

    # held requests get responses
    $t->write($_) for qw(app held);

    for my $load (@loads) {
        my %of = $load->stop->counts;
        $count{$_} += $of{$_} for keys %of;
    }

    note("$name: ", join ', ', map { "$_: $count{$_}" } sort keys %count);

    return \%count;
}


$t->write('base');
$t->write($_) for qw(app held);
$t->run(http => http(0));

# margin for allocations that are made once

phase('warming up', 2, reload => 1);
$t->reload(http => http(0));
my $begin = at_rest('in the beginning');
my %before = map { $_ => difference($_) } @gates;
%did = ();

my $counts = phase('with kills', $seconds * 0.6, reload => 1, kill => 1);
my $kills = delete $did{kills} // 0;
$t->allow(qr/exited on signal 9/);
note("kills $kills");

my $lost = delete($counts->{lost}) // 0;
is(join(' ', grep { !/^(?:200|503)$/ } keys %$counts), '',
    'with kills: no other results');
cmp_ok($lost, '<=', $kills * 8,
    "with kills: lost only in killed workers: $lost");

$t->reload(http => http(0));
at_rest('after kills');

for my $gate (@gates) {
    my $now = difference($gate);
    my $off = sum(map { abs $now->{$_} - $before{$gate}{$_} } @decisions);
    cmp_ok($off, '<=', $kills * 20,
        "$gate, with kills: counted and logged except in killed workers: $off");
    $before{$gate} = $now;
}

# without kills, every request is logged

$counts = phase('without', $seconds * 0.4, reload => 1);
is(join(' ', grep { !/^(?:200|503)$/ } keys %$counts), '',
    'without kills: no other results');

$t->reload(http => http(0));
my $fresh = at_rest('after reloads');

for my $gate (@gates) {
    my $now;
    $t->wait_for(sub {
        $now = difference($gate);
        return !grep { $now->{$_} != $before{$gate}{$_} } @decisions;
    }, "$gate: the counters to equal the log", 3)
        or diag(explain([$before{$gate}, $now]));
}

# in the same processes

phase('without reloads', $seconds * 0.3);
my $end;

# a check may connect again in the meantime

for (1 .. 5) {
    $end = at_rest('in the end');
    last if $end->{descriptors} == $begin->{descriptors};
}

note(join ', ', map { "$_ $did{$_}" } sort keys %did);
ok($did{flips}, 'gates: opened and closed');

is($end->{$_}, $begin->{$_}, "$_: as at the begin")
    for qw(master_descriptors zones);

SKIP: {
    skip $t->hidden, 1 if $t->hidden;
    is($end->{descriptors}, $begin->{descriptors},
        'descriptors: as at the begin');
}

cmp_ok($end->{wakeups}, '<=', $begin->{wakeups} * 1.5 + 20,
    'wakeups: as at the begin');

SKIP: {
    skip 'memory is counted otherwise', 2 if !$t->memory_counts;
    cmp_ok($end->{memory}, '<=', $fresh->{memory} + 2048,
        'memory of the workers: as after reloads');
    cmp_ok($end->{master}, '<=', $begin->{master} + 2048,
        'memory of the master: as at the begin');
}

$t->{quit} = 10;

done_testing;
