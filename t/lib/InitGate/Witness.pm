package InitGate::Witness;

# Ordinary requests on kept connections, one after the other, in a process of
# its own: how long other requests take, and when the machine was so busy that
# workers did not even answer these.
#
#     use InitGate::Witness;
#
#     my $witness = InitGate::Witness->new($t, '/other', @sockets);
#     ...
#     my @times = $witness->stop;       # of all requests, in seconds, sorted
#     $witness->slow($begin, $end)      # the longest of those that were under
#                                       # way at some time between the two
#
# Also:
#
# head(METHOD, URI [, TOKEN])   a request
# status(SOCKET)                reads a response: its status, or 0
# worker_sockets($t, URI)       kept connections to each worker, by pid; the
#                               response must have the pid in X-Worker

use strict;
use warnings;

use InitGate;
use IO::Select;
use POSIX ();
use Time::HiRes qw(time sleep);

use Exporter 'import';
our @EXPORT = qw(head status worker_sockets);

my $owner = $$;
my @all;


sub head {
    my ($method, $uri, $token) = @_;

    return "$method $uri HTTP/1.1\r\nHost: a\r\n"
        . (defined $token ? "Authorization: Bearer $token\r\n" : '')
        . ($method eq 'POST' ? "Content-Length: 0\r\n" : '') . "\r\n";
}


sub status { (response(@_))[0] // 0 }


sub response {
    my ($socket) = @_;

    my $select = IO::Select->new($socket);
    my $got = '';

    until ($got =~ /\r\n\r\n/) {
        $select->can_read(InitGate::patience(60)) or return;
        sysread $socket, $got, 4096, length $got or return;
    }

    my ($length) = $got =~ /^Content-Length: (\d+)/mi;
    my ($head, $body) = split /\r\n\r\n/, $got, 2;

    while (length $body < ($length // 0)) {
        sysread $socket, $body, 4096, length $body or return;
    }

    return $head =~ m{^HTTP/1.1 (\d+)} ? ($1, $head) : ();
}


sub worker_sockets {
    my ($t, $uri) = @_;

    my %socket;

    $t->wait_for(sub {
        my $socket = $t->connect;
        $socket->syswrite(head('GET', $uri));
        my (undef, $head) = response($socket);
        $head =~ /^X-Worker: (\d+)/m and $socket{$1} //= $socket;
        return keys %socket == $t->{workers};
    }, 'a connection to each worker');

    return %socket;
}


sub new {
    my ($class, $t, $uri, @sockets) = @_;

    my $self = bless { t => $t, uri => $uri, sockets => \@sockets,
                       file => $t->path('witness.' . @all) }, $class;
    push @all, $self;

    pipe my $begun, my $begin or die "pipe: $!";
    pipe $self->{stopped}, $self->{stop} or die "pipe: $!";

    $self->{pid} = fork // die "fork: $!";

    if ($self->{pid} == 0) {
        local $SIG{INT} = local $SIG{TERM} = 'DEFAULT';
        close $begun;
        close $self->{stop};
        eval { $self->run($begin) };
        warn $@ if $@;
        POSIX::_exit(0);
    }

    close $begin;
    close $self->{stopped};
    sysread $begun, my $byte, 1;

    return $self;
}


sub run {
    my ($self, $begin) = @_;

    my $stopped = IO::Select->new($self->{stopped});
    open my $out, '>', $self->{file} or die "$self->{file}: $!";

    do {
        for my $socket (@{$self->{sockets}}) {
            my $from = time;
            $socket->syswrite(head('GET', $self->{uri}));
            status($socket) or die "no response to $self->{uri}";
            printf $out "%.6f %.6f\n", $from, time - $from;
        }

        syswrite $begin, 'x' if $begin;
        undef $begin;

        sleep 0.002;

    } until $stopped->can_read(0);

    close $out;
}


sub stop {
    my ($self) = @_;

    if (my $pid = delete $self->{pid}) {
        local $?;
        close $self->{stop};
        waitpid $pid, 0;
        $self->{times} = [map { [split] } split /\n/,
            $self->{t}->read($self->{file})];
    }

    return sort { $a <=> $b } map { $_->[1] } @{$self->{times}};
}


sub slow {
    my ($self, $begin, $end) = @_;

    $self->stop;

    my ($slowest) = sort { $b <=> $a } map { $_->[1] }
        grep { $_->[0] < $end && $_->[0] + $_->[1] > $begin }
        @{$self->{times}};

    return $slowest // 0;
}


END {
    if ($$ == $owner) {
        local $?;
        kill 'KILL', grep { defined } map { $_->{pid} } @all;
    }
}


1;
