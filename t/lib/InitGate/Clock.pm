package InitGate::Clock;

# The time that something took, less the time for which the processes of the
# test were ready to run and had no processor, or waited for the disk because
# of others.  On a quiet machine it is the time of the clock; on a busy one a
# limit of it is about the test and nginx, not about the machine.
#
#     my $clock = $t->clock;
#     ...
#     cmp_ok($clock->seconds, '<', 1, 'held requests: released in time');
#
# seconds      since the begin, without the delay
# elapsed      since the begin
# delay        for which the processes waited, of the test, of its children and
#              of each nginx, added up
# sample       takes the figures: those of a process that exits are lost
#              otherwise.  wait_for() of the harness does it for all clocks
#
# waited(PID)  the seconds for which a process has waited for a processor; undef
#              if there is no such process

use strict;
use warnings;

use Scalar::Util ();
use Time::HiRes qw(time);

use Exporter 'import';
our @EXPORT_OK = qw(waited);

my @active;


sub new {
    my ($class, $masters) = @_;

    my $self = bless { masters => $masters, begun => time, io => io(),
                       first => {}, last => {} }, $class;

    $self->{first}{$_} = waited($_) // 0 for $self->pids;

    @active = grep { defined } @active, $self;
    Scalar::Util::weaken($_) for @active;

    return $self;
}


sub sample_all { $_->sample for grep { defined } @active }


sub sample {
    my ($self) = @_;

    for my $pid ($self->pids) {
        my $waited = waited($pid) // next;
        $self->{last}{$pid} = $waited - ($self->{first}{$pid} // 0);
    }
}


sub elapsed { time - $_[0]{begun} }


sub delay {
    my ($self) = @_;

    $self->sample;

    my $sum = io() - $self->{io};
    $sum += $_ for values %{$self->{last}};

    return $sum;
}


sub seconds {
    my ($self) = @_;

    my $seconds = $self->elapsed;
    $seconds -= $self->delay;

    return $seconds > 0 ? $seconds : 0;
}


sub pids {
    my ($self) = @_;

    my @pids = ($$, $self->{masters}->());

    for (my $i = 0; $i < @pids; $i++) {
        push @pids, split ' ', slurp("/proc/$pids[$i]/task/$pids[$i]/children");
    }

    return @pids;
}


sub waited {
    my ($pid) = @_;

    my (undef, $waited) = split ' ', slurp("/proc/$pid/schedstat");

    return defined $waited ? $waited / 1e9 : undef;
}


# seconds for which any process of the machine waited for input or output

sub io { slurp('/proc/pressure/io') =~ /^some .*total=(\d+)/m ? $1 / 1e6 : 0 }


sub slurp {
    my ($path) = @_;

    open my $fh, '<', $path or return '';
    local $/;

    return <$fh> // '';
}


1;
