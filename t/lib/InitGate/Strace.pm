package InitGate::Strace;

# The system calls of the prober, by strace.
#
#     plan_traced()         skips the test if processes cannot be traced
#     traced($t, OPTION, NAME ...)
#                           traces until each of these checks has been probed
#                           80 times more.  Returns the number of probes by
#                           check (a hash) and the lines of strace.  Ends the
#                           test if this worker cannot be traced.

#     injected($t, [OPTION, ...], CODE)
#                           runs the code while this worker is traced with
#                           these options, as ["-e", "inject=..."]

use strict;
use warnings;

use POSIX ();
use Test::More;

use Exporter 'import';
our @EXPORT = qw(plan_traced traced injected);


sub plan_traced {
    plan(skip_all => 'no strace')
        if !grep { -x "$_/strace" } split /:/, $ENV{PATH};
    plan(skip_all => 'not under valgrind') if $ENV{TEST_NGINX_VALGRIND};
}


sub attach {
    my ($t, @options) = @_;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDERR, '>', $t->path('strace.err');
        { no warnings;
          exec 'strace', @options, '-o', $t->path('strace'), '-p', $t->prober }
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

    return $pid;
}


sub detach {
    my ($pid) = @_;

    kill 'INT', $pid;
    local $?;
    waitpid $pid, 0;
}


sub injected {
    my ($t, $options, $code) = @_;

    my $pid = attach($t, @$options);
    $code->();
    detach($pid);
}


sub traced {
    my ($t, $option, @names) = @_;

    my $pid = attach($t, $option);
    my %before = attempts($t);

    $t->wait_for(sub {
        my %now = attempts($t);
        return !grep { $now{$_} < $before{$_} + 80 } @names;
    }, 'probes', 20);

    my %probes = attempts($t);
    $probes{$_} -= $before{$_} for keys %probes;

    detach($pid);

    return (\%probes, split /\n/, $t->read('strace'));
}


sub attempts {
    my ($t) = @_;

    return map { $_->{name} => $_->{attempts} }
        @{$t->gate->{checks}};
}

1;
