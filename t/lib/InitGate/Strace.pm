package InitGate::Strace;

# What the worker that probes asks of the system, by strace.
#
#     plan_traced()         skips the test where nobody can be traced
#     traced($t, OPTION, NAME ...)
#                           traces until each of these checks has been probed
#                           80 times more.  Returns how often each check was
#                           (a hash) and the lines of strace.  Ends the test
#                           where this worker may not be traced.

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
        @{$t->json('/init')->{gates}[0]{checks}};
}

1;
