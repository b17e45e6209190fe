package Bench::Crowd;

# Requests held in two workers, and resumed: their cost, and the time between
# the first response and the last.

use strict;
use warnings;

use Bench;
use Bench::Nginx;
use FindBin;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep);


sub trial {
    my ($n, $workers) = @_;

    my $dir = Bench::directory();
    my $nginx = Bench::Nginx->new(workers => $workers, listen => 'reuseport',
        http => "init_checks gate { check file $dir/marker; interval 50ms; }",
        location => "init_gate gate; init_hold 300s max=16000; empty_gif;",
        server => 'location = /init { init_status details=on; }');

    my @workers = $nginx->workers;

    Bench::wait_for(sub { gate($nginx)->{state} eq 'initializing' },
        'the first verdict');

    my ($before, $own) = Bench::resident(@workers);

    open my $crowd, '-|', "$FindBin::Bin/../build/bench/crowd", $nginx->port,
        $n, '/' or die "crowd: $!";

    <$crowd> // die 'the crowd did not come in';
    Bench::wait_for(sub { gate($nginx)->{held} == $n }, "$n held");

    my ($with, $own_with) = Bench::resident(@workers);
    my $cpu = Bench::cpu(@workers);

    Bench::touch("$dir/marker");
    my $opened = clock_gettime(CLOCK_MONOTONIC);

    my ($answers, $ok, $first, $last) = split ' ', <$crowd> // '';
    close $crowd or die 'the crowd was turned away';

    die "$ok of $n were let through" if $ok != $n;

    return {
        n => $n,
        first => 1000 * ($first - $opened),
        span => 1000 * ($last - $first),
        cpu => (Bench::cpu(@workers) - $cpu) / 1e6,
        bytes => ($own_with - $own) / $n,
    };
}


sub gate { $_[0]->status('/init')->{gates}[0] }

1;
