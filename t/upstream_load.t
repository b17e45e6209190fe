#!/usr/bin/perl

# 200 connections through two workers, while servers drain and restart, are
# killed and freeze, nginx reloads with other servers and another check, and
# the worker that probes is killed.  No request is lost or refused, and none
# goes to a server that is out: the logs of the servers are compared.
#
# TEST_UPSTREAM_SECONDS is the duration; see t/release/upstream_load.t.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Servers;
use InitGate::SteadyLoad;
use List::Util qw(max);
use Time::HiRes qw(time);

my $seconds = $ENV{TEST_UPSTREAM_SECONDS} // 8;
my $timeout = patience(1);

my $t = InitGate->new(status => 8080, quit => 15, level => 'notice',
    descriptors => 0);
my $s = InitGate::Servers->new($t, 5);
my @line = split /(?<=;\n)/, $s->lines;

sub http {
    my ($uri, @servers) = @_;

    return <<"CONF";
    upstream app {
        zone app 128k;
        keepalive 16;
@line[@servers]
    }
    init_checks app {
        check upstream app  http=$uri;
        interval 50ms 100ms;
        timeout ${timeout}s;
        fall 2;
    }
    log_format tried '\$msec \$request_time \$upstream_addr|\$upstream_status';
    map \$upstream_status \$tried { 200 0;  default 1; }
    server {
        listen 127.0.0.1:%%PORT_8080%% backlog=4096;
        location / {
            init_gate app;
            add_header X-Worker \$pid always;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass http://app;
            access_log %%DIR%%/tried.log tried if=\$tried;
        }
        location = /init { init_status details=on; }
    }
CONF
}

# the same servers, one more, one less, another check; 0 to 2 are restarted, 3
# is killed and frozen, 4 is added and removed

my @conf = map { http(@$_) } ['/ready', 0 .. 3], ['/ready', 0 .. 4],
    ['/ready', 0 .. 3], ['/ready?again', 0 .. 3];

sub is_in {
    my ($i) = @_;

    my $address = $s->address($i);

    return grep { $_->{address} eq $address && $_->{in} }
        @{$t->check('upstream')->{servers} // []};
}

sub wait_in { my ($i) = @_; $t->wait_for(sub { is_in($i) }, "server $i in") }
sub wait_out { my ($i) = @_; $t->wait_for(sub { !is_in($i) }, "server $i out") }

$s->ready(0 .. 4);
$t->run(http => $conf[0]);
wait_in($_) for 0 .. 3;

my $load = InitGate::SteadyLoad->new($t, connections => 200);
$load->more(200);

my (@out, @dead, %killed, @bounds);
my ($restarts, $reloads) = (0, 0);

sub reload {
    $t->conf(http => $conf[$reloads++ % @conf]);
    $t->signal('HUP');
}

# a server is out from the time at which this is published until it is ready

sub drained_restart {
    my ($i, $n) = @_;

    my $begun = time;
    $s->unready($i);
    reload() if $n % 6 == 0;
    wait_out($i);
    push @out, { server => $i, from => time };
    push @bounds, $out[-1]{from} - $begun;
    reload() if $n % 6 == 2;

    # it says that it is not ready for longer than its requests take

    $load->settled;
    $s->stop($i);
    reload() if $n % 6 == 4;
    $s->start($i);
    $load->settled;
    $out[-1]{to} = time;
    $s->ready($i);
    wait_in($i);
    $restarts++;
}

sub kill_server {
    my ($i) = @_;

    push @dead, { server => $i, from => time };
    $s->kill($i);
    wait_out($i);
    $dead[-1]{to} = time;
    $s->start($i);
    wait_in($i);
}

# the requests that it has accepted are served when it continues

sub freeze_server {
    my ($i) = @_;

    $s->freeze($i);
    wait_out($i);
    push @out, { server => $i, from => time };
    $load->more(100);
    $out[-1]{to} = time;
    $s->thaw($i);
    wait_in($i);
}

sub kill_prober {
    my $pid = $t->prober;
    my $from = time;
    $t->kill_prober;
    $killed{$pid} = { from => $from, to => time };
}

my $begun = time;

for (my $n = 0; $n < 6 || time < $begun + $seconds; $n++) {
    drained_restart($n % 3, $n);
    freeze_server(3) if $n % 12 == 1;
    kill_server(3) if $n % 6 == 3;
    kill_prober() if $n % 6 == 5;
}

my $took = time - $begun;
my ($answered, @failed) = $load->stop;

note sprintf '%d requests in %.0f s, %d restarts, %d reloads, %d killed workers '
    . 'with %d requests, %d killed servers; a server was out %.0f ms after '
    . 'its first 503 at most', $answered, $took, $restarts, $reloads,
    scalar(keys %killed), scalar(@failed), scalar(@dead), 1000 * max(@bounds);

# a killed worker loses the requests of its own connections

sub of_killed_worker {
    my ($failed) = @_;

    return $failed->{what} eq 'lost' && ($killed{$failed->{worker}}
        || grep { $failed->{sent} <= $_->{to}
                  && $failed->{ended} >= $_->{from} } values %killed);
}

my @lost = grep { !of_killed_worker($_) } @failed;

ok($answered, 'load: requests answered');
ok(!@lost, 'load: none refused, none lost') or diag(explain(\@lost));

# requests that were sent while a server was out, in its log

sub misdirected {
    my ($i) = @_;

    my @periods = grep { $_->{server} == $i } @out;
    my @found;

    for ($s->lines_of($i)) {
        my ($logged, $sent) = m{^(\S+) \d+ /\?([\d.]+) } or next;

        push @found, $_ if grep { $_->{from} < $sent && $logged < $_->{to} }
            @periods;
    }

    return @found;
}

for my $i (0 .. 3) {
    my @found = misdirected($i);
    ok(!@found, "server $i, while it was out: got no request")
        or diag(join "\n", @found);
    ok($s->requests($i), "server $i: got requests");
}

# requests that nginx passed to another server after a failure

sub failed_at_living_server {
    my ($line) = @_;

    my ($end, $time, $addresses, $statuses) = $line =~ m{^(\S+) (\S+) (.*)\|(.*)};
    my @addresses = split /, /, $addresses;
    my @statuses = split /, /, $statuses;

    for my $n (0 .. $#addresses) {
        next if $statuses[$n] eq '200';
        return 1 if !grep { $s->address($_->{server}) eq $addresses[$n]
            && $end - $time <= $_->{to} && $end >= $_->{from} - 0.1 } @dead;
    }

    return 0;
}

my @tried = grep { failed_at_living_server($_) } split /\n/, $t->read('tried.log');

ok(!@tried, 'nginx: only attempts at a killed server failed')
    or diag(join "\n", @tried);

done_testing;
