package Bench::Throughput;

# Requests a second and time on a processor, as ratios.

use strict;
use warnings;

use Bench;
use Bench::Load;


sub run {
    my ($class, $quick) = @_;

    my $rounds = $quick ? 3 : 11;
    my ($subjects, $said) = Bench::Load::rounds($rounds, 16, 1);

    my @rows = map {
        my $subject = $_;
        my @rate = Bench::Load::pairwise($subject, $subjects, $said,
            sub { $_[0]{rate} / $_[1]{rate} });
        my @cpu = Bench::Load::pairwise($subject, $subjects, $said,
            sub { $_[0]{cpu} / $_[1]{cpu} });
        my @all = @{$said->{$subject->{name}}};

        [$subject->{name},
         Bench::thousands(Bench::median(map { $_->{rate} } @all)),
         sprintf('%.3f', Bench::median(@rate)), spread(@rate),
         sprintf('%.1f µs', Bench::median(map { $_->{cpu} } @all)),
         sprintf('%.3f', Bench::median(@cpu)), spread(@cpu)]
    } @$subjects;

    return {
        title => 'Throughput, and time on a processor',
        say => "One worker (or thread), 16 connections, $rounds interleaved"
            . ' rounds of a second each. A ratio is the median of those of'
            . ' the rounds, to the first row of the group; beside it the'
            . ' quartiles.',
        tables => [{ head => ['', 'requests/s', 'ratio', 'quartiles',
                     'CPU a request', 'ratio', 'quartiles'],
                     rows => \@rows }],
    };
}


sub spread {
    return sprintf '%.3f to %.3f',
        Bench::quantile(0.25, @_), Bench::quantile(0.75, @_);
}

1;
