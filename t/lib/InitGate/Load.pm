package InitGate::Load;

# Clients that run beside a test: each is a process that sends one request
# after another and records the result of each.
#
#     use InitGate::Load;
#
#     my $t = InitGate->new(http => InitGate::Load::LOG . <<'CONF');
#         server {
#             access_log %%DIR%%/decisions.log decisions;
#     ...
#     my $load = InitGate::Load->new($t, clients => 4);
#     $t->reload;
#     $load->more(100);               # waits for 100 more responses
#     only_status($load, 200, 'load: none refused');
#     counted_as_logged($t, 'app');
#
# new($t, ...)  clients => 4; uri => '/'; port => N, or the PATH of a file with
#               ports, one of which is chosen at random for each connection;
#               keepalive => 1 (0: a connection for each request);
#               pause => 0.002 (seconds between two requests of a client);
#               timeout => 60; ends => 0 (1: nginx is about to exit, and a
#               client exits when its connection is refused or closed)
# more(N [, STATUS]), stop, counts (a hash: the number of requests by status or
#               by one of the words below), slowest (seconds)
#     lost          the connection was closed before the end of the response
#     late          no response within the timeout
#     no_connection: WHY   connect() failed
# A request without a response because nginx closed the idle connection at the
# same time is sent again over a new connection and counts once.
#
# only_status(LOAD, STATUS, LABEL)   stops it; all responses had this status,
#               and no request was lost
# counted_as_logged($t, GATE [, URI [, port => N]])  the counters of
#               init_status are equal to those of the access log
# counters($t, GATE [, URI [, port => N]]), logged($t, GATE) are its two sides
#
# lateness($t, FILE, GATE [, REGEX]) is, by the pid of a worker, the time in
#               milliseconds from the opening of the gate to the log entries
#               of its first and its last held request, by
#               "access_log FILE held" of
#               InitGate::Load::HELD; REGEX is about the URIs
#
# Ordinary traffic during a test, on a port of its own and at an open gate of
# its own:
#
#     my $t = InitGate->new(also => InitGate::Load::BACKGROUND, http => ...);
#     $t->run;
#     my $background = background($t);   # ends => 1, as above; counted =>
#                                     # undef where the counters begin at zero
#     ...
#     unaffected($background);
#
# unaffected(LOAD) stops it; every response had status 200, and the access log
#               and the counter of the gate have the same number (the counter
#               only while nginx runs)

use strict;
use warnings;

use InitGate;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time sleep);

use Exporter 'import';
our @EXPORT = qw(only_status counted_as_logged counters logged background
    unaffected lateness);

use constant LOG => <<'CONF';
    log_format decisions '$init_gate $init_gate_decision $status '
                         '$init_gate_held $request_uri';
CONF

use constant HELD => <<'CONF';
    log_format held '$msec $pid $init_gate_decision $request_uri';
CONF

use constant BACKGROUND => <<'CONF';
    log_format background '$init_gate $init_gate_decision $status';
    init_checks background { check file %%DIR%%/nginx.conf;  interval 20ms; }
    server {
        listen 127.0.0.1:%%PORT_8099%%;
        access_log %%DIR%%/background.log background;
        location / { init_gate background;  empty_gif; }
        location = /init { init_status background details=on;  access_log off; }
    }
CONF

my @decisions = qw(passed held_passed held_refused refused gone);

my $owner = $$;
my @all;


sub new {
    my ($class, $t, %args) = @_;

    my $self = bless {
        t => $t, clients => 4, uri => '/', keepalive => 1, pause => 0.002,
        timeout => 60, port => $t->port(8080), %args,
    }, $class;

    push @all, $self;

    # a signal would interrupt a request
    pipe $self->{stopped}, $self->{stop} or die "pipe: $!";

    for my $n (1 .. $self->{clients}) {
        my $file = $t->path('load.' . scalar(@all) . ".$n");
        my $pid = fork // die "fork: $!";

        if ($pid == 0) {
            eval { $self->client($file) };
            warn $@ if $@;
            POSIX::_exit(0);
        }

        push @{$self->{files}}, $file;
        push @{$self->{pids}}, $pid;
    }

    return $self;
}


sub client {
    my ($self, $file) = @_;

    local $SIG{INT} = local $SIG{TERM} = 'DEFAULT';

    open my $out, '>:raw', $file or die "$file: $!";
    my $stop = IO::Select->new($self->{stopped});
    my ($socket, $used);

    until ($stop->can_read(0)) {
        my $begun = time;
        my $result;

        if (!$socket) {
            $socket = IO::Socket::INET->new(
                PeerAddr => '127.0.0.1:' . $self->endpoint);
            $used = 0;
        }

        if (!$socket) {
            last if $self->{ends};
            $result = "no_connection: $!";

        } else {
            ($result, my $keep) = $self->exchange($socket);

            last if $result eq 'closed' && $self->{ends};

            if ($result eq 'closed' && $used) {
                undef $socket;
                next;
            }

            $result = 'lost' if $result eq 'closed';
            $used = 1;
            undef $socket if !$keep;
        }

        syswrite $out, sprintf "%s %.3f\n", $result, time - $begun;
        sleep $self->{pause} if $self->{pause};
    }
}


sub endpoint {
    my ($self) = @_;

    return $self->{port} if $self->{port} =~ /^\d+$/;

    my @ports = split ' ', $self->{t}->read($self->{port});

    return $ports[rand @ports];
}


# the result of one request, and whether the connection remains open

sub exchange {
    my ($self, $socket) = @_;

    my $wanted = $self->{keepalive} ? 'keep-alive' : 'close';
    my $select = IO::Select->new($socket);
    my $got = '';

    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;

    syswrite $socket, "GET $self->{uri} HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: $wanted\r\n\r\n" or return ('closed', 0);

    my $end = time + InitGate::patience($self->{timeout});

    while (1) {
        if ($got =~ m{^HTTP/1\.1 (\d+).*?\r\n\r\n}s) {
            my ($status, $head) = ($1, $&);
            my ($length) = $head =~ /^Content-Length: (\d+)/mi
                or return ("unbounded $status", 0);

            if (length $got == length($head) + $length) {
                return ($status, $head =~ /^Connection: keep-alive/mi);
            }
        }

        $select->can_read($end - time) or return ('late', 0);

        if (!sysread $socket, $got, 65536, length $got) {
            return ($got eq '' ? 'closed' : 'lost', 0);
        }
    }
}


# adds the results recorded since the last call

sub look {
    my ($self) = @_;

    for my $file (@{$self->{files}}) {
        open my $fh, '<:raw', $file or next;
        seek $fh, $self->{seen}{$file} // 0, 0;

        while (my $line = <$fh>) {
            last if $line !~ /^(.*) (\S+)\n/;
            $self->{seen}{$file} += length $line;
            $self->{counts}{$1}++;
            $self->{slowest} = $2 if $2 > ($self->{slowest} // 0);
        }
    }

    return $self;
}


sub counts { %{$_[0]->look->{counts} // {}} }

sub slowest { $_[0]->look->{slowest} // 0 }


sub more {
    my ($self, $n, $status) = @_;

    my $count = sub {
        my %count = $self->counts;
        my $sum = 0;
        $sum += $_ for $status ? $count{$status} // 0 : values %count;
        return $sum;
    };

    my $goal = $count->() + $n;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return $self->{t}->wait_for(sub { $count->() >= $goal },
        "$n more responses");
}


sub stop {
    my ($self) = @_;

    my @pids = splice @{$self->{pids}} or return $self;

    local $?;
    syswrite $self->{stop}, 'x';
    waitpid $_, 0 for @pids;

    return $self;
}


sub kill_clients {
    my ($self) = @_;

    my @pids = splice @{$self->{pids}} or return;

    local $?;
    kill 'KILL', @pids;
    waitpid $_, 0 for @pids;
}


sub only_status {
    my ($load, $status, $name) = @_;

    my %count = $load->stop->counts;
    my $good = delete $count{$status} // 0;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return ok($good && !%count, "$name ($good answers)")
        || diag(join ', ', map { "$_: $count{$_}" } sort keys %count);
}


sub counters {
    my ($t, $name, $uri, %args) = @_;

    my ($gate) = grep { $_->{gate} eq $name }
        @{$t->json($uri // '/init', %args)->{gates}};

    return { map { $_ => $gate->{$_} } @decisions };
}


sub logged {
    my ($t, $name) = @_;

    my %count = map { $_ => 0 } @decisions;

    for (split /\n/, $t->read('decisions.log')) {
        $count{$1}++ if /^\Q$name\E (\w+) /;
    }

    return \%count;
}


sub lateness {
    my ($t, $file, $gate, $regex) = @_;

    my $opened = $t->time_of($t->gate($gate)->{opened_at});
    my %late;

    for (split /\n/, $t->read($file)) {
        my ($at, $pid, $decision, $uri) = split ' ';
        next if $decision ne 'held_passed' || $regex && $uri !~ $regex;

        push @{$late{$pid}}, 1000 * ($at - $opened);
    }

    return { map { my @sorted = sort { $a <=> $b } @{$late{$_}};
                   $_ => [@sorted[0, -1]] } keys %late };
}


# the log is written after the response

sub counted_as_logged {
    my ($t, $gate, @where) = @_;

    my ($counters, $logged);
    my $end = time + InitGate::patience(30);

    do {
        ($counters, $logged) = (counters($t, $gate, @where),
            logged($t, $gate));

    } until (join(' ', @$counters{@decisions}) eq join(' ',
             @$logged{@decisions})
             || time > $end || !sleep 0.05);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return is_deeply($counters, $logged,
        "$gate: each request is counted once");
}


sub background {
    my ($t, %args) = @_;

    my @there = ('/init', port => $t->port(8099));

    $t->wait_for(sub { $t->json(@there)->{ready} },
        'the background gate to open');

    my $logged = () = $t->read('background.log') =~ /\n/g;

    my $load = InitGate::Load->new($t, clients => 2, pause => 0.01,
        port => $t->port(8099), logged => $logged,
        counted => counters($t, 'background', @there)->{passed}, %args);

    $load->more(2);

    return $load;
}


sub unaffected {
    my ($load) = @_;

    my $t = $load->{t};
    my %count = $load->stop->counts;
    my $answers = $count{200} // 0;
    my %seen = (answered => { %count }, logged => {});

    # the log is written after the response

    for (my $end = time + InitGate::patience(30); time < $end; sleep 0.02) {
        my @log = split /\n/, $t->read('background.log');

        $seen{logged} = {};
        $seen{logged}{$_}++ for @log[$load->{logged} .. $#log];
        last if @log - $load->{logged} >= $answers;
    }

    # in a new nginx the first ones may wait for its first verdicts

    if (!defined $load->{counted}) {
        my $held = delete $seen{logged}{'background held_passed 200'};
        $seen{logged}{'background passed 200'} += $held if $held;
    }

    my %should = (answered => { 200 => $answers },
        logged => { 'background passed 200' => $answers });

    if (!$load->{ends} && defined $load->{counted}) {
        $should{counted} = $load->{counted} + $answers;
        $seen{counted} = counters($t, 'background', '/init',
            port => $t->port(8099))->{passed};
    }

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return is_deeply(\%seen, \%should,
        "background requests: $answers answered, logged and counted")
        && ok($answers, 'background requests: some');
}


END {
    if ($$ == $owner) {
        $_->kill_clients for @all;
    }
}


1;
