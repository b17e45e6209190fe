package Bench::Memory;

# Memory: shared, by the zones that nginx maps, and of a worker.

use strict;
use warnings;

use Bench;
use Bench::Crowd;
use Bench::Nginx;
use Bench::Probing;
use Bench::Subjects;
use FindBin;
use InitGate ();
use IO::Socket::INET;
use Time::HiRes ();


sub run {
    my ($class, $quick) = @_;

    my $dir = Bench::directory();
    my $few = shared($dir, 1, 1);
    my $checks = (shared($dir, 1, 1001) - $few) / 1000;
    my $gates = (shared($dir, 101, 1) - $few) / 100;

    my @rows = (
        ['shared: a gate with one check, all of the zone', bytes($few)],
        ['shared: a check more', bytes($checks)],
        ['shared: a gate with one check more', bytes($gates)],
        workers($dir),
        ['a held request, nginx\'s own part included',
         bytes(Bench::Crowd::trial($quick ? 2000 : 10_000, 2)->{bytes})],
        ['a request that waits for a slow backend, in plain nginx',
         bytes(slow($quick ? 2000 : 5000))],
    );

    return {
        title => 'Memory',
        say => 'Shared memory is what nginx maps for the zone. A worker\'s is'
            . ' compared with plain nginx, both after a few requests:'
            . ' resident, private to it, and proportional: pages of files, of'
            . ' the zone and of the master count in parts, by how many'
            . ' processes share them. PostgreSQL\'s library brings others,'
            . ' and is loaded for the first check that needs it.',
        tables => [{ head => ['', 'bytes'], rows => \@rows }],
    };
}


sub bytes { Bench::thousands($_[0]) }


sub gates {
    my ($dir, $gates, $checks) = @_;

    return join '', map {
        my $gate = $_;

        "init_checks g$gate {\n" . join('', map {
            "check file $dir/missing name=c$_;\n"
        } 1 .. $checks) . "}\n"
    } 1 .. $gates;
}


sub shared {
    my ($dir, $gates, $checks) = @_;

    my $nginx = Bench::Nginx->new(location => 'init_gate g1; empty_gif;',
        http => gates($dir, $gates, $checks));

    return mapped($nginx->master);
}


sub mapped {
    my ($pid) = @_;

    open my $maps, '<', "/proc/$pid/maps" or die $!;
    my $sum = 0;

    while (<$maps>) {
        no warnings 'portable';
        $sum += hex($2) - hex($1)
            if m{^([0-9a-f]+)-([0-9a-f]+) rw-s .*/dev/zero};
    }

    return $sum;
}


# over plain nginx, medians of several, after some probes

sub workers {
    my ($dir) = @_;

    my $backend = Bench::Subjects::backend();
    my $servers = InitGate->new;

    my $gate = sub {
        return http => "init_checks g1 { interval 20ms 20ms;  latch off;\n"
            . "check $_[0]; }", location => 'init_gate g1; empty_gif;';
    };

    my $of = sub {
        my @taken = map {
            my $nginx = Bench::Nginx->new(@_);
            Bench::ask(Bench::connected($nginx->port), '/') for 1 .. 5;
            Time::HiRes::sleep(0.2);
            [Bench::resident($nginx->workers)]
        } 1 .. 5;

        return map { my $i = $_; Bench::median(map { $_->[$i] } @taken) }
            0 .. 2;
    };

    my @plain = $of->(module => 0, location => 'empty_gif;');

    return map {
        my ($name, @args) = @$_;
        my @taken = $of->(@args);

        ["a worker over plain nginx, $name: resident, private,"
         . ' proportional',
         join ' / ', map { bytes($taken[$_] - $plain[$_]) } 0 .. 2]
    } (
        ['module not used', location => 'empty_gif;'],
        ['100 checks of files', http => gates($dir, 1, 100),
         location => 'init_gate g1; empty_gif;'],
        map { ["a check, $_->[0]", $gate->("$_->[0] \"$_->[1]\"")] }
            Bench::Probing::types($dir, $backend->port, $servers),
    );
}


# memory of nginx itself for a waiting request

sub slow {
    my ($n) = @_;

    my $silent = IO::Socket::INET->new(Listen => 4096, ReuseAddr => 1,
        LocalAddr => '127.0.0.1:0') or die $!;
    my $port = $silent->sockport;

    my $nginx = Bench::Nginx->new(workers => 2, listen => 'reuseport',
        module => 0, location => "proxy_pass http://127.0.0.1:$port;");
    my @workers = $nginx->workers;
    my (undef, $own) = Bench::resident(@workers);

    my $pid = open my $crowd, '-|', "$FindBin::Bin/../build/bench/crowd",
        $nginx->port, $n, '/' or die "crowd: $!";

    <$crowd> // die 'the crowd did not come in';

    # grows until the last request has been read
    my ($with, $last) = (0, -1);

    while ($with != $last) {
        Time::HiRes::sleep(0.5);
        $last = $with;
        (undef, $with) = Bench::resident(@workers);
    }

    kill 'TERM', $pid;
    close $crowd;

    return ($with - $own) / $n;
}

1;
