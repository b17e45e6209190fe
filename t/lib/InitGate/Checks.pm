package InitGate::Checks;

# What a test asks of single checks, by "location = /init" with details.
#
#     check($t, NAME)       the check as the status tells it
#     probed($t, NAME)      the same, once everything that happened before the
#                           call has been seen by a whole probe
#     verdict($t, NAME, VERDICT [, REGEX])
#                           tests the verdict and reason ("waiting missing")
#                           of such a probe, and its message
#     settles($t, NAME, VERDICT [, REGEX])
#                           the same, but waits for them, since others need
#                           their time, too; VERDICT may be a regex as well
#
# Both tests return the check.
#
# A check goes on being probed as long as its gate is closed: have a required
# check beside it that does not pass.

use strict;
use warnings;

use Test::More ();

use Exporter 'import';
our @EXPORT = qw(check probed verdict settles);


sub check {
    my ($t, $name, $uri) = @_;

    my ($check) = grep { $_->{name} eq $name }
        map { @{$_->{checks}} } @{$t->json($uri // '/init')->{gates} // []};

    return $check // {};
}


sub probed {
    my ($t, $name, $uri) = @_;

    my $before = check($t, $name, $uri)->{attempts} // 0;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    # the one in flight may have begun before
    return $t->wait_for(sub {
        my $check = check($t, $name, $uri);
        return ($check->{attempts} // 0) > $before + 1 && $check;
    }, "probes of $name") || {};
}


sub verdict {
    my ($t, $name, $expected, $message, $uri) = @_;

    my $check = probed($t, $name, $uri);
    my $got = words($check);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    Test::More::is($got, $expected, "$name: $expected")
        or Test::More::diag($check->{message} // 'no message');

    Test::More::like($check->{message} // '', $message, "$name: message")
        if $message;

    return $check;
}


sub settles {
    my ($t, $name, $expected, $message) = @_;

    my $check;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $settled = $t->wait_for(sub {
        $check = check($t, $name);
        my $got = words($check);

        return (ref $expected ? $got =~ $expected : $got eq $expected)
            && (!$message || ($check->{message} // '') =~ $message);
    }, "$name: $expected", 20);

    $settled ? Test::More::pass("$name: $expected")
        : Test::More::diag('it is ' . words($check) . ': '
            . ($check->{message} // 'no message'));

    return $check;
}


sub words { join ' ', grep { defined } @{$_[0]}{qw(verdict reason)} }


1;
