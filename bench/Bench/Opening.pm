package Bench::Opening;

# From the marker's appearance to the first 200.

use strict;
use warnings;

use Bench;
use Bench::Nginx;
use Time::HiRes qw(time sleep);

my $interval = 0.25;


sub run {
    my ($class, $quick) = @_;

    my $trials = $quick ? 25 : 100;
    my $ms = $interval * 1000;
    my $dir = Bench::directory();

    my $nginx = Bench::Nginx->new(
        http => join('', map { "init_checks g$_ { check file $dir/$_;"
                               . " interval ${ms}ms; }\n" } 1 .. $trials),
        server => join('', map { "location = /$_ { init_gate g$_;"
                                 . " empty_gif; }\n" } 1 .. $trials),
        location => 'empty_gif;');

    my $socket = Bench::connected($nginx->port);

    Bench::wait_for(sub {
        Bench::ask($socket, "/$trials") =~ /state=initializing/
    }, 'the first verdicts');

    my @took = map { trial($socket, $dir, $_) } 1 .. $trials;

    my ($p50, $p99) = map { 1000 * Bench::quantile($_, @took) } 0.5, 0.99;

    return {
        title => 'Opening',
        say => "From the marker's appearance to the first 200, asked once a"
            . " millisecond, over $trials trials with `interval ${ms}ms`.",
        tables => [{ head => ['p50', 'p99', 'most', 'p99 - interval'],
            rows => [[map({ sprintf '%.1f ms', $_ }
                $p50, $p99, 1000 * Bench::quantile(1, @took), $p99 - $ms)]] }],
    };
}


sub trial {
    my ($socket, $dir, $name) = @_;

    # at any time between two probes
    sleep rand $interval;

    Bench::touch("$dir/$name");
    my $began = time;

    until (Bench::status(Bench::ask($socket, "/$name")) == 200) {
        die 'the gate does not open' if time > $began + 60;
        sleep 0.001;
    }

    return time - $began;
}

1;
