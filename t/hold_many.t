#!/usr/bin/perl

# Many requests held in two workers: all are served as soon as the gate opens,
# in every worker; when their clients leave, no resources are left in use.  The
# latency of ordinary requests is not affected.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Latency;
use InitGate::Load;
use InitGate::ManyClients;

my $n = $ENV{TEST_HELD} // 2000;

# at debug level the log would be measured

my $t = InitGate->new(quit => 5, level => 'notice', descriptors => 1,
    main => 'worker_rlimit_nofile 20000;',
    events => "worker_connections @{[$n * 2 + 200]};",
    http => InitGate::Latency::GATE . InitGate::Load::HELD . <<"CONF");
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

my $latency = InitGate::Latency->new($t);

$t->wait_state('initializing', 'app');
my %descriptors = map { $_ => scalar(() = $t->descriptors($_)) } $t->workers;

# the clients leave

$latency->begin;
my $clients = InitGate::ManyClients->new($t, $n / 2);
$t->wait_held($n / 2, 'app');
$clients->leave;
$t->wait_held(0, 'app');
is($t->gate('app')->{gone}, $n / 2, 'clients leave: counted as gone');
$latency->end('clients that leave');

$t->wait_for(sub {
    !grep { $t->descriptors($_) > $descriptors{$_} + 1 } $t->workers
}, 'descriptors to be closed') if !$t->hidden;

# the gate opens

$latency->begin;
$clients = InitGate::ManyClients->new($t, $n);
$t->wait_held($n, 'app');

my $clock = $t->clock;
$t->write('app');

my %answers = $clients->statuses;
my $delay = 1000 * $clock->delay;
is_deeply(\%answers, { 200 => $n }, "gate opens: all $n served");
$latency->end("$n held and served");
is($t->gate('app')->{held_passed}, $n, 'gate opens: all counted');
is($t->gate('app')->{held}, 0, 'gate opens: none held');

my $late = lateness($t, 'held.log', 'app');

is(scalar keys %$late, 2, 'held: in both workers');

for (values %$late) {
    my ($first, $last) = @$_;

    note("$first to $last ms after the gate had opened");
    cmp_ok($first, '<=', patience(50) + $delay,
        'worker: first request released in time');
    cmp_ok($last, '<=', patience(300) + $delay,
        'worker: last request released in time');
}

done_testing;
