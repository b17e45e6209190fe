package InitGate::Latency;

# The latency of ordinary requests during a fault, and of the same requests
# without it: a client sends requests to two instances of nginx in turn, one of
# which has the fault, so that the load of the machine affects both alike.
#
#     use InitGate::Latency;
#
#     my $t = InitGate->new(workers => 1, level => 'notice',
#         http => InitGate::Latency::GATE . <<"CONF");
#             init_checks app { ... }
#             server {
#                 listen 127.0.0.1:%%PORT_8080%%;
#                 @{[InitGate::Latency::LOCATION]}
#             }
#     CONF
#
#     my $latency = InitGate::Latency->new($t->run);
#     $latency->begin;
#     ...                             # the fault
#     $latency->more(500);
#     $latency->end('a fault');       # tests the latency
#
# new($t, keepalive => 1)   starts the other instance, with as many workers; the
#               client keeps its connections busy, or opens one for each
#               request (0)
# begin         starts the client
# more(N)       waits for N more pairs of requests
# end(LABEL, lost => N)     stops the client: every request was served, except
#               N in killed workers, and the slowest one during the fault took
#               only a few milliseconds longer than the slowest one without it
#
# latency_with_checks($t, N, NAME => [CHECK, VERDICT, REASON], ...)
#               runs $t with N checks of each kind (%d in CHECK is the number
#               of the check), waits until each has ended twice as expected,
#               tests the latency, and returns the object
# ended($t, NAME, VERDICT [, REASON])
#               tests that the last two probes of the check ended like this
#
# The time compared is the duration of a request without the time for which
# its worker or the client was ready to run and had no processor: a worker that
# blocks is not ready to run.

use strict;
use warnings;

use InitGate;
use InitGate::Clock qw(waited);
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time sleep);

use Exporter 'import';
our @EXPORT = qw(latency_with_checks ended);

use constant GATE => <<'CONF';
    init_checks latency { check file /  name=latency; }
CONF

use constant LOCATION => <<'CONF';
        location = /latency {
            init_gate latency;
            add_header X-Worker $pid;
            keepalive_requests 1000000;
            empty_gif;
        }
CONF

my $owner = $$;
my @all;


sub new {
    my ($class, $t, %args) = @_;

    my $plain = InitGate->new(workers => $t->{workers}, level => $t->{level},
        http => GATE . <<"CONF");
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        @{[LOCATION]}
    }
CONF

    my $self = bless { keepalive => 1, %args, t => $t, with => $t,
                       without => $plain->run }, $class;
    push @all, $self;

    for my $side (qw(with without)) {
        $t->wait_for(sub { $self->{$side}->get('/latency')->{status} == 200 },
            'ordinary requests');
    }

    return $self;
}


sub begin {
    my ($self) = @_;

    $self->{file} = $self->{t}->path('latency.' . ++$self->{turn});

    # a signal would interrupt a request
    pipe $self->{stopped}, $self->{stop} or die "pipe: $!";

    $self->{pid} = fork // die "fork: $!";

    if ($self->{pid} == 0) {
        eval { $self->client };
        warn $@ if $@;
        POSIX::_exit(0);
    }

    return $self->more(1);
}


sub client {
    my ($self) = @_;

    local $SIG{INT} = local $SIG{TERM} = 'DEFAULT';

    my $stop = IO::Select->new($self->{stopped});
    open my $out, '>:raw', $self->{file} or die "$self->{file}: $!";
    my (%socket, %workers);

    until ($stop->can_read(0)) {
        my @sides = qw(with without);
        @sides = reverse @sides if rand() < 0.5;

        for my $side (@sides) {
            my %before = map { $_ => waited($_) } $$,
                keys %{$workers{$side}};
            my $begun = time;

            my ($result, $worker) = $self->ask($side, \$socket{$side});

            my $took = time - $begun;
            my $ready = 0;

            # that of this process, which is read last, and that of the worker

            for my $pid (grep { defined } $worker, $$) {
                my $before = $before{$pid} // 0;
                my $more = (waited($pid) // $before) - $before;
                $ready += $more if $more > 0;
            }

            $workers{$side}{$worker} = 1 if defined $worker;

            syswrite $out, sprintf "%s %s %.6f %.6f\n", $side, $result, $took,
                $ready < $took ? $took - $ready : 0;
        }

        sleep 0.001;
    }
}


# the result of a request, and its worker

sub ask {
    my ($self, $side, $socket) = @_;

    $$socket //= $self->connect($side) // return 'no_connection';

    # with the first line of the next one, so that no connection is ever idle:
    # nginx closes those when it needs connections

    syswrite $$socket, $self->{keepalive}
        ? "Host: localhost\r\n\r\nGET /latency HTTP/1.1\r\n"
        : "Host: localhost\r\nConnection: close\r\n\r\n";

    my $select = IO::Select->new($$socket);
    my $end = time + InitGate::patience(60);
    my $got = '';

    while (time < $end) {
        $select->can_read($end - time) or last;
        sysread $$socket, $got, 65536, length $got or last;

        next if $got !~ m{^HTTP/1\.1 (\d+).*?\r\n\r\n}s;
        my ($status, $head) = ($1, $&);
        next if $head =~ /^Content-Length: (\d+)/mi
            && length $got < length($head) + $1;

        undef $$socket if $head =~ /^Connection: close/mi;

        return ($status, $head =~ /^X-Worker: (\d+)/mi);
    }

    undef $$socket;

    return $got eq '' && time >= $end ? 'late' : 'lost';
}


sub connect {
    my ($self, $side) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1:' . $self->{$side}->port(8080)) // return;

    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    syswrite $socket, "GET /latency HTTP/1.1\r\n";

    return $socket;
}


# the number of requests by result, and the times of each side, longest first

sub results {
    my ($self) = @_;

    my (%count, %took, %own);

    for (split /\n/, $self->{t}->read($self->{file})) {
        my ($side, $result, $took, $own) = split ' ';
        next if !defined $own;

        $count{$side}{$result}++;
        push @{$took{$side}}, 1000 * $took;
        push @{$own{$side}}, 1000 * $own;
    }

    @$_ = sort { $b <=> $a } @$_ for values %took, values %own;

    return (\%count, \%took, \%own);
}


sub more {
    my ($self, $n) = @_;

    my $pairs = sub {
        my $sum = 0;
        $sum += $_ for values %{($self->results)[0]{without} // {}};
        return $sum;
    };

    my $goal = $pairs->() + $n;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $self->{t}->wait_for(sub { $pairs->() >= $goal }, "$n more requests", 300);

    return $self;
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} // return;

    local $?;
    syswrite $self->{stop}, 'x';
    waitpid $pid, 0;
}


sub end {
    my ($self, $name, %args) = @_;

    $self->stop;

    my ($count, $took, $own) = $self->results;
    my ($with, $without) = @$count{qw(with without)};
    my $lost = delete $with->{lost} // 0;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is(join(' ', sort keys %$with, sort keys %$without), '200 200',
        "$name: all are served");
    cmp_ok($lost, '<=', $args{lost} // 0, "$name: none is lost")
        if $lost || $args{lost};

    note(sprintf '%s: the slowest of %d requests took %.1f ms, %.1f ms'
        . ' without the fault; of that, not waiting for a processor,'
        . ' %.1f ms and %.1f ms', $name, scalar @{$own->{with}},
        map { $_->{with}[0], $_->{without}[0] } $took, $own);

    # Timers and queued probes take up to 6 ms of an iteration of the event
    # loop.  Even so, the machine itself may stand still once.

    my $limit = patience(10) + 2 * $own->{without}[0];
    my $beyond = grep { $_ > $limit } @{$own->{with}};

    cmp_ok($beyond, '<=', 2, sprintf '%s: no request waits more than %.1f ms',
        $name, $limit);

    return cmp_ok($own->{with}[0], '<=', $limit + patience(40),
        "$name: nor for anything that happens once");
}


sub latency_with_checks {
    my ($t, $n, %kind) = @_;

    my $checks = join "\n", map {
        my $kind = $_;
        map { "        check $kind{$kind}[0] name=$kind%d;" =~ s/%d/$_/gr }
            1 .. $n;
    } sort keys %kind;

    my $resolver = $t->{resolver} // '';

    $t->run(level => 'notice', http => GATE . <<"CONF");
    init_checks app {
        $resolver
        interval 1s;
        timeout 1s;
        backoff 1s;
        latch off;
        check file %%DIR%%/never name=never;
$checks
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
@{[LOCATION]}
        location = /init { init_status details=on; }
    }
CONF

    my $self = __PACKAGE__->new($t);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ended($t, "$_$n", @{$kind{$_}}[1, 2]) for sort keys %kind;

    $self->begin->more(500);
    $self->end($n * keys(%kind) . ' checks of peers in trouble');

    return $self;
}


# its last two probes ended like this

sub ended {
    my ($t, $name, $verdict, $reason) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $check;
    my $done = $t->wait_for(sub {
        $check = $t->check($name);
        return ($check->{verdict} // '') eq $verdict
            && ($check->{reason} // '') eq ($reason // '')
            && 2 <= grep { $_->[0] eq $verdict } @{$check->{recent}};
    }, "$name: the expected verdict twice");

    ok($done, join ' ', "$name:", $verdict, $reason // ())
        or diag join ', ', map { $_ // '-' }
            @$check{qw(verdict reason message)};
}


END {
    if ($$ == $owner) {
        local $?;
        kill 'KILL', grep { defined } map { $_->{pid} } @all;
    }
}


1;
