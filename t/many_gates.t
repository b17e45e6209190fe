#!/usr/bin/perl

# A hundred gates with a thousand checks: nginx starts, reloads, reports and
# exits in time; the costs are printed.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use Time::HiRes qw(time sleep);

no warnings 'portable';

my ($gates, $each) = (100, 10);

my $t = InitGate->new(workers => 1, level => 'notice');

sub http {
    my ($gates) = @_;

    my $checks = '';

    for my $g (1 .. $gates) {
        $checks .= "init_checks gate$g { interval 1s 1s;\n"
            . join('', map { "check file %%DIR%%/f$_ name=check_$_;\n" }
                1 .. $each) . "}\n";
    }

    my $names = join ' ', map { "gate$_" } 1 .. $gates;

    return $checks . <<"CONF";
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { empty_gif; }
        location = /gated { init_gate $names;  empty_gif; }
        location = /init { init_status details=on; }
        location = /html { init_status details=on format=html; }
        location = /metrics { init_status format=prometheus; }
        location = /ready { init_ready; }
    }
CONF
}

sub ticks {
    my @word = split ' ', $t->read("/proc/$_[0]/stat") =~ s/.*\) //sr;

    return $word[11] + $word[12];
}

sub took {
    my ($name, $bound, $code) = @_;

    my $clock = $t->clock;
    my $result = $code->();

    note(sprintf '%s: %.0f ms', $name, $clock->elapsed * 1000);
    cmp_ok($clock->seconds, '<', patience($bound),
        "$name: not longer than $bound s");

    return $result;
}

# CPU time of the worker, on which the load of the machine has little influence

sub report {
    my ($uri) = @_;

    my ($pid) = $t->workers;
    my $before = ticks($pid);
    my $answer;

    $answer = $t->get($uri) for 1 .. 20;

    my $ms = (ticks($pid) - $before) * 1000 / POSIX::sysconf(
        &POSIX::_SC_CLK_TCK) / 20;

    note(sprintf '%s: %d bytes, %.1f ms of the worker', $uri,
        length $answer->{content}, $ms);
    cmp_ok($ms, '<', patience(50), "$uri: CPU time of the worker");

    return $answer;
}

$t->write("f$_") for 1 .. $each - 1;

my $status = took('nginx -t', 3,
    sub { ($t->conf_error(http($gates)))[0] });
is($status, 0, 'nginx -t: valid');

took('start', 3, sub { $t->run(http => http($gates)) });
took('the first verdicts', 3, sub { $t->wait_for(sub {
    my $status = $t->json('/init');
    my @pending = grep { $_->{verdict} eq 'pending' }
        map { @{$_->{checks}} } @{$status->{gates}};
    return !@pending && @{$status->{gates}} == $gates;
}, 'all verdicts') });

my ($pid) = $t->workers;
my $zones = 0;
my $maps = $t->read("/proc/$pid/maps");
$zones += hex($2) - hex($1)
    while $maps =~ m{^([0-9a-f]+)-([0-9a-f]+) .*/dev/zero}mg;
note(sprintf 'shared memory: %d KiB, worker: %d KiB', $zones / 1024,
    $t->memory($pid));

my $before = ticks($pid);
my $begun = time;
my $slowest = 0;

while (time < $begun + 2) {
    my $asked = time;
    my $answer = $t->get('/');
    my $took = time - $asked;
    $slowest = $took if $took > $slowest;
    is($answer->{status}, 200,
        "request during probes: 200") if $answer->{status} != 200;
    sleep 0.005;
}

my $share = (ticks($pid) - $before) / POSIX::sysconf(&POSIX::_SC_CLK_TCK)
    / (time - $begun);
note(sprintf 'a thousand checks a second: %.1f %% of a core with the requests, '
    . 'the slowest of which took %.1f ms', $share * 100, $slowest * 1000);
cmp_ok($share, '<', patience(0.3),
    'probes and requests: CPU time of the worker');

report($_) for qw(/init /html /metrics /ready /gated);

took('a reload', 3, sub { $t->reload });
took('a changed reload', 3, sub { $t->reload(http => http($gates - 1)) });
is(scalar @{$t->json('/init')->{gates}}, $gates - 1,
    'changed reload: one gate less');
took('a reload back', 3, sub { $t->reload(http => http($gates)) });

$t->write("f$each");
took('all open', 5, sub { $t->wait_for(
    sub { $t->get('/ready')->{status} == 200 }, 'all gates') });
is($t->get('/gated')->{status}, 200, 'all gates open: location with all gates');

took('QUIT', 1, sub { $t->quit });

done_testing;
