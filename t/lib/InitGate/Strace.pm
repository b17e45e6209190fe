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

    # the requests are among the lines, so that calls and probes are counted
    # between the same two moments

    my %before = attempts($t, 'begin');

    $t->wait_for(sub {
        my %now = attempts($t, 'more');
        return !grep { $now{$_} < $before{$_} + 80 } @names;
    }, 'probes');

    my %probes = attempts($t, 'end');
    $probes{$_} -= $before{$_} for keys %probes;

    kill 'INT', $pid;
    waitpid $pid, 0;

    my ($lines) = $t->read('strace')
        =~ m{"GET /init\?begin .*?\n(.*\n).*?"GET /init\?end }s;

    return (\%probes, split /\n/, $lines // '');
}


sub attempts {
    my ($t, $word) = @_;

    return map { $_->{name} => $_->{attempts} }
        @{$t->json("/init?$word")->{gates}[0]{checks}};
}


1;
