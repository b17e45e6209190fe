package Bench::Latency;

# The time that the gate adds to the response time of one client.

use strict;
use warnings;

use Bench;
use Bench::Load;


sub run {
    my ($class, $quick) = @_;

    my $rounds = $quick ? 3 : 11;
    my ($subjects, $said) = Bench::Load::rounds($rounds, 1, 1);

    my @rows = map {
        my $subject = $_;
        my @all = @{$said->{$subject->{name}}};

        [$subject->{name}, map {
            my $p = $_;
            my @more = Bench::Load::pairwise($subject, $subjects, $said,
                sub { $_[0]{$p} - $_[1]{$p} });

            (sprintf('%.0f µs', Bench::median(map { $_->{$p} } @all)),
             sprintf('%+.0f µs', Bench::median(@more)),
             sprintf('%+.0f to %+.0f', Bench::quantile(0.25, @more),
                     Bench::quantile(0.75, @more)))
        } qw(p50 p99)]
    } @$subjects;

    return {
        title => 'Latency',
        say => "One connection, one request at a time, $rounds interleaved"
            . ' rounds of a second each; "added" is the median of the'
            . ' differences of the rounds to the first row of the group,'
            . ' beside it the quartiles.',
        tables => [{ head => ['', 'p50', 'added', 'quartiles',
                              'p99', 'added', 'quartiles'],
                     rows => \@rows }],
    };
}

1;
