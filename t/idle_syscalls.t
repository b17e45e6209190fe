#!/usr/bin/perl

# A worker with a closed gate, and nothing that changes: no system calls beside
# those of its timers, whether checks are watched, clients wait, or another
# nginx is followed.  Counted by strace.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Strace;
use Time::HiRes qw(time);

plan_traced();

my $seconds = 3;

sub server {
    return <<'CONF';
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location /held { init_gate app;  init_hold 1h;  empty_gif; }
        location = /ready { init_ready app; }
        location = /init { init_status details=on; }
    }
CONF
}

my $watched = InitGate->new(workers => 1, level => 'notice',
    http => <<'CONF' . server());
    init_checks app {
        interval 1h;
        check file %%DIR%%/d/marker  name=marker;
        check file %%DIR%%/e/marker  name=other;
    }
CONF

mkdir $watched->path($_) or die $! for qw(d e);
$watched->run;
$watched->wait_state('initializing', 'app');

my $follower = InitGate->new(workers => 1, level => 'notice',
    http => <<"CONF" . server());
    init_checks app {
        interval 50ms;
        check remote http://127.0.0.1:@{[$watched->port]}/ready;
    }
CONF

# the calls of some seconds, by name

sub calls {
    my ($t) = @_;

    my %calls;
    my ($worker) = $t->workers;
    my $strace = trace($t, $worker);

    my $end = time + $seconds;
    $t->wait_for(sub { time >= $end }, 'the time to pass');

    kill 'INT', $strace;
    waitpid $strace, 0;

    /^(\w+)\(/ and $calls{$1}++ for split /\n/, $t->read('strace');

    return \%calls;
}

# a heartbeat a second, and another timer every 100 ms where clients wait

sub is_idle {
    my ($t, $name, $timers) = @_;

    my $calls = calls($t);
    my $waits = delete $calls->{epoll_wait};

    is_deeply($calls, {}, "$name: only epoll_wait")
        or diag(explain($calls));
    cmp_ok($waits // 0, '<=', $timers * ($seconds + 2),
        "$name: epoll_wait as often as its timers");
}

is_idle($watched, 'checks that are watched', 1);

my @held = $watched->hold(10, '/held');
my @waiting = map { $watched->send('/ready', headers => "Prefer: wait=55\r\n",
                                   keepalive => 1) } 1 .. 10;

$watched->wait_for(sub { $watched->gate->{waited} == 10 },
    'the requests to wait');

is_idle($watched, 'clients that wait', 11);

$follower->run;
$follower->wait_for(sub { $follower->check('remote')->{attempts} >= 1 },
    'the first answer');
is_idle($follower, 'a gate that is followed', 1);
is_idle($watched, 'and there', 11);

# none of them has been lost

$watched->write($_) for qw(d/marker e/marker);
is_deeply($watched->statuses(@held, @waiting), { 200 => 20 },
    'all clients: answered');
$follower->wait_ready;

done_testing;
