#!/usr/bin/perl

# Notices in force before they are answered, in every worker, each time; and a
# thousand a second beside other requests.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use IO::Select;
use Time::HiRes qw(time);

my $trials = $ENV{TEST_NGINX_TRIALS} || 600;
my $seconds = $ENV{TEST_NGINX_SECONDS} || 2;

my $t = InitGate->new(workers => 3, level => 'notice', http => <<'CONF');
    init_checks app { check notify import;  latch off; }
    init_checks load { @many@  latch off;  interval 5s; }
    log_format times '$request_time $uri';
    server {
        listen 127.0.0.1:%%PORT_8080%% reuseport;
        access_log %%DIR%%/times.log times;
        keepalive_requests 1000000;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
        location /notify/ { init_notify token_file=%%DIR%%/token; }
        location = /204 { return 204; }
        location = /other { empty_gif; }
        location = /pid { add_header X-Pid $pid;  empty_gif;  access_log off; }
    }
CONF

my $clients = 8;

$t->{http} =~ s/\@many\@/join ' ', map { "check notify c$_;" } 1 .. $clients/e;
$t->write('token', 's3cret-token');
$t->run;

sub head {
    my ($method, $uri) = @_;

    return "$method $uri HTTP/1.1\r\nHost: a\r\n"
        . ($method eq 'POST'
           ? "Authorization: Bearer s3cret-token\r\nContent-Length: 0\r\n" : '')
        . "\r\n";
}

# reads whole responses without a body

sub status {
    my ($socket) = @_;

    my $got = '';

    until ($got =~ /\r\n\r\n/) {
        sysread $socket, $got, 4096, length $got or return 0;
    }

    my ($length) = $got =~ /^Content-Length: (\d+)/mi;
    my ($body) = $got =~ /\r\n\r\n(.*)/s;

    while (length $body < ($length // 0)) {
        sysread $socket, $body, 4096, length $body or return 0;
    }

    return $got =~ m{^HTTP/1.1 (\d+)} ? $1 : 0;
}

# a kept connection to each worker

my %worker;

$t->wait_for(sub {
    my $socket = $t->connect;
    $socket->syswrite(head('GET', '/pid'));
    my $got = '';
    sysread $socket, $got, 4096;
    $got =~ /^X-Pid: (\d+)/m and $worker{$1} //= $socket;
    return keys %worker == 3;
}, 'a connection to each worker');

my @sockets = values %worker;
my $wrong = 0;
my %told;

for my $n (1 .. $trials) {
    my $passed = $n % 2;
    my $teller = $sockets[$n % 3];

    $teller->syswrite(head('POST', '/notify/app/import?verdict='
        . ($passed ? 'passed' : 'running')));
    $told{status($teller)}++;

    for my $socket (@sockets) {
        $socket->syswrite(head('GET', '/'));
    }

    for my $socket (@sockets) {
        $wrong++ if status($socket) != ($passed ? 200 : 503);
    }
}

is_deeply(\%told, { 204 => $trials }, "$trials notices: 204");
is($wrong, 0, "$trials notices: in force in each worker, each time");

# clients with a notify check each, at a total rate; the last one stands

sub load {
    my ($uri, $rate) = @_;

    my @pids;
    my $start = time;

    for my $c (1 .. $clients) {
        my $pid = fork // die "fork: $!";

        if ($pid == 0) {
            my $socket = $t->connect;
            my ($n, $status) = (0, 0);

            while (time < $start + $seconds) {
                my $next = $start + $n * $clients / $rate;
                my $left = $next - time;
                Time::HiRes::sleep($left) if $left > 0;
                $n++;
                $socket->syswrite(head('POST', $uri =~ s/%c/$c/r =~ s/%n/$n/r));
                $status = status($socket);
                last if $status != 204;
            }

            $t->write("last$c", "$status $n");
            POSIX::_exit(0);
        }

        push @pids, $pid;
    }

    # ordinary requests beside

    my $socket = $t->connect;
    my @times;

    while (time < $start + $seconds) {
        my $begin = time;
        $socket->syswrite(head('GET', '/other'));
        status($socket);
        push @times, time - $begin;
        Time::HiRes::sleep(0.002);
    }

    waitpid $_, 0 for @pids;

    my $sent = 0;
    $sent += (split ' ', $t->read("last$_"))[1] for 1 .. $clients;
    @times = sort { $a <=> $b } @times;

    return ($sent / $seconds, 1000 * $times[int 0.99 * $#times]);
}

my ($plain_rate, $plain) = load('/204', 1000);
my ($rate, $p99) = load('/notify/load/c%c?verdict=running&observed=%n'
    . '&expected=1000000', 1000);

note(sprintf 'other requests, p99: %.1f ms beside %.0f/s of "return 204", '
    . '%.1f ms beside %.0f/s notices', $plain, $plain_rate, $p99, $rate);

for my $c (1 .. $clients) {
    my ($status, $n) = split ' ', $t->read("last$c");

    # a prober without processor time for two seconds: 202, and in force later

    like($status, qr/^20[24]$/, "client $c: $status");
    $t->wait_for(sub { $t->check("c$c")->{observed} == $n },
        "client $c: its last notice") if $status == 202;
    is($t->check("c$c")->{observed}, $n, "client $c: its last notice stands");
}

cmp_ok($p99, '<', patience(100 * ($plain < 2 ? 2 : $plain)),
    'other requests: not delayed');

done_testing;
