package InitGate::Strace;

# The system calls of the prober, by strace.
#
#     plan_traced()         skips the test if workers cannot be traced
#     trace($t, PID, OPTION ...)
#                           traces this worker; returns the process of strace,
#                           which writes the file "strace" and ends by INT
#     injected($t, OPTIONS, CODE)
#                           runs CODE while the prober is traced with OPTIONS
#     traced($t, OPTION, NAME ...)
#                           traces the prober until each of these checks has
#                           been probed 80 times more.  Returns the number of
#                           probes by check (a hash) and the lines of strace.

use strict;
use warnings;

use POSIX ();
use Test::More;

use Exporter 'import';
our @EXPORT = qw(plan_traced trace injected traced);


sub plan_traced {
    plan(skip_all => 'no strace')
        if !grep { -x "$_/strace" } split /:/, $ENV{PATH};
    plan(skip_all => 'not under valgrind') if $ENV{TEST_NGINX_VALGRIND};

    my $said = attach();
    plan(skip_all => "workers cannot be traced here: $said")
        if $said !~ /attached/;
}


# the output of strace for a process like a worker: of another user, for root

sub attach {
    pipe my $read, my $write or die "pipe: $!";

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        close $write;
        POSIX::setuid(65534) if $> == 0;
        sysread $read, my $byte, 1;
        POSIX::_exit(0);
    }

    open my $strace, '-|', "exec strace -o /dev/null -p $pid 2>&1"
        or die "strace: $!";
    my $said = <$strace> // '';
    close $write;
    waitpid $pid, 0;
    close $strace;
    chomp $said;

    return $said;
}


sub trace {
    my ($t, $worker, @options) = @_;

    # of a trace before this one

    $t->remove($_) for qw(strace strace.err);

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDERR, '>', $t->path('strace.err');
        { no warnings;
          exec 'strace', @options, '-o', $t->path('strace'), '-p', $worker }
        POSIX::_exit(127);
    }

    $t->wait_for(sub { $t->read('strace.err') =~ /attached/ }, 'strace');

    return $pid;
}


sub injected {
    my ($t, $options, $code) = @_;

    my $pid = trace($t, $t->prober, @$options);

    $code->();
    finish($pid);
}


sub finish {
    my ($pid) = @_;

    kill 'INT', $pid;
    local $?;
    waitpid $pid, 0;
}


sub traced {
    my ($t, $option, @names) = @_;

    my $pid = trace($t, $t->prober, $option);

    # the requests are among the lines, so that calls and probes are counted
    # between the same two moments

    my %before = attempts($t, 'begin');

    $t->wait_for(sub {
        my %now = attempts($t, 'more');
        return !grep { $now{$_} < $before{$_} + 80 } @names;
    }, 'probes', 300);

    my %probes = attempts($t, 'end');
    $probes{$_} -= $before{$_} for keys %probes;

    finish($pid);

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
