package InitGate::MonotonicClock;

# An nginx whose monotonic clock the test puts forward.
#
#     use InitGate::MonotonicClock;
#
#     my $clock = InitGate::MonotonicClock->new($t);   # or skips the test
#     $clock->run;                                     # in place of $t->run
#     $clock->forward(25);                             # seconds
#
# The real time passes, too: a test cannot depend on a small difference.

use strict;
use warnings;

use InitGate ();
use Test::More ();


sub is_available {
    return !InitGate::is_linked_in() && !$ENV{TEST_NGINX_VALGRIND};
}


sub new {
    my ($class, $t) = @_;

    Test::More::plan(skip_all =>
        'the module has to be loaded, without valgrind') if !is_available();

    $t->{main} .= "\nenv LATER;";

    return bless { t => $t, seconds => 0 }, $class;
}


sub run {
    my ($self) = @_;

    my $t = $self->{t};

    $t->write('later');

    local @ENV{qw(LD_PRELOAD LATER)}
        = ($t->preload('monotonic_clock'), $t->path('later'));

    return $t->run;
}


sub forward {
    my ($self, $seconds) = @_;

    $self->{seconds} += $seconds;
    $self->{t}->write('later', 'x' x $self->{seconds});
}


1;
