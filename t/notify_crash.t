#!/usr/bin/perl

# The worker that probes, and has received a notice or an order, is killed before
# each of its system calls: the old one is in force, or the new one, everywhere,
# and the new one if it was answered.  So it is with the file of store=.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Strace;
use InitGate::Witness;
use IO::Select;

plan_traced();

$SIG{PIPE} = 'IGNORE';

plan(skip_all => 'other system calls') if InitGate::is_linked_in();

my $t = InitGate->new(workers => 2, level => 'notice',
    main => $> ? '' : 'user root;', http => <<'CONF');
    init_checks app { check notify import;  latch off;  interval 1h; }
    init_checks kept { check notify import  store=%%DIR%%/store/import;  interval 1h; }
    server {
        listen 127.0.0.1:%%PORT_8080%% reuseport;
        access_log off;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
        location /notify/ { init_notify token_file=%%DIR%%/token; }
        location /control/ { init_control token_file=%%DIR%%/token; }
        location = /worker { add_header X-Worker $pid;  empty_gif; }
    }
CONF

$t->allow(qr/exited on signal 9/);
mkdir $t->path('store');
$t->write('token', 's3cret-token');
$t->run;

# all but waiting for events

my @trace = ('-e', 'trace=!epoll_wait');

# sends it to the prober, which is traced; returns the status, or 0, and whether
# the prober lives

sub received {
    my ($uri, @options) = @_;

    my $prober = $t->prober;
    my $socket = {worker_sockets($t, '/worker')}->{$prober};
    my $status;

    injected($t, \@options, sub {
        $socket->syswrite(head('POST', $uri, 's3cret-token'));
        $status = status($socket);

        # it may be killed after the answer

        $socket->syswrite(head('GET', '/worker')) if $status;
        $t->wait_for(sub { !$t->alive($prober) }, 'an end')
            if !$status || !status($socket);
    });

    return ($status, $t->alive($prober));
}

sub settled {
    my ($killed) = @_;

    $t->wait_for(sub {
        my $prober = $t->gate('app')->{prober}{pid};
        return $prober && $prober != $killed && $t->workers == 2;
    }, 'another prober');
}

# statuses of requests in each worker

sub everywhere {
    my %worker = worker_sockets($t, '/worker');

    return join ' ', map {
        my $socket = $worker{$_};
        $socket->syswrite(head('GET', '/'));
        status($socket);
    } keys %worker;
}

sub post { $t->post($_[0], headers => { Authorization => 'Bearer s3cret-token' })->{status} }

# the system calls of one that is received, each as its name and the number of
# calls by that name so far

sub calls {
    my ($uri) = @_;

    received($uri, @trace);

    my %count;

    return map { [$_, ++$count{$_}] } $t->read('strace') =~ /^(\w+)\(/mg;
}

# each one is the opposite of the one before; the text is its number

sub turns {
    my ($kind, $uri, $look) = @_;

    my ($n, $killed) = (0, 0);
    my %seen;

    my @calls = calls($uri->($n));
    is($look->()->[0], $n, "$kind: in force");
    cmp_ok(scalar @calls, '>', 5, "$kind: there are system calls");

    for my $call (@calls) {
        my ($name, $count) = @$call;
        my $before = $n++;
        my $prober = $t->prober;
        my ($status, $alive) = received($uri->($n), @trace, '-e',
            "inject=$name:signal=KILL:when=$count");

        settled($prober) if !$alive;
        $killed += !$alive;

        my ($is, $open) = @{$look->()};
        my $want = $open ? 200 : 503;
        my $label = "$kind, killed before call $count of $name";

        ok($is == $n || ($is == $before && $status != 204),
            "$label: the old one or the new one") or diag("$is, $status");
        is(everywhere(), "$want $want", "$label: the same everywhere");
        $seen{$is == $n ? 'new' : 'old'}++;

        # others can be received

        is(post($uri->(++$n)), 204, "$label: the next one: 204");
        is($look->()->[0], $n, "$label: the next one is in force");
    }

    note("$kind: $killed times killed, $seen{new} times the new one");
    cmp_ok($killed, '>', @calls / 3, "$kind: the prober was killed");
    is_deeply([sort keys %seen], ['new', 'old'], "$kind: both were seen");
}

turns('notice', sub {
    return '/notify/app/import?observed=' . $_[0] . '&verdict='
        . ($_[0] % 2 ? 'passed' : 'running');
}, sub {
    my $check = $t->check('import', 'app');
    return [$check->{observed} // -1, $check->{verdict} eq 'passed'];
});

turns('order', sub {
    return '/control/app?for=1h&reason=' . $_[0] . '&action='
        . ($_[0] % 2 ? 'open' : 'close');
}, sub {
    my $override = ($t->gate('app')->{overrides} // [])->[0] // {};
    return [$override->{reason} // -1, ($override->{action} // '') eq 'open'];
});

# the file of store=: only the prober runs, until it is killed

sub file { ($t->read('store/import') =~ /\n(?:running (\d+) - \d+ )\n\z/)[0] // 'none' }

my @file = ('-P', $t->path('store/import'), '-P', $t->path('store/import.new'));
my ($before, $n) = (0, 0);

is(post('/notify/kept/import?verdict=running&observed=0'), 204, 'stored: 204');
$t->wait_for(sub { file() eq '0' }, 'the file');

for my $call (qw(unlink openat write close rename)) {
    $n++;

    my $prober = $t->prober;

    injected($t, [@file, '-e', "inject=$call:signal=KILL:when=1"], sub {
        $t->signal('STOP', $t->master);
        my $socket = {worker_sockets($t, '/worker')}->{$prober};
        $socket->syswrite(head('POST',
            "/notify/kept/import?verdict=running&observed=$n", 's3cret-token'));
        $t->wait_for(sub { !$t->alive($prober) }, "a kill before $call");
    });

    is(file(), $before, "killed before $call: the old notice");
    $t->kill_all;
    $t->run;
    $t->wait_for(sub { $t->check('import', 'kept')->{verdict} eq 'running' },
        'the stored notice');
    is($t->check('import', 'kept')->{observed}, $before,
        "killed before $call: used by the next start");
    is(post("/notify/kept/import?verdict=running&observed=${n}00"), 204,
        "killed before $call: the next one: 204");
    $t->wait_for(sub { file() eq "${n}00" }, 'the file');
    ok(!-e $t->path('store/import.new'), "killed before $call: nothing is left");
    $before = "${n}00";
}

done_testing;
