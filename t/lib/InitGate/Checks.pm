package InitGate::Checks;

# Tests of the verdicts of checks, as "location = /init" with details has them.
#
#     probed($t, NAME)      the check, after a probe that began after the call
#                           has ended
#     verdict($t, NAME, VERDICT [, REGEX])
#                           tests verdict and reason ("waiting missing") of
#                           such a probe, and its message
#     settles($t, NAME, VERDICT [, REGEX])
#                           the same, but waits for them, where another process
#                           has to act first; VERDICT may be a regex as well
#     verdicts($t, [NAME, VERDICT, REGEX, LABEL], ...)
#                           waits until each check has ended, and tests all of
#                           them at once; returns them by their names
#
# verdict() and settles() return the check.
#
# A check is probed as long as its gate is closed: a required check that never
# passes keeps it closed.

use strict;
use warnings;

use Test::More ();

use Exporter 'import';
our @EXPORT = qw(probed verdict settles verdicts);


sub probed {
    my ($t, $name) = @_;

    my $before = $t->check($name)->{attempts} // 0;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    # a probe may have begun before the call
    return $t->wait_for(sub {
        my $check = $t->check($name);
        return ($check->{attempts} // 0) > $before + 1 && $check;
    }, "probes of $name") || {};
}


sub verdict {
    my ($t, $name, $expected, $message) = @_;

    my $check = probed($t, $name);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_verdict($check, $expected, $message, $name);

    return $check;
}


sub settles {
    my ($t, $name, $expected, $message) = @_;

    my $check;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $settled = $t->wait_for(sub {
        $check = $t->check($name);
        my $got = words($check);

        return (ref $expected ? $got =~ $expected : $got eq $expected)
            && (!$message || ($check->{message} // '') =~ $message);
    }, "$name: $expected");

    $settled ? Test::More::pass("$name: $expected")
        : Test::More::diag('it is ' . words($check) . ': '
            . ($check->{message} // 'no message'));

    return $check;
}


sub verdicts {
    my ($t, @expected) = @_;

    my %check;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $t->wait_for(sub {
        %check = map { $_->{name} => $_ } map { @{$_->{checks}} } $t->gates;
        return !grep { ($check{$_->[0]}{verdict} // 'pending') eq 'pending' }
            @expected;
    }, 'a verdict of each check');

    for (@expected) {
        my ($name, $expected, $message, $label) = @$_;

        is_verdict($check{$name}, $expected, $message, $label // $name);
    }

    return \%check;
}


sub is_verdict {
    my ($check, $expected, $message, $label) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    Test::More::is(words($check), $expected, "$label: $expected")
        or Test::More::diag($check->{message} // 'no message');

    Test::More::like($check->{message} // '', $message, "$label: message")
        if $message;
}


sub words { join ' ', grep { defined } @{$_[0]}{qw(verdict reason)} }


1;
