#!/usr/bin/perl

# Workers killed under load, the probing one and any other: state and history
# are kept, probing resumes at once, and requests that wait in the workers
# that live are released.

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
        location = /late { init_gate late;  init_hold 30s;  empty_gif; }
        location = /swings { init_gate swings;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
    }
CONF

$t->write($_) for qw(app swings);
$t->run;

sub gate {
    my ($name) = @_;

    return (grep { $_->{gate} eq $name } @{$t->json('/init')->{gates}})[0];
}

sub killed {
    my ($pid) = @_;

    my $exits = $t->log_count(qr/exited on signal 9/);
    $t->signal('KILL', $pid);
    $t->wait_log(qr/exited on signal 9/, $exits + 1);
    $t->allow(qr/exited on signal 9/);
}

$t->wait_for(sub { gate('app')->{ready} && gate('swings')->{ready} }, 'open');

my $first = gate('app');
$t->remove('app');

my $load = InitGate::Load->new($t, clients => 3);

# the probing one: another takes over and goes on from there

for (1 .. 4) {
    my $prober = $t->prober;
    my $attempts = gate('swings')->{checks}[0]{attempts};

    killed($prober);

    my $begun = time;
    $t->wait_for(sub { $t->prober != $prober }, 'another prober');
    $t->wait_for(sub { gate('swings')->{checks}[0]{attempts} > $attempts },
        'the next verdict');
    note(sprintf 'probing again after %.0f ms', (time - $begun) * 1000);
    cmp_ok(time - $begun, '<', patience(2), 'at once');
}

# any other

killed((grep { $_ != $t->prober } $t->workers)[0]) for 1 .. 3;

$load->more(50);
my %count = $load->stop->counts;
my $lost = delete $count{lost} // 0;

# each client has one request under way at most

cmp_ok($lost, '<=', 7 * 3, 'no more lost than were under way');
is_deeply([keys %count], [200], 'nobody was refused');

my $gate = gate('app');
is_deeply([@$gate{qw(state latched started_at opened_at carried_over)}],
    [@$first{qw(state latched started_at opened_at carried_over)}],
    'the gate is as it was');
is_deeply($gate->{history}, $first->{history}, 'its history');
is($gate->{checks}[0]{attempts}, 1, 'a latched gate is not asked again');
is_deeply([map { $_->{state} } @{gate('swings')->{history}}],
    ['starting', 'ready'], 'the other gate has not moved');

# counted, and killed before it was logged

sub counted {
    my ($kills) = @_;

    my ($counters, $logged) = (counters($t, 'app'), logged($t, 'app'));

    cmp_ok($counters->{passed}, '>=', $logged->{passed}, 'counted');
    cmp_ok($counters->{passed}, '<=', $logged->{passed} + $kills * 3,
        'and no more');
}

counted(7);
$load = InitGate::Load->new($t, clients => 3);

# requests that wait in three workers; those in the killed one are lost

my @waiting = map {
    my $socket = $t->connect;
    $socket->syswrite("GET /late HTTP/1.1\r\nHost: a\r\n"
        . "Connection: close\r\n\r\n");
    $socket;
} 1 .. 24;

$t->wait_for(sub { gate('late')->{held} == 24 }, 'all to wait');

killed($t->prober);
$t->wait_for(sub { gate('late')->{held} < 24 }, 'held to be known') or diag
    gate('late')->{held};

my $held = gate('late')->{held};
cmp_ok($held, '<', 24, 'those of the killed worker wait no longer');

$t->write('late');

my $begun = time;
my @answers = grep { $_ } map { $t->http_read($_) } @waiting;
is(scalar(grep { $_->{status} == 200 } @answers), $held, 'all others served');
cmp_ok(time - $begun, '<', patience(2), 'at once');
is(gate('late')->{held_passed}, $held, 'and counted');
is(gate('late')->{held}, 0, 'nobody waits any more');

# killed in the middle of changes, again and again

my $end = time + 1.5;
my $up = 1;
my $kills = 0;
my %seen;

while (time < $end) {
    $up = !$up;
    $up ? $t->write('swings') : $t->remove('swings');
    my $now = gate('swings');
    $seen{$now->{state} . '/' . $now->{ready}}++;

    sleep rand 0.03;

    my $pid = $now->{prober}{pid};
    next if !$pid || rand() > 0.3 || !$t->alive($pid);

    # what a worker takes while it dies is lost: ask no one until then

    $kills += $t->signal('KILL', $pid);
    $t->wait_for(sub { !$t->alive($pid) }, 'its death');
}

note("$kills kills");
is_deeply([grep { !m{^(?:ready/1|initializing/0|starting/0)$} } keys %seen],
    [], 'state and ready agree');

for my $open (1, 0, 1) {
    $open ? $t->write('swings') : $t->remove('swings');
    $t->wait_for(sub { gate('swings')->{ready} == $open }, "open: $open");
    is($t->get('/swings')->{status}, $open ? 200 : 503, "and so it is: $open");
}

$t->wait_for(sub { $t->workers == 3 }, 'three workers');

$load->more(50);
%count = $load->stop->counts;
$lost = delete $count{lost} // 0;
cmp_ok($lost, '<=', ($kills + 1) * 3, 'no more lost than were under way');
is_deeply([keys %count], [200], 'nobody was refused');
counted(7 + 1 + $kills);

done_testing;
