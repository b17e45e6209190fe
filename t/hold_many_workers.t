#!/usr/bin/perl

# More workers than have counters of their own: requests are held in each of
# them, and counted.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

plan skip_all => 'too many processes for valgrind and sanitizers'
    if $ENV{TEST_NGINX_VALGRIND} || InitGate::is_linked_in();

my $workers = 140;
my $n = 4 * $workers;

my $t = InitGate->new(workers => $workers, quit => 30,
    events => 'worker_connections 256;', http => <<'CONF');
    init_checks app { check file %%DIR%%/marker;  interval 50ms; }
    server {
        listen 127.0.0.1:%%PORT_8080%% reuseport;
        location / { init_gate app;  init_hold 10m max=64;
                     add_header X-Worker $pid always;
                     empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

$t->run;

my @waiting = map { $t->send('/') } 1 .. $n;
my $sum;
$t->wait_for(sub {
    my $gate = $t->gate;
    $sum = ($gate->{held} // 0) + ($gate->{refused} // 0);
    $sum >= $n;
}, 'requests to be held or refused');

is($t->gate->{held}, $n, 'held requests: all');

$t->write('marker');

my %worker;
my $served = 0;

for my $client (@waiting) {
    my $answer = $t->http_read($client);

    $served++ if $answer->{status} == 200;
    $worker{$answer->{headers}{'x-worker'} // ''}++;
}

is($served, $n, 'gate open: all are served');
cmp_ok(scalar keys %worker, '>', 128, 'workers with held requests: more than 128');
is($t->gate->{held_passed}, $n, 'gate open: all are counted');
is($t->gate->{held}, 0, 'gate open: none is held');

done_testing;
