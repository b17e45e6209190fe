#!/usr/bin/perl

# nginx exits while requests are held: they are served if the gate opens in the
# meantime, and refused when their hold time is over; worker_shutdown_timeout
# closes them.  While requests are held the gate is probed; otherwise workers
# exit at once.  Ordinary traffic is served until then, and none of it is lost.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::ManyClients;
use InitGate::Load;

my $t = InitGate->new(main => 'worker_rlimit_nofile 4096;',
    events => 'worker_connections 4096;', http => '',
    also => InitGate::Load::BACKGROUND);

sub conf {
    my ($hold) = @_;

    return InitGate::Load::LOG . <<"CONF";
    init_checks app { check file %%DIR%%/app;  interval 20ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%% reuseport;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app;  init_hold $hold;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
    }
CONF
}

my $background;

sub started {
    my (%args) = @_;

    unaffected($background) if $background;
    $t->remove('decisions.log');
    $t->remove('app');
    $t->run(%args);
    $t->wait_state('initializing');
    $background = background($t, ends => 1);
}

sub clients {
    my ($n) = @_;

    my $clients = InitGate::ManyClients->new($t, $n);

    # with a short hold time some may have been refused
    $t->wait_for(sub {
        my $gate = $t->gate;
        return $gate->{held} + $gate->{held_refused} == $n;
    }, "$n requests to be held");

    return $clients;
}

# the time until all processes have exited

sub ending {
    my ($signal) = @_;

    my @pids = ($t->{pid}, $t->workers);
    my $clock = $t->clock;

    $t->signal($signal);
    $t->wait_exit(@pids);
    delete $t->{pid};

    return $clock->seconds;
}

# no held requests

started(http => conf('10m'));
cmp_ok(ending('QUIT'), '<', patience(1), 'QUIT, none held: quick');

# the gate opens while the workers shut down: it is still probed

started();
my $clients = clients(40);
my @pids = $t->workers;
my $prober = $t->prober;
$t->signal('QUIT');
$t->wait_for(sub { !$t->workers }, 'workers to shut down');

# during that many of its timers

my $timers = qr/ $prober#\d+: event timer del: /;
my $seen = $t->log_count($timers);
$t->wait_log($timers, $seen + 5);
ok($t->alive($prober), 'QUIT, requests held: the prober stays');

$t->write('app');
my $clock = $t->clock;
is_deeply({$clients->statuses}, { 200 => 40 },
    'QUIT, the gate opens: all served');
$t->wait_exit(@pids);
cmp_ok($clock->seconds, '<', patience(1.5), 'QUIT, the gate opens: quick');
delete $t->{pid};
is(logged($t, 'app')->{held_passed}, 40,
    'QUIT, the gate opens: logged');

# the hold time is over

started(http => conf('1s'));
$clients = clients(40);
cmp_ok(ending('QUIT'), '<', patience(2),
    'QUIT, requests held: not longer than the hold time');
is_deeply({$clients->statuses}, { 503 => 40 },
    'QUIT, hold time over: all refused');
is(logged($t, 'app')->{held_refused}, 40,
    'QUIT, hold time over: logged');

# worker_shutdown_timeout

started(http => conf('10m'), main => $t->{main}
    . 'worker_shutdown_timeout 500ms;');
$clients = clients(1000);
cmp_ok(ending('QUIT'), '<', patience(2), 'worker_shutdown_timeout: not longer');
is_deeply({$clients->statuses}, { lost => 1000 },
    'worker_shutdown_timeout: connections closed');
is(logged($t, 'app')->{gone}, 1000, 'worker_shutdown_timeout: logged');

# it ends the prober, too, independently of the other workers

started();
$prober = $t->prober;
my ($other) = grep { $_ != $prober } $t->workers;
$clients = clients(40);
$t->signal('STOP', $other);
@pids = ($t->{pid}, $t->workers);
$clock = $t->clock;
$t->signal('QUIT');
$t->wait_for(sub { !$t->alive($prober) }, 'the prober to exit');
cmp_ok($clock->seconds, '<', patience(2),
    'worker_shutdown_timeout, other worker stopped: prober exits');
$t->signal('CONT', $other);
$t->wait_exit(@pids);
delete $t->{pid};
is_deeply({$clients->statuses}, { lost => 40 },
    'worker_shutdown_timeout, other worker stopped: connections closed');

# fast shutdown

started();
$clients = clients(100);
cmp_ok(ending('TERM'), '<', patience(1), 'TERM: quick');
is_deeply({$clients->statuses}, { lost => 100 }, 'TERM: connections closed');

# all clients leave during the shutdown

started(http => conf('10m'), main => 'worker_rlimit_nofile 4096;');
$clients = clients(20);
@pids = $t->workers;
$t->signal('QUIT');
$t->wait_for(sub { !$t->workers }, 'workers to shut down');
$clients->leave;
$clock = $t->clock;
$t->wait_exit(@pids);
cmp_ok($clock->seconds, '<', patience(1), 'QUIT, clients leave: quick');
delete $t->{pid};
is(logged($t, 'app')->{gone}, 20, 'QUIT, clients leave: logged');

# the prober is killed during the shutdown: held requests do not wait for long

started();
$clients = clients(40);
$prober = $t->prober;
@pids = $t->workers;
$t->signal('QUIT');
$t->wait_for(sub { !$t->workers }, 'workers to shut down');
$t->allow(qr/exited on signal 9/);
$t->signal('KILL', $prober);
$clock = $t->clock;
my %answers = $clients->statuses;
cmp_ok($answers{503}, '>', 0,
    'QUIT, prober killed: requests of other workers refused');
cmp_ok($answers{503} + $answers{lost}, '==', 40,
    'QUIT, prober killed: no other results');
cmp_ok($clock->seconds, '<', patience(6),
    'QUIT, prober killed: refused before the end of the hold time');
$t->wait_exit(@pids);
delete $t->{pid};

unaffected($background);

done_testing;
