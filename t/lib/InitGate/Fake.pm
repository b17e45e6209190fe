package InitGate::Fake;

# A scripted server, for behavior that a real one does not have on request.
#
#     use InitGate::Fake;
#
#     my $fake = InitGate::Fake->new(sub {
#         my ($c) = @_;
#         $c->read_until(qr/\r\n\r\n/) or return;
#         $c->send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
#         $c->send_slowly("ok", 0.1);
#     });
#
# The code runs once for each connection, each in a process of its own; when
# it returns, the connection is closed.
#
# new(CODE, unix => PATH, addr => '127.0.0.2', port => N,
#     tls => [CERTIFICATE, KEY], backlog => N)
#     port, path      where it listens (loopback only)
#     connections     how many there have been
#     received([N])   all bytes, as one string, or those of the Nth connection
#                     (from 1)
#     times           when each connection was accepted (seconds)
#     established     how many connections are open, by both sides
#     most_established  the most that were, whenever one was accepted, with
#                     established => 1
#     set(WORD)       sets the result of $c->word, in running scripts as well
#     freeze, thaw    the kernel accepts connections, nothing responds
#     stop            closes the listening socket and every connection; start()
#                     listens again on the same address
# http(STATUS, ...)   an HTTP server that responds to every request with this
#                     status, or with the one that was set();  body => '';
#                     keepalive => 1 (0: closes after each response);
#                     delay => SECONDS;  wait => 1: not before set()
# silent(ARGS)        the kernel accepts connections, nothing reads from them
# blackhole()         a connect() to it neither succeeds nor fails
#
# In the code
#     $c->read_until(REGEX [, SECONDS])  the bytes up to the end of the match,
#                     or undef at the end of the connection
#     $c->read_bytes(N [, SECONDS])
#     $c->send(BYTES), $c->send_slowly(BYTES, SECONDS between two bytes)
#     $c->reset       closes the connection by RST
#     $c->starttls(CERTIFICATE, KEY)  from here on
#     $c->hang        reads until the client closes the connection
#     $c->number, $c->word, $c->socket

use strict;
use warnings;

use File::Path ();
use File::Temp ();
use InitGate::Port ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time sleep);

my $owner = $$;
my @all;


sub new {
    my ($class, $code, %args) = @_;

    my $self = bless {
        code => $code, addr => '127.0.0.1', backlog => 128, %args,
        dir => File::Temp::tempdir('init-gate-fake-XXXXXX', TMPDIR => 1),
    }, $class;

    push @all, $self;

    return $self->start;
}


sub http {
    my ($class, $status, %args) = @_;

    my $body = $args{body} // '';
    my $connection = $args{keepalive} ? 'keep-alive' : 'close';

    return $class->new(sub {
        my ($c) = @_;

        while ($c->read_until(qr/\r\n\r\n/)) {
            sleep 0.01 while $args{wait} && $c->word eq '';
            sleep $args{delay} if $args{delay};

            $c->send('HTTP/1.1 ' . ($c->word || $status) . " x\r\n"
                . 'Content-Length: ' . length($body) . "\r\n"
                . "Connection: $connection\r\n\r\n$body") or return;
            last if !$args{keepalive};
        }
    }, %args);
}


sub silent {
    my ($class, %args) = @_;

    my $self = $class->new(sub { }, %args);
    $self->freeze;

    return $self;
}


# the queue of the listening socket is full: Linux drops SYN packets

sub blackhole {
    my ($class, %args) = @_;

    my $self = $class->silent(%args, backlog => 0);

    for (1 .. 4) {
        my $socket = IO::Socket::INET->new(Proto => 'tcp', Blocking => 0);
        $socket->connect(Socket::pack_sockaddr_in($self->port,
            Socket::inet_aton($self->{addr})));
        push @{$self->{queue}}, $socket;
    }

    return $self;
}


sub port { $_[0]{port} }

sub path { $_[0]{unix} }


sub start {
    my ($self) = @_;

    my $listen;

    if ($self->{unix}) {
        unlink $self->{unix};
        $listen = IO::Socket::UNIX->new(Local => $self->{unix},
            Listen => $self->{backlog}) or die "$self->{unix}: $!";
        chmod 0777, $self->{unix};

    } else {
        $self->{port} //= InitGate::Port::claim();
        $listen = IO::Socket::INET->new(Proto => 'tcp', ReuseAddr => 1,
            LocalAddr => $self->{addr}, LocalPort => $self->{port},
            Listen => 1) or die "listen: $!";
        # IO::Socket takes a backlog of 0 for the default
        listen $listen, $self->{backlog};
    }

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        $self->serve($listen);
        POSIX::_exit(0);
    }

    # in both processes, since either may be first
    POSIX::setpgid($pid, $pid);
    $self->{pid} = $pid;

    return $self;
}


sub serve {
    my ($self, $listen) = @_;

    POSIX::setpgid(0, 0);
    $SIG{CHLD} = 'IGNORE';
    $SIG{INT} = $SIG{TERM} = 'DEFAULT';

    my $number = $self->connections;

    while (1) {
        my $socket = $listen->accept or next;
        my $now = time;
        $number++;

        open my $times, '>>', "$self->{dir}/times" or POSIX::_exit(1);
        print $times join(' ', $now,
            $self->{established} ? $self->established : ()), "\n";
        close $times;

        open my $log, '>>', "$self->{dir}/$number" or POSIX::_exit(1);
        chmod 0644, "$self->{dir}/$number";
        $log->autoflush(1);

        my $pid = fork // POSIX::_exit(1);

        if ($pid == 0) {
            close $listen;

            my $c = bless { socket => $socket, log => $log, buffer => '',
                            number => $number, dir => $self->{dir} },
                'InitGate::Fake::Connection';

            eval {
                if (!$self->{tls} || $c->starttls(@{$self->{tls}})) {
                    $self->{code}->($c);
                }
            };

            warn "fake: $@" if $@;
            $c->{socket}->close if $c->{socket};
            POSIX::_exit(0);
        }
    }
}


sub connections { scalar(() = glob "$_[0]{dir}/[0-9]*") }


sub times { map { (split)[0] } $_[0]->accepted }

sub most_established { (sort { $b <=> $a } map { (split)[1] } $_[0]->accepted)[0] }


sub accepted {
    my ($self) = @_;

    open my $fh, '<', "$self->{dir}/times" or return;

    return <$fh>;
}


# established at the side of the client, where it ends with the client's
# close(); at that of the server, it ends when a FIN has been received, which
# may be after the first packets of the next connection

sub established {
    my ($self) = @_;

    my $remote = sprintf '0100007F:%04X', $self->{port} // return 0;

    open my $fh, '<', '/proc/net/tcp' or return 0;

    return scalar grep { my @word = split; $word[2] eq $remote
        && $word[3] eq '01' } <$fh>;
}


sub received {
    my ($self, $n) = @_;

    my $all = '';

    for my $i ($n // (1 .. $self->connections)) {
        open my $fh, '<:raw', "$self->{dir}/$i" or next;
        local $/;
        $all .= <$fh> // '';
    }

    return $all;
}


sub set {
    my ($self, $word) = @_;

    open my $fh, '>', "$self->{dir}/word.new" or die "word: $!";
    print $fh $word;
    close $fh;
    rename "$self->{dir}/word.new", "$self->{dir}/word";
}


# in accept() it would still take a connection before it stops

sub freeze {
    my ($self) = @_;

    my $pid = $self->{pid} // return;

    kill 'STOP', -$pid;
    local $?;
    waitpid $pid, POSIX::WUNTRACED();
}


sub thaw { kill 'CONT', -$_[0]{pid} if $_[0]{pid} }


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} // return;

    kill 'KILL', -$pid;
    local $?;
    waitpid $pid, 0;
}


sub stop_all {
    return if $$ != $owner;

    for my $self (splice @all) {
        $self->stop;
        File::Path::remove_tree($self->{dir});
    }
}


END { stop_all() }


package InitGate::Fake::Connection;

use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time sleep);

sub number { $_[0]{number} }

sub socket { $_[0]{socket} }


sub word {
    my ($self) = @_;

    open my $fh, '<', "$self->{dir}/word" or return '';

    return <$fh> // '';
}


sub fetch {
    my ($self, $seconds) = @_;

    my $socket = $self->{socket} // return 0;

    if (!($socket->can('pending') && $socket->pending)) {
        IO::Select->new($socket)->can_read($seconds // 600) or return 0;
    }

    my $size = $socket->sysread(my $bytes, 65536) or return 0;
    $self->{buffer} .= $bytes;
    print {$self->{log}} $bytes;

    return $size;
}


sub read_until {
    my ($self, $regex, $seconds) = @_;

    while (1) {
        if ($self->{buffer} =~ /$regex/) {
            return substr $self->{buffer}, 0, $+[0], '';
        }

        $self->fetch($seconds) or return;
    }
}


sub read_bytes {
    my ($self, $n, $seconds) = @_;

    while (length $self->{buffer} < $n) {
        $self->fetch($seconds) or return;
    }

    return substr $self->{buffer}, 0, $n, '';
}


sub send {
    my ($self, $bytes) = @_;

    my $done = 0;

    while ($done < length $bytes) {
        my $size = $self->{socket}->syswrite($bytes, length($bytes) - $done,
            $done) // return 0;
        $done += $size;
    }

    return 1;
}


sub send_slowly {
    my ($self, $bytes, $pause) = @_;

    for my $byte (split //, $bytes) {
        $self->send($byte) or return 0;
        sleep $pause;
    }

    return 1;
}


sub reset {
    my ($self) = @_;

    my $socket = delete $self->{socket} // return;

    setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    POSIX::close(fileno $socket);
}


sub starttls {
    my ($self, $certificate, $key, %args) = @_;

    require IO::Socket::SSL;

    return IO::Socket::SSL->start_SSL($self->{socket}, SSL_server => 1,
        SSL_cert_file => $certificate, SSL_key_file => $key, %args);
}


sub hang {
    my ($self) = @_;

    1 while $self->fetch(3600);
}


1;
