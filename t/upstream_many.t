#!/usr/bin/perl

# A thousand servers, in one group and in a hundred: nginx starts, reloads and
# reports in time, and a probe needs few system calls.  The costs are printed.
#
# TEST_UPSTREAM_CPU is the number of seconds for which the CPU time of probes
# is measured; see t/release/upstream_many.t.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Strace;
use Time::HiRes qw(time sleep);

my $seconds = $ENV{TEST_UPSTREAM_CPU} // 0;

# one server at a thousand addresses

my $s = InitGate->new(module => 0, workers => 1, level => 'info',
    events => 'worker_connections 4096;');
$s->run(http => <<'CONF');
    server {
        listen %%PORT_8080%% backlog=4096;
        location / { return 200 "ready\n"; }
    }
CONF

my @address = map { '127.1.' . int($_ / 250) . '.' . ($_ % 250 + 1) . ':'
    . $s->port(8080) } 0 .. 999;

sub http {
    my ($groups, $check) = @_;

    my $each = @address / $groups;
    my $text = '';

    for my $g (1 .. $groups) {
        my @servers = @address[($g - 1) * $each .. $g * $each - 1];

        $text .= "upstream app$g { zone app$g @{[64 + 2 * $each]}k;\n"
            . join('', map { "server $_;\n" } @servers) . "}\n"
            . ($check ? "init_checks app$g { check upstream app$g $check;"
                . " interval 5s 5s; }\n" : '');
    }

    return <<"CONF" . ($check ? <<'CONF' : '') . "    }\n";
$text
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { @{[$check ? 'init_gate app1;' : '']} proxy_pass http://app1; }
CONF
        location = /init { init_status details=on; }
        location = /html { init_status details=on format=html; }
        location = /metrics { init_status format=prometheus; }
CONF
}

sub servers { map { @{$_->{servers} // []} } map { @{$_->{checks}} } $_[0]->gates }

sub took {
    my ($name, $bound, $code) = @_;

    my $clock = $s->clock;
    $code->();

    note(sprintf '%s: %.0f ms', $name, $clock->elapsed * 1000);
    cmp_ok($clock->seconds, '<', patience($bound),
        "$name: not longer than $bound s");
}

# shared and other memory of the only worker, in KiB

sub memory {
    my ($t) = @_;

    my ($pid) = $t->workers;
    my $status = $t->read("/proc/$pid/status");

    return map { $status =~ /^$_:\s+(\d+)/m ? $1 : 0 } qw(RssShmem RssAnon);
}

# nanoseconds on a processor

sub cpu { (split ' ', $s->read("/proc/$_[0]/schedstat"))[0] }

sub start {
    my ($http) = @_;

    my $t = InitGate->new(workers => 1, level => 'notice', http => $http,
        events => 'worker_connections 4096;');
    $t->run;

    return $t;
}

sub measure_cpu {
    my ($t, $name) = @_;

    my $pid = $t->prober;

    sleep 6;
    my $cpu = -cpu($pid);
    my $begun = time;
    sleep $seconds;
    $cpu += cpu($pid);

    my $share = $cpu / 1e7 / (time - $begun);

    note(sprintf '%s: %.2f %% of a core', $name, $share);
    cmp_ok($share, '<', 2, "$name: less than 2 % of a core");
}

sub count_calls {
    my ($t, $name) = @_;

    my $pid = trace($t, $t->prober);
    my $connects = sub { scalar(() = $t->read('strace') =~ /^connect\(/mg) };

    $t->wait_for(sub { $connects->() > 300 }, 'probes');
    InitGate::Strace::finish($pid);

    my $calls = grep { !/^epoll_wait/ } split /\n/, $t->read('strace');
    my $each = $calls / $connects->();

    note(sprintf '%s: %.1f system calls for each probe', $name, $each);
    cmp_ok($each, '<=', 7.5, "$name: system calls for each probe");
}

for my $groups (1, 100) {
    my $name = $groups == 1 ? 'a group' : "$groups groups";
    my $plain = start(http($groups));
    my @plain = memory($plain);
    $plain->quit;

    my $t;

    took("$name, nginx -t", 3, sub {
        is(($s->conf_error(http($groups, 'http=/ready'), module => 1,
            events => 'worker_connections 4096;'))[0], 0,
            "$name, nginx -t: valid");
    });
    took("$name, start", 3, sub { $t = start(http($groups, 'http=/ready')) });
    took("$name, all servers in", 10, sub {
        $t->wait_for(sub { 1000 == grep { $_->{in} } servers($t) }, 'all in');
    });

    my ($pid) = $t->workers;
    my @memory = memory($t);
    note(sprintf '%s: %.1f KiB of shared memory and %.1f KiB of the worker '
        . 'that probes for each server', $name,
        map { ($memory[$_] - $plain[$_]) / 1000 } 0, 1);

    my $cpu = -cpu($pid);
    for my $uri (qw(/init /html /metrics)) {
        is($t->get($uri)->{status}, 200, "$name, $uri: 200");
    }
    $cpu += cpu($pid);
    note(sprintf '%s: %.1f ms for three reports', $name, $cpu / 1e6);
    cmp_ok($cpu / 1e6, '<', patience(100), "$name, reports: CPU time");

    took("$name, reload", 3, sub { $t->reload });
    is(scalar(grep { $_->{in} } servers($t)), 1000, "$name, reload: all in");
    is($t->get('/')->{status}, 200, "$name: request passed");

    SKIP: {
        skip 'workers cannot be traced here', 1
            if $ENV{TEST_NGINX_VALGRIND}
               || InitGate::Strace::attach() !~ /attached/;
        count_calls($t, "$name, http");
    }

    if ($seconds) {
        measure_cpu($t, "$name, http");
        $t->reload(http => http($groups, 'tcp'));
        measure_cpu($t, "$name, tcp");
    }

    took("$name, QUIT", 1, sub { $t->quit });
}

done_testing;
