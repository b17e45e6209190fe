package Bench::Growth;

# How each cost grows: with checks, gates, held requests, files of a tree.

use strict;
use warnings;

use Bench;
use Bench::Crowd;
use Bench::Memory;
use Bench::Nginx;
use File::Path ();
use InitGate::Callgrind;
use Time::HiRes qw(time sleep);


sub run {
    my ($class, $quick) = @_;

    my @parts = (checks($quick), gates($quick), named($quick), held($quick),
                 tree($quick));

    return {
        title => 'Growth',
        say => 'Checks are of files that are missing, at `interval 1s`.'
            . ' While a directory is counted, another client asks for a page'
            . ' all the time: the longest it had to wait.',
        tables => [map { $_->{table} } @parts],
        curves => [map { @{$_->{curves}} } @parts],
    };
}


sub probing {
    my ($gates, $checks, $seconds) = @_;

    my $dir = Bench::directory();
    my $nginx = Bench::Nginx->new(
        http => Bench::Memory::gates($dir, $gates, $checks),
        location => 'init_gate g1; empty_gif;',
        server => 'location = /init { init_status; }');
    my @pids = $nginx->workers;

    sleep 2.5;

    my ($cpu, $began) = (-Bench::cpu(@pids), time);
    sleep $seconds;
    $cpu = ($cpu + Bench::cpu(@pids)) / (time - $began) / 1e6;

    my $body = length Bench::ask(Bench::connected($nginx->port), '/');

    return ($cpu, Bench::Memory::mapped($nginx->master), $body);
}


sub checks {
    my ($quick) = @_;

    my (@rows, @cpu, @shared);

    for my $n (1, 10, 100, 1000) {
        my ($cpu, $shared, $body) = probing(1, $n, $quick ? 3 : 10);

        push @cpu, [$n, $cpu];
        push @shared, [$n, $shared / 1024];
        push @rows, [$n, sprintf('%.2f ms', $cpu), Bench::thousands($shared),
                     Bench::thousands($body)];
    }

    return {
        table => { head => ['checks of a gate', 'CPU a second',
                            'shared bytes', 'bytes of a refusal'],
                   rows => \@rows },
        curves => [
            { title => 'CPU a second, ms, by checks', points => \@cpu },
            { title => 'Shared memory, KiB, by checks',
              points => \@shared },
        ],
    };
}


sub gates {
    my ($quick) = @_;

    my (@rows, @points);

    for my $n (1, 10, 100) {
        my ($cpu, $shared) = probing($n, 1, $quick ? 3 : 10);

        push @points, [$n, $cpu];
        push @rows, [$n, sprintf('%.2f ms', $cpu), Bench::thousands($shared)];
    }

    return {
        table => { head => ['gates of one check', 'CPU a second',
                            'shared bytes'], rows => \@rows },
        curves => [{ title => 'CPU a second, ms, by gates',
                     points => \@points }],
    };
}


# gates that one location names

sub named {
    my ($quick) = @_;

    my $dir = Bench::directory();
    Bench::touch("$dir/missing");

    my $plain = InitGate::Callgrind->new(module => 0,
        location => 'empty_gif;')->per_request;
    my (@rows, @points);

    for my $n ($quick ? (1, 10, 100) : (1, 3, 10, 30, 100)) {
        my $names = join ' ', map { "g$_" } 1 .. $n;

        my $more = InitGate::Callgrind->new(
            http => Bench::Memory::gates($dir, $n, 1),
            location => "init_gate $names; empty_gif;",
            ready => sub { Bench::status($_[0]) == 200 },
        )->per_request - $plain;

        push @points, [$n, $more];
        push @rows, [$n, Bench::thousands($more)];
    }

    return {
        table => { head => ['open gates of a location',
                            'instructions a request more'],
                   rows => \@rows },
        curves => [{ title => 'Instructions a request, by gates of a location',
                     points => \@points }],
    };
}


sub held {
    my (@rows, @points);

    for my $n (1, 10, 100, 1000, 10_000) {
        my $trial = Bench::Crowd::trial($n, 2);

        push @points, [$n, $trial->{cpu}];
        push @rows, [Bench::thousands($n),
            sprintf('%.1f ms', $trial->{span}),
            sprintf('%.2f ms', $trial->{cpu}),
            Bench::thousands($trial->{bytes} * $n)];
    }

    return {
        table => { head => ['requests held', 'first answer to last',
                            'CPU to serve them', 'memory'], rows => \@rows },
        curves => [{ title => 'CPU to serve held requests, ms, by requests',
                     points => \@points }],
    };
}


sub tree {
    my ($quick) = @_;

    my $dir = Bench::directory();
    my (@rows, @points);
    my $made = 0;

    for my $n (1000, 10_000, 100_000, $quick ? () : 1_000_000) {
        while ($made < $n) {
            my $sub = sprintf '%s/%04d', "$dir/tree", $made / 1000;

            File::Path::make_path($sub, { mode => 0755 });
            Bench::touch(map { "$sub/$_" } 1 .. 1000);
            $made += 1000;
        }

        my ($seconds, $cpu, $wait) = count("$dir/tree", $n);

        push @points, [$n, 1000 * $cpu];
        push @rows, [Bench::thousands($n), sprintf('%.2f s', $seconds),
            sprintf('%.2f s', $cpu), sprintf('%.1f ms', 1000 * $wait)];
    }

    system 'rm', '-rf', "$dir/tree";

    return {
        table => { head => ['files in a directory tree', 'counted within',
                            'CPU', 'longest wait of another'],
                   rows => \@rows },
        curves => [{ title => 'CPU to count a tree, ms, by files',
                     points => \@points }],
    };
}


sub count {
    my ($tree, $n) = @_;

    # the gate's own request comes first: the tree is counted once
    my $nginx = Bench::Nginx->new(
        http => "init_checks gate { check file $tree files=$n timeout=10m; }",
        location => 'empty_gif;',
        server => 'location = /init { init_status; }');

    my $socket = Bench::connected($nginx->port);
    my @pids = $nginx->workers;
    my ($cpu, $began, $longest) = (0, time, 0);

    while (1) {
        for (1 .. 10) {
            my $asked = time;

            Bench::ask($socket, '/');

            my $took = time - $asked;
            $longest = $took if $took > $longest;
            sleep 0.002;
        }

        last if $nginx->status('/init')->{ready};
        die 'the tree is not counted' if time > $began + 600;
    }

    return (time - $began, Bench::cpu(@pids) / 1e9, $longest);
}

1;
