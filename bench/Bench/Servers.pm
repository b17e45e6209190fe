package Bench::Servers;

# A thousand servers of upstreams at interval 5s, in one group and in a
# hundred, beside nginx without checks.

use strict;
use warnings;

use Bench;
use Bench::Nginx;
use InitGate ();
use Time::HiRes qw(time sleep);


sub run {
    my ($class, $quick) = @_;

    my $backend = backend();
    my @rows = map { measure(@$_, $backend->port(8080), $quick ? 10 : 30) }
        [1, 'http=/ready'], [1, 'tcp'], [100, 'http=/ready'], [100, 'tcp'];

    return {
        title => 'Servers of upstreams',
        say => '1,000 servers, all in, probed at `interval 5s 5s` by one'
            . ' worker. The share is of one core. Memory is that of the worker'
            . ' that probes, for each server, over nginx without the checks:'
            . ' shared, and its own. A reload ends when the old worker has'
            . ' exited.',
        tables => [{ head => ['groups', 'check', 'share', 'CPU a probe',
            'nginx -t', 'reload', 'status', 'metrics', 'shared memory',
            'own memory'], rows => \@rows }],
    };
}


# one server at a thousand addresses

sub backend {
    my $backend = InitGate->new(module => 0, workers => 1, level => 'error',
        events => 'worker_connections 4096;');

    $backend->run(http => <<'CONF');
        keepalive_timeout 0;
        server {
            listen %%PORT_8080%% backlog=4096;
            location / { return 200 "ready\n"; }
        }
CONF

    return $backend;
}


sub http {
    my ($groups, $check, $port) = @_;

    my @address = map { '127.1.' . int($_ / 250) . '.' . ($_ % 250 + 1)
        . ":$port" } 0 .. 999;
    my $text = '';

    for my $g (1 .. $groups) {
        my @servers = splice @address, 0, 1000 / $groups;

        $text .= "upstream app$g { zone app$g " . (64 + 2 * @servers) . "k;\n"
            . join('', map { "server $_;\n" } @servers) . "}\n";
        $text .= "init_checks app$g { check upstream app$g $check;"
            . " interval 5s 5s; }\n" if $check;
    }

    return $text;
}


sub start {
    my ($groups, $check, $port) = @_;

    return Bench::Nginx->new(http => http($groups, $check, $port),
        location => ($check ? 'init_gate app1; ' : '')
            . 'proxy_pass http://app1;',
        server => $check ? 'location = /init { init_status details=on; }'
            . 'location = /metrics { init_status format=prometheus; }' : '');
}


sub measure {
    my ($groups, $check, $port, $seconds) = @_;

    my @plain = memory(start($groups, '', $port));
    my $nginx = start($groups, $check, $port);

    Bench::wait_for(sub {
        1000 == grep { $_->{in} } map { @{$_->{servers}} }
            map { @{$_->{checks}} } @{$nginx->status('/init')->{gates}}
    }, 'all servers');

    my @memory = memory($nginx);
    sleep 6;

    my ($began, $cpu) = (time, -Bench::cpu($nginx->workers));
    sleep $seconds;
    $cpu = ($cpu + Bench::cpu($nginx->workers)) / 1e9 / (time - $began);

    my $port_of_nginx = $nginx->port;
    my @reports = map {
        my $uri = $_;
        ms(sub { Bench::ask(Bench::connected($port_of_nginx), $uri) })
    } '/init', '/metrics';

    return [$groups, "`$check`", sprintf('%.2f %%', 100 * $cpu),
        sprintf('%.0f µs', 1e6 * $cpu / 200), test($nginx), reload($nginx),
        @reports,
        map { sprintf '%.1f KiB', ($memory[$_] - $plain[$_]) / 1000 } 0, 1];
}


sub memory {
    my ($nginx) = @_;

    my ($pid) = $nginx->workers;
    open my $file, '<', "/proc/$pid/status" or die $!;
    my $status = join '', <$file>;

    return map { $status =~ /^$_:\s+(\d+)/m ? $1 : 0 } qw(RssShmem RssAnon);
}


sub ms {
    my ($code) = @_;

    my $began = time;
    $code->();

    return sprintf '%.0f ms', 1000 * (time - $began);
}


sub test {
    my ($nginx) = @_;

    my $dir = $nginx->dir;

    return ms(sub {
        system(InitGate::binary(), '-t', '-q', '-p', "$dir/", '-c',
            'nginx.conf', '-e', 'error.log') == 0 or die 'nginx -t';
    });
}


sub reload {
    my ($nginx) = @_;

    my ($old) = $nginx->workers;

    return ms(sub {
        kill 'HUP', $nginx->master;
        Bench::wait_for(sub { !grep { $_ == $old } $nginx->workers },
            'the reload');
    });
}


1;
