package Bench::Held;

# Many clients that wait at a closed gate, and the time until all are served.

use strict;
use warnings;

use Bench;
use Bench::Crowd;


sub run {
    my ($class, $quick) = @_;

    my $trials = $quick ? 2 : 5;
    my @trials = map { Bench::Crowd::trial(10_000, 2) } 1 .. $trials;

    my $line = sub {
        my ($name, $key, $format) = @_;
        my @n = map { $_->{$key} } @trials;

        return [$name, map { sprintf $format, $_ } Bench::median(@n),
                Bench::quantile(0, @n), Bench::quantile(1, @n)];
    };

    return {
        title => '10,000 requests held',
        say => "Across two workers, `interval 50ms`, $trials trials; each"
            . ' request has a connection of its own, and all were answered'
            . ' 200. Memory is what the workers took while holding them,'
            . ' nginx\'s own part of a connection and a request included.',
        tables => [{ head => ['', 'median', 'least', 'most'], rows => [
            $line->('from the marker to the first answer', 'first',
                    '%.1f ms'),
            $line->('from the first answer to the last', 'span', '%.1f ms'),
            $line->('CPU of both workers', 'cpu', '%.0f ms'),
            $line->('memory a held request', 'bytes', '%.0f B'),
        ] }],
    };
}

1;
