#!/usr/bin/perl

# Notices in force before they are answered, in every worker, each time; and
# answered, whatever else is in force.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Witness;
use Time::HiRes qw(time);

my $trials = $ENV{TEST_NGINX_TRIALS} || 600;

my $t = InitGate->new(workers => 3, level => 'notice', http => <<'CONF');
    init_checks app { check notify import;  latch off;  interval 5s; }
    init_checks other { check notify import;  interval 5s; }
    server {
        listen 127.0.0.1:%%PORT_8080%% reuseport;
        access_log off;
        keepalive_requests 1000000;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
        location /notify/ { init_notify token_file=%%DIR%%/token; }
        location /control/ { init_control token_file=%%DIR%%/token; }
        location = /worker { add_header X-Worker $pid;  empty_gif; }
    }
CONF

$t->write('token', 's3cret-token');
$t->run;

sub notice { head('POST', "/notify/$_[0]/import?verdict=$_[1]", 's3cret-token') }

# 202 means that the prober has not confirmed a notice within two seconds.  That
# is right only if workers took long for ordinary requests, too: from a notice
# to its answer, processes have to run five times, one after the other.

my $witness = InitGate::Witness->new($t, '/worker',
    values %{{worker_sockets($t, '/worker')}});

my %worker = worker_sockets($t, '/worker');
my @sockets = values %worker;
my $wrong = 0;
my %status;
my @late;

for my $n (1 .. $trials) {
    my $passed = $n % 2;
    my $notifier = $sockets[$n % 3];
    my $begin = time;

    $notifier->syswrite(notice('app', $passed ? 'passed' : 'running'));
    my $status = status($notifier);

    if ($status == 202) {
        push @late, [$begin, time];
        next;
    }

    $status{$status}++;

    for my $socket (@sockets) {
        $socket->syswrite(head('GET', '/'));
    }

    for my $socket (@sockets) {
        $wrong++ if status($socket) != ($passed ? 200 : 503);
    }
}

is_deeply([grep { $_ != 204 } keys %status], [], "$trials notices: 204");
is($wrong, 0, "$trials notices: in force in each worker, each time");

# An order is in force earlier than a notice that comes at the same time.  The
# request with the notice, in the same worker, must be woken once more.

my $prober = $t->prober;
my ($other) = grep { $_ != $prober } $t->workers;
my ($operator, $notifier, $last)
    = map { {worker_sockets($t, '/worker')}->{$other} } 1 .. 3;

%status = ();

for (1 .. 10) {
    my $begin = time;

    $t->signal('STOP', $prober);

    for ([$operator, head('POST', '/control/app?action=clear', 's3cret-token')],
         [$notifier, notice('app', 'waiting')])
    {
        my ($socket, $request) = @$_;

        # answered after the worker has read the request

        $socket->syswrite($request);
        $last->syswrite(head('GET', '/worker'));
        status($last);
    }

    $t->signal('CONT', $prober);

    for my $socket ($operator, $notifier) {
        my $status = status($socket);
        $status == 202 ? push @late, [$begin, time] : $status{$status}++;
    }
}

is_deeply([grep { $_ != 204 } keys %status], [], 'orders and notices at the same time: 204');

$witness->stop;

is_deeply([grep { $witness->slow(@$_) < 0.4 } @late], [],
    '202: only when workers take long for other requests, too');

done_testing;
