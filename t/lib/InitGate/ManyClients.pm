package InitGate::ManyClients;

# Many clients at once, each with one request, which may be held.
#
#     my $clients = InitGate::ManyClients->new($t, 1000);
#     $t->wait_for(sub { held() == 1000 }, 'all to be held');
#     $t->write('marker');
#     my %count = $clients->statuses;     # number by status, or "lost"
#
# new($t, N, uri => '/', port => N)
# statuses   waits until all have a response
# leave      all close their connections at once

use strict;
use warnings;

use InitGate;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(time sleep);

# below the usual limit of descriptors
use constant EACH => 500;

my $owner = $$;
my @all;


sub new {
    my ($class, $t, $n, %args) = @_;

    my $self = bless { t => $t, uri => '/', port => $t->port(8080), %args },
        $class;

    push @all, $self;

    for (my $left = $n; $left > 0; $left -= EACH) {
        my $file = $t->path('clients.' . @all . ".$left");
        my $pid = fork // die "fork: $!";

        if ($pid == 0) {
            local $SIG{TERM} = local $SIG{INT} = 'DEFAULT';
            eval { $self->clients($file, $left < EACH ? $left : EACH) };
            warn $@ if $@;
            POSIX::_exit(0);
        }

        push @{$self->{files}}, $file;
        push @{$self->{pids}}, $pid;
    }

    return $self;
}


sub clients {
    my ($self, $file, $n) = @_;

    my $select = IO::Select->new;
    my (%got, %count);

    for (1 .. $n) {
        my $socket = IO::Socket::INET->new(
            PeerAddr => "127.0.0.1:$self->{port}");

        if (!$socket) {
            $count{no_connection}++;
            next;
        }

        syswrite $socket, "GET $self->{uri} HTTP/1.1\r\nHost: localhost\r\n"
            . "Connection: close\r\n\r\n";
        $select->add($socket);
    }

    while ($select->count) {
        for my $socket ($select->can_read) {
            next if sysread $socket, $got{$socket}, 65536,
                length($got{$socket} // '');

            my ($status) = ($got{$socket} // '') =~ m{^HTTP/1\.1 (\d+)};
            $count{$status // 'lost'}++;
            $select->remove($socket);
            close $socket;
        }
    }

    open my $out, '>', "$file.new" or die "$file: $!";
    print $out "$_ $count{$_}\n" for keys %count;
    close $out;
    rename "$file.new", $file;
}


sub statuses {
    my ($self) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $self->{t}->wait_for(sub { !grep { !-e } @{$self->{files}} },
        'all to be answered');

    my %count;

    for (map { split /\n/, $self->{t}->read($_) } @{$self->{files}}) {
        my ($status, $n) = split ' ';
        $count{$status} += $n;
    }

    return %count;
}


sub leave {
    my ($self) = @_;

    my @pids = splice @{$self->{pids}} or return;

    local $?;
    kill 'KILL', @pids;
    waitpid $_, 0 for @pids;
}


END {
    if ($$ == $owner) {
        $_->leave for @all;
    }
}


1;
