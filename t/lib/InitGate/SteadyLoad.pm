package InitGate::SteadyLoad;

# Many connections with a steady load, a few processes of clients beside a test.
# The query of each request is the time at which it was sent, so the log of a
# server shows whether a request was sent before an event or after it.
#
#     my $load = InitGate::SteadyLoad->new($t, connections => 200);
#     $load->settled;                 # waits for the responses of all requests
#                                     # that have been sent by now
#     my ($count, @failed) = $load->stop;
#
# new($t, ...)  connections => 200; processes => 4; pause => 0.4 (seconds
#               between two requests of a connection, on average);
#               timeout => 60
# more(N)       waits for N more responses
# settled       see above
# stop          waits for all responses; returns the number of those with
#               status 200, and a hash for each other request: what (a status,
#               "lost", "late", "no_connection"), sent, ended (seconds since
#               the epoch), worker (pid of the worker of nginx, by the header
#               X-Worker of an earlier response; 0: unknown)
#
# A tenth of all connections is closed after each response.  A request without a
# response because nginx closed the idle connection at the same time is sent
# again over a new connection.

use strict;
use warnings;

use InitGate;
use IO::Select;
use IO::Socket::INET;
use List::Util qw(min sum0);
use POSIX ();
use Time::HiRes qw(time sleep);

# a line of the shared file: the oldest request without a response, and the
# number of responses
use constant RECORD => 31;

my $owner = $$;
my @all;


sub new {
    my ($class, $t, %args) = @_;

    my $self = bless {
        t => $t, connections => 200, processes => 4, pause => 0.4,
        timeout => 60, port => $t->port(8080), %args,
        file => $t->path('steady.' . @all),
    }, $class;

    push @all, $self;

    open $self->{shared}, '+>:raw', $self->{file} or die "$self->{file}: $!";
    pipe $self->{stopped}, $self->{stop} or die "pipe: $!";

    for my $n (0 .. $self->{processes} - 1) {
        my $pid = fork // die "fork: $!";

        if ($pid == 0) {
            local $SIG{INT} = local $SIG{TERM} = 'DEFAULT';
            eval { $self->clients($n) };
            warn $@ if $@;
            POSIX::_exit(0);
        }

        push @{$self->{pids}}, $pid;
    }

    return $self;
}


sub clients {
    my ($self, $n) = @_;

    open my $shared, '+<:raw', $self->{file} or die $!;
    open $self->{failed}, '>:raw', "$self->{file}.$n" or die $!;

    srand $n;
    $self->{ok} = $self->{responses} = 0;

    my @clients = map { { next => time + rand $self->{pause} } }
        1 .. $self->{connections} / $self->{processes};
    my $select = IO::Select->new;
    my $stop = IO::Select->new($self->{stopped});
    my $stopping;

    while (1) {
        $stopping ||= $stop->can_read(0);

        for my $client (grep { !$_->{sent} } @clients) {
            last if $stopping;
            $self->send($client, $select) if $client->{next} <= time;
        }

        my @busy = grep { $_->{sent} } @clients;

        sysseek $shared, $n * RECORD, 0;
        syswrite $shared, sprintf "%019.6f %010d\n",
            min(time, map { $_->{sent} } @busy), $self->{responses};

        last if $stopping && !@busy;

        my $wait = min(0.1, map { $_->{next} - time }
            grep { !$_->{sent} } @clients);
        my %ready = map { $_ => 1 } $select->can_read($wait > 0 ? $wait : 0);

        for my $client (@busy) {
            $self->receive($client, $select) if $ready{$client->{socket}};
            $self->end($client, $select, 'late')
                if $client->{sent} && time > $client->{sent}
                    + InitGate::patience($self->{timeout});
        }
    }

    print {$self->{failed}} "ok $self->{ok}\n";
    close $self->{failed};
}


sub send {
    my ($self, $client, $select) = @_;

    $client->{sent} = time;
    $client->{got} = '';

    if (!$client->{socket}) {
        $client->{worker} = 0;
        $client->{socket} = IO::Socket::INET->new(
            PeerAddr => "127.0.0.1:$self->{port}")
            or return $self->end($client, $select, 'no_connection');
        $select->add($client->{socket});
    }

    my $connection = rand(10) < 1 ? 'close' : 'keep-alive';

    syswrite $client->{socket}, sprintf("GET /?%.6f HTTP/1.1\r\n"
        . "Host: localhost\r\nConnection: $connection\r\n\r\n",
        $client->{sent});
}


sub receive {
    my ($self, $client, $select) = @_;

    if (!sysread $client->{socket}, $client->{got}, 65536,
        length $client->{got})
    {
        return $self->end($client, $select, 'lost')
            if $client->{got} ne '' || !$client->{worker};

        $self->disconnect($client, $select);
        return $self->send($client, $select);
    }

    my ($head, $status) = $client->{got} =~ m{^(HTTP/1\.1 (\d+).*?\r\n\r\n)}s
        or return;
    my ($length) = $head =~ /^Content-Length: (\d+)/mi
        or return $self->end($client, $select, "unbounded $status");

    return if length $client->{got} < length($head) + $length;

    ($client->{worker}) = $head =~ /^X-Worker: (\d+)/mi;
    $self->end($client, $select, $status, $head =~ /^Connection: keep/mi);
}


sub end {
    my ($self, $client, $select, $what, $keep) = @_;

    if ($what eq '200') {
        $self->{ok}++;

    } else {
        printf {$self->{failed}} "%s %.6f %.6f %d\n", $what, $client->{sent},
            time, $client->{worker} // 0;
    }

    $self->{responses}++;
    $self->disconnect($client, $select) if !$keep;

    $client->{sent} = 0;
    $client->{next} = time + rand 2 * $self->{pause};
}


sub disconnect {
    my ($self, $client, $select) = @_;

    $select->remove($client->{socket}) if $client->{socket};
    undef $client->{socket};
}


# the records of all processes

sub records {
    my ($self) = @_;

    sysseek $self->{shared}, 0, 0;
    sysread $self->{shared}, my $text, $self->{processes} * RECORD;

    my @records = map { [split ' '] } grep { length == RECORD - 1 }
        split /\n/, $text // '';

    return @records == $self->{processes} ? @records : ([0, 0]);
}


sub more {
    my ($self, $n) = @_;

    my $responses = sub { sum0 map { $_->[1] } $self->records };
    my $goal = $responses->() + $n;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $self->{t}->wait_for(sub { $responses->() >= $goal }, "$n more responses");
}


sub settled {
    my ($self) = @_;

    my $now = time;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $self->{t}->wait_for(sub { min(map { $_->[0] } $self->records) > $now },
        'responses of all requests that have been sent');
}


sub stop {
    my ($self) = @_;

    my @pids = splice @{$self->{pids}};

    local $?;
    syswrite $self->{stop}, 'x';
    waitpid $_, 0 for @pids;

    my ($count, @failed) = (0);

    for my $n (0 .. $self->{processes} - 1) {
        for (split /\n/, $self->{t}->read("$self->{file}.$n")) {
            my ($what, @more) = split / /;

            if ($what eq 'ok') {
                $count += $more[0];
                next;
            }

            my %failed = (what => $what);
            @failed{qw(sent ended worker)} = @more[-3 .. -1];
            push @failed, \%failed;
        }
    }

    return ($count, @failed);
}


END {
    if ($$ == $owner) {
        local $?;
        for (@all) {
            my @pids = splice @{$_->{pids}};
            kill 'KILL', @pids;
            waitpid $_, 0 for @pids;
        }
    }
}


1;
