#!/usr/bin/perl

# Workers killed under load, the prober and others: state and history are kept,
# probing resumes, and requests held in the other workers are released.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;
use Time::HiRes qw(time sleep);

my $t = InitGate->new(workers => 3, http => InitGate::Load::LOG . <<'CONF');
    init_checks app { check file %%DIR%%/app;  interval 20ms; }
    init_checks late {
        check file %%DIR%%/late;
        interval 20ms;
    }
    init_checks swings {
        check file %%DIR%%/swings;
        interval 20ms 20ms;
        latch off;
        fall 1;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%% reuseport;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app;  empty_gif; }
        location = /late { init_gate late;  init_hold 10m;  empty_gif; }
        location = /swings { init_gate swings;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
    }
CONF

$t->write($_) for qw(app swings);
$t->run;

sub killed {
    my ($pid) = @_;

    my $exits = $t->log_count(qr/exited on signal 9/);
    $t->signal('KILL', $pid);
    $t->wait_log(qr/exited on signal 9/, $exits + 1);
    $t->allow(qr/exited on signal 9/);
}

$t->wait_ready($_) for qw(app swings);

my $first = $t->gate('app');
$t->remove('app');

my $load = InitGate::Load->new($t, clients => 3);

# the prober: another worker takes over

for (1 .. 4) {
    my $prober = $t->prober;
    my $attempts = $t->gate('swings')->{checks}[0]{attempts};

    killed($prober);

    my $clock = $t->clock;
    $t->wait_for(sub { $t->prober != $prober }, 'another prober');
    $t->wait_for(sub { $t->gate('swings')->{checks}[0]{attempts} > $attempts },
        'the next verdict');
    note(sprintf 'probing again after %.0f ms', $clock->elapsed * 1000);
    cmp_ok($clock->seconds, '<', patience(2), 'prober killed: probes resume');
}

# other workers

killed((grep { $_ != $t->prober } $t->workers)[0]) for 1 .. 3;

$load->more(50);
my %count = $load->stop->counts;
my $lost = delete $count{lost} // 0;

# a client has one request at a time

cmp_ok($lost, '<=', 7 * 3, 'workers killed: only their requests are lost');
is_deeply([keys %count], [200], 'workers killed: no request is refused');

my $gate = $t->gate('app');
is_deeply([@$gate{qw(state latched started_at opened_at carried_over)}],
    [@$first{qw(state latched started_at opened_at carried_over)}],
    'workers killed: the gate is unchanged');
is_deeply($gate->{history}, $first->{history}, 'workers killed: history');
is($gate->{checks}[0]{attempts}, 1, 'latched gate: no further probe');
is_deeply([map { $_->{state} } @{$t->gate('swings')->{history}}],
    ['starting', 'ready'], 'workers killed: no change of state');

# a request may be counted, and its worker killed before it is logged

sub counted {
    my ($kills) = @_;

    my ($counters, $logged) = (counters($t, 'app'), logged($t, 'app'));

    cmp_ok($counters->{passed}, '>=', $logged->{passed},
        'logged requests: counted');
    cmp_ok($counters->{passed}, '<=', $logged->{passed} + $kills * 3,
        'counted requests: logged, except in killed workers');
}

counted(7);
$load = InitGate::Load->new($t, clients => 3);

# requests held in three workers; those in the killed one are lost

my @waiting = $t->hold(24, '/late', 'late');

killed($t->prober);
$t->wait_for(sub { $t->gate('late')->{held} < 24 }, 'fewer held requests');

my $held = $t->gate('late')->{held};
cmp_ok($held, '<', 24, 'worker killed: its requests are not held any more');

$t->write('late');

my $clock = $t->clock;
is_deeply($t->statuses(@waiting), { 200 => $held, none => 24 - $held },
    'held requests of the other workers: served');
cmp_ok($clock->seconds, '<', patience(2), 'held requests: served in time');
is($t->gate('late')->{held_passed}, $held, 'held requests: counted');
is($t->gate('late')->{held}, 0, 'held requests: none left');

# killed in the middle of changes, again and again

my $end = time + 1.5;
my $up = 1;
my $kills = 0;
my %seen;

while (time < $end) {
    $up = !$up;
    $up ? $t->write('swings') : $t->remove('swings');
    my $now = $t->gate('swings');
    $seen{$now->{state} . '/' . $now->{ready}}++;

    sleep rand 0.03;

    my $pid = $now->{prober}{pid};
    next if !$pid || rand() > 0.3 || !$t->alive($pid);

    # a request to a dying worker would be lost

    $kills += $t->signal('KILL', $pid);
    $t->wait_for(sub { !$t->alive($pid) }, 'the worker to exit');
}

note("$kills kills");
is_deeply([grep { !m{^(?:ready/1|initializing/0|starting/0)$} } keys %seen],
    [], 'changes and kills: state and ready agree');

for my $open (1, 0, 1) {
    $open ? $t->write('swings') : $t->remove('swings');
    $t->wait_for(sub { $t->gate('swings')->{ready} == $open },
        "ready to be $open");
    is($t->get('/swings')->{status}, $open ? 200 : 503,
        "ready $open: status of a request");
}

$t->wait_for(sub { $t->workers == 3 }, 'three workers');

$load->more(50);
%count = $load->stop->counts;
$lost = delete $count{lost} // 0;
cmp_ok($lost, '<=', ($kills + 1) * 3,
    'kills: only requests of killed workers are lost');
is_deeply([keys %count], [200], 'kills: no request is refused');
counted(7 + 1 + $kills);

done_testing;
