#!/usr/bin/perl

# Many requests wait in two workers: all are served as soon as the gate opens,
# in every worker; and when their clients leave, nothing of them is left.
# Ordinary requests do not wait for them.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Latency;
use InitGate::ManyClients;

my $n = $ENV{TEST_HELD} // 2000;

# at debug level, it would be the log that is measured

my $t = InitGate->new(quit => 5, level => 'notice', descriptors => 1,
    main => 'worker_rlimit_nofile 20000;',
    events => "worker_connections @{[$n * 2 + 200]};",
    http => InitGate::Latency::GATE . <<"CONF");
    log_format held '\$msec \$pid \$init_gate_decision';

    init_checks app { check file %%DIR%%/app;  interval 20ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%% backlog=4096 reuseport;
        access_log %%DIR%%/held.log held;
@{[InitGate::Latency::LOCATION]}
        location / { init_gate app;  init_hold 60s max=100000;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
    }
CONF

$t->run;

sub gate { $t->json('/init')->{gates}[1] }

my $beside = InitGate::Latency->new($t);

$t->wait_for(sub { gate()->{state} eq 'initializing' }, 'a verdict');
my %descriptors = map { $_ => scalar(() = $t->descriptors($_)) } $t->workers;

# they leave

$beside->begin;
my $crowd = InitGate::ManyClients->new($t, $n / 2);
$t->wait_for(sub { gate()->{held} == $n / 2 }, 'all to wait', 20);
$crowd->leave;
$t->wait_for(sub { gate()->{held} == 0 }, 'all to go', 20);
is(gate()->{gone}, $n / 2, 'they are gone');
$beside->end('clients that leave');

$t->wait_for(sub {
    !grep { $t->descriptors($_) > $descriptors{$_} + 1 } $t->workers
}, 'descriptors to be closed');

# they are served

$beside->begin;
$crowd = InitGate::ManyClients->new($t, $n);
$t->wait_for(sub { gate()->{held} == $n }, 'all to wait', 60);
$t->write('app');

my %answers = $crowd->answers;
is_deeply(\%answers, { 200 => $n }, "$n are served");
$beside->end("$n held and served");
is(gate()->{held_passed}, $n, 'counted');
is(gate()->{held}, 0, 'nobody waits any more');

my ($opened) = gate()->{opened_at} =~ /:(\d\d\.\d{3})Z$/;
my (%first, %last);

for (split /\n/, $t->read('held.log')) {
    my ($at, $pid, $decision) = split ' ';
    next if $decision ne 'held_passed';

    my $late = ($at * 1000 - $opened * 1000) % 60000;
    $first{$pid} = $late if $late < ($first{$pid} // 60000);
    $last{$pid} = $late if $late > ($last{$pid} // 0);
}

is(scalar keys %last, 2, 'in both workers');

for (keys %last) {
    note("$first{$_} to $last{$_} ms after the gate had opened");
    cmp_ok($first{$_}, '<=', patience(50), 'the first in time');
    cmp_ok($last{$_}, '<=', patience(300), 'and the last');
}

done_testing;
