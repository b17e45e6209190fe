package InitGate::DNS;

# A scripted name server (UDP, and with tcp => 1 TCP for responses above 512
# bytes), by Net::DNS.
#
#     my $dns = InitGate::DNS->new(sub {
#         my ($name, $type) = @_;
#         return $name eq 'db.example' && $type eq 'A' ? ['127.0.0.1'] : [];
#     }, addr => '127.0.0.1', port => 53);
#
# The code returns the addresses; or the name of a failure (NXDOMAIN,
# SERVFAIL, REFUSED); or nothing, and then there is no response.
#
# silent()       never responds
#
# port           where it listens
# queries        all queries so far, as "name type" in lower case, with "tcp"
#                before those over TCP
# set(WORD)      sets the third argument of the code
# stop

use strict;
use warnings;

use File::Path ();
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use Net::DNS;
use POSIX ();

my $owner = $$;
my @all;


sub new {
    my ($class, $code, %args) = @_;

    my $self = bless {
        code => $code, addr => '127.0.0.1', %args,
        dir => File::Temp::tempdir('init-gate-dns-XXXXXX', TMPDIR => 1),
    }, $class;

    my $socket = IO::Socket::INET->new(Proto => 'udp',
        LocalAddr => $self->{addr}, LocalPort => $self->{port} // 0)
        or die "name server: $!";
    $self->{port} = $socket->sockport;

    my $listen = $self->{tcp} && (IO::Socket::INET->new(Listen => 5,
        ReuseAddr => 1, LocalAddr => $self->{addr}, LocalPort => $self->{port})
        or die "name server: $!");

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        $SIG{INT} = $SIG{TERM} = 'DEFAULT';
        $self->serve($socket, $listen);
        POSIX::_exit(0);
    }

    $self->{pid} = $pid;
    push @all, $self;

    return $self;
}


sub silent {
    my ($class, %args) = @_;

    return $class->new(sub { }, %args);
}


sub port { $_[0]{port} }


sub serve {
    my ($self, $socket, $listen) = @_;

    open $self->{log}, '>>', "$self->{dir}/queries" or POSIX::_exit(1);
    $self->{log}->autoflush(1);

    my $select = IO::Select->new($socket, $listen || ());

    while (1) {
        for my $ready ($select->can_read) {
            if ($ready == $socket) {
                my $peer = $socket->recv(my $bytes, 4096) // next;
                my $answer = $self->answer($bytes) // next;
                $answer->truncate(512) if $listen;
                $socket->send($answer->encode, 0, $peer);

            } else {
                $self->serve_tcp($listen->accept // next);
            }
        }
    }
}


sub serve_tcp {
    my ($self, $socket) = @_;

    $socket->read(my $length, 2) or return;
    $socket->read(my $bytes, unpack 'n', $length) or return;

    print {$self->{log}} "tcp\n";
    my $answer = $self->answer($bytes) // return;
    $socket->print(pack 'n/a*', $answer->encode);
    $socket->flush;
}


# undef: no such name

sub answer {
    my ($self, $bytes) = @_;

    my $query = Net::DNS::Packet->decode(\$bytes) or return;
    my ($question) = $query->question or return;
    my ($name, $type) = (lc $question->qname, $question->qtype);

    print {$self->{log}} "$name \L$type\E\n";

    my $result = $self->{code}->($name, $type, $self->word) // return;
    my $answer = $query->reply;

    $answer->header->rcode(ref $result ? 'NOERROR' : $result);

    if (ref $result) {
        $answer->push(answer => Net::DNS::RR->new("$name 60 $type $_"))
            for @$result;
    }

    return $answer;
}


sub queries {
    my ($self) = @_;

    open my $fh, '<', "$self->{dir}/queries" or return;
    chomp(my @all = <$fh>);

    return @all;
}


sub set {
    my ($self, $word) = @_;

    open my $fh, '>', "$self->{dir}/word.new" or die "word: $!";
    print $fh $word;
    close $fh;
    rename "$self->{dir}/word.new", "$self->{dir}/word";
}


sub word {
    my ($self) = @_;

    open my $fh, '<', "$self->{dir}/word" or return '';

    return <$fh> // '';
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} // return;

    kill 'KILL', $pid;
    local $?;
    waitpid $pid, 0;
}


END {
    if ($$ == $owner) {
        for my $self (@all) {
            $self->stop;
            File::Path::remove_tree($self->{dir});
        }
    }
}


1;
