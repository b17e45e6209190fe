#!/usr/bin/perl

# nginx ends while requests wait: they are served if the gate opens by then,
# and answered when their time is over; worker_shutdown_timeout ends them.
# While somebody waits the gate is probed; when nobody does, the end is quick.
# Ordinary traffic goes on until then, and none of it is dropped.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::ManyClients;
use InitGate::Load;
use Time::HiRes qw(time sleep);

my $t = InitGate->new(main => 'worker_rlimit_nofile 4096;',
    events => 'worker_connections 4096;', http => '',
    also => InitGate::Load::BESIDE);

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

sub gate { $t->json('/init')->{gates}[0] }

my $beside;

sub started {
    my (%args) = @_;

    undisturbed($beside) if $beside;
    $t->remove('decisions.log');
    $t->remove('app');
    $t->run(%args);
    $t->wait_for(sub { gate()->{state} eq 'initializing' }, 'a verdict');
    $beside = beside($t, ends => 1);
}

sub crowd {
    my ($n) = @_;

    my $crowd = InitGate::ManyClients->new($t, $n);
    $t->wait_for(sub { gate()->{held} == $n }, 'all to wait', 20);

    return $crowd;
}

# how long it takes until all processes are gone

sub ending {
    my ($signal) = @_;

    my @pids = ($t->{pid}, $t->workers);
    my $begun = time;

    $t->signal($signal);
    $t->wait_for(sub { !grep { $t->alive($_) } @pids }, "$signal", 10);
    delete $t->{pid};

    return time - $begun;
}

# nobody waits

started(http => conf('60s'));
cmp_ok(ending('QUIT'), '<', patience(1), 'QUIT is quick');

# the gate opens while the workers exit: somebody has to notice

started();
my $crowd = crowd(40);
my @pids = $t->workers;
my $prober = $t->prober;
$t->signal('QUIT');
$t->wait_for(sub { !$t->workers }, 'workers to shut down');
sleep 0.1;
ok($t->alive($prober), 'the prober stays');

$t->write('app');
my $begun = time;
is_deeply({$crowd->answers}, { 200 => 40 }, 'all are served');
$t->wait_for(sub { !grep { $t->alive($_) } @pids }, 'the end');
cmp_ok(time - $begun, '<', patience(1.5), 'which is quick then');
delete $t->{pid};
is(logged($t, 'app')->{held_passed}, 40, 'and logged');

# their time is over

started(http => conf('1s'));
$crowd = crowd(40);
cmp_ok(ending('QUIT'), '<', patience(2), 'QUIT takes as long as the hold');
is_deeply({$crowd->answers}, { 503 => 40 }, 'all are answered');
is(logged($t, 'app')->{held_refused}, 40, 'and logged');

# worker_shutdown_timeout

started(http => conf('60s'), main => $t->{main}
    . 'worker_shutdown_timeout 500ms;');
$crowd = crowd(1000);
cmp_ok(ending('QUIT'), '<', patience(2), 'worker_shutdown_timeout');
is_deeply({$crowd->answers}, { lost => 1000 }, 'their connections are closed');
is(logged($t, 'app')->{gone}, 1000, 'and logged');

# it ends the prober, too, whatever the others are at

started();
$prober = $t->prober;
my ($other) = grep { $_ != $prober } $t->workers;
$crowd = crowd(40);
$t->signal('STOP', $other);
@pids = ($t->{pid}, $t->workers);
$begun = time;
$t->signal('QUIT');
$t->wait_for(sub { !$t->alive($prober) }, 'the prober to exit');
cmp_ok(time - $begun, '<', patience(2), 'worker_shutdown_timeout, alone');
$t->signal('CONT', $other);
$t->wait_for(sub { !grep { $t->alive($_) } @pids }, 'the end');
delete $t->{pid};
is_deeply({$crowd->answers}, { lost => 40 }, 'all are closed');

# a fast end

started();
$crowd = crowd(100);
cmp_ok(ending('TERM'), '<', patience(1), 'TERM');
is_deeply({$crowd->answers}, { lost => 100 }, 'their connections are closed');

# the prober exits, and so does the last one who waits, in another worker

started(http => conf('60s'), main => 'worker_rlimit_nofile 4096;');
$crowd = crowd(20);
@pids = $t->workers;
$t->signal('QUIT');
$t->wait_for(sub { !$t->workers }, 'workers to shut down');
$crowd->leave;
$begun = time;
$t->wait_for(sub { !grep { $t->alive($_) } @pids }, 'the end');
cmp_ok(time - $begun, '<', patience(1), 'the last one left: the end');
delete $t->{pid};
is(logged($t, 'app')->{gone}, 20, 'and logged');

# the prober is killed while the others wait and exit: they do not wait long

started();
$crowd = crowd(40);
$prober = $t->prober;
@pids = $t->workers;
$t->signal('QUIT');
$t->wait_for(sub { !$t->workers }, 'workers to shut down');
$t->allow(qr/exited on signal 9/);
$t->signal('KILL', $prober);
$begun = time;
my %answers = $crowd->answers;
cmp_ok($answers{503}, '>', 0, 'nobody probes: the others are answered');
cmp_ok($answers{503} + $answers{lost}, '==', 40, 'all of them');
cmp_ok(time - $begun, '<', patience(6), 'before their time');
$t->wait_for(sub { !grep { $t->alive($_) } @pids }, 'the end');
delete $t->{pid};

undisturbed($beside);

done_testing;
