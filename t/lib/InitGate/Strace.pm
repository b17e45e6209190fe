package InitGate::Strace;

# The system calls of the prober, by strace.
#
#     plan_traced()         skips the test if processes cannot be traced
#     traced($t, OPTION, NAME ...)
#                           traces until each of these checks has been probed
#                           80 times more.  Returns the number of probes by
#                           check (a hash) and the lines of strace.  Ends the
#                           test if this worker cannot be traced.

use strict;
use warnings;

use POSIX ();
use Test::More;

use Exporter 'import';
our @EXPORT = qw(plan_traced traced);


sub plan_traced {
    plan(skip_all => 'no strace')
        if !grep { -x "$_/strace" } split /:/, $ENV{PATH};
    plan(skip_all => 'not under valgrind') if $ENV{TEST_NGINX_VALGRIND};
}


sub traced {
    my ($t, $option, @names) = @_;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDERR, '>', $t->path('strace.err');
        { no warnings;
          exec 'strace', $option, '-o', $t->path('strace'), '-p', $t->prober }
        POSIX::_exit(127);
    }

    if (!$t->wait_for(sub { $t->read('strace.err') =~ /attached|ptrace/ },
            'strace') || $t->read('strace.err') !~ /attached/)
    {
        waitpid $pid, 0;
        diag($t->read('strace.err'));
        done_testing();
        exit;
    }

    my %before = attempts($t);

    $t->wait_for(sub {
        my %now = attempts($t);
        return !grep { $now{$_} < $before{$_} + 80 } @names;
    }, 'probes', 20);

    my %probes = attempts($t);
    $probes{$_} -= $before{$_} for keys %probes;

    kill 'INT', $pid;
    waitpid $pid, 0;

    return (\%probes, split /\n/, $t->read('strace'));
}


sub attempts {
    my ($t) = @_;

    return map { $_->{name} => $_->{attempts} }
        @{$t->gate->{checks}};
}

1;
