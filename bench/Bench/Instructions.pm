package Bench::Instructions;

# Instructions for each request, counted by callgrind: reproducible numbers.

use strict;
use warnings;

use Bench;
use Bench::Subjects;
use InitGate::Callgrind;


sub run {
    my $backend = Bench::Subjects::backend();
    my (%first, @rows, @bars);

    for my $subject (Bench::Subjects::all($backend)) {
        next if $subject->{start};

        my $n = count($subject);
        my $base = $first{$subject->{family}} //= $n;

        push @rows, [$subject->{name}, Bench::thousands($n),
            Bench::signed($n - $base), sprintf '%+.1f %%',
            100 * ($n / $base - 1)];

        push @bars, [$subject->{name}, $n - $base]
            if $subject->{family} eq 'open' && $n > $base + 10;
    }

    return {
        title => 'Instructions a request',
        say => 'Counted by callgrind over 1,000 requests on one connection,'
            . ' user space only, malloc\'s own work left out. Each group is'
            . ' compared with its first row. `return 503` has the headers of'
            . ' the gate\'s refusal and a body of the same size, the file of'
            . ' `error_page` the size of the waiting page.',
        tables => [{ head => ['', 'instructions', 'more', ''],
                     rows => \@rows }],
        bars => { title => 'Instructions that a request costs more than with '
                  . 'plain nginx', values => \@bars },
    };
}


sub count {
    my ($subject) = @_;

    my $accept = defined $subject->{accept}
        ? "Accept: $subject->{accept}\r\n" : '';

    return InitGate::Callgrind->new(
        request => "GET / HTTP/1.1\r\nHost: localhost\r\n$accept\r\n",
        ready => sub {
            return Bench::status($_[0]) == $subject->{expect}
                   && (!$subject->{ready} || $subject->{ready}->($_[0]));
        },
        map({ $_ => $subject->{$_} // '' } qw(main http location module)),
    )->per_request;
}

1;
