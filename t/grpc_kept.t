#!/usr/bin/perl

# grpc: a connection that is kept after a probe has passed, and is used, closed
# or reset by the server meanwhile.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;
use InitGate::HTTP2;
use Time::HiRes qw(sleep);

my $t = InitGate->new(quit => 2, workers => 1);

my @grpc = (':status' => 200, 'content-type' => 'application/grpc');

sub serving {
    my ($stream) = @_;

    return headers($stream, @grpc) . data($stream, message("\x08\x01"))
        . end($stream, 'grpc-status' => 0);
}

# the next request, to the end of its message

sub request { $_[0]->read_until(qr/\x0a\x07service/) }

my %peer = (

    # responds to each request
    kept => sub {
        my ($c) = @_;
        my $stream = 1;
        for (; request($c); $stream += 2) {
            $c->send(serving($stream));
        }
    },

    # as servers that measure the delay, or set window sizes
    pings => sub {
        my ($c) = @_;
        my $stream = 1;
        for (; request($c); $stream += 2) {
            $c->send(serving($stream));
            sleep 0.01;
            $c->send(ping() . window(0, 10) . settings(3 => 100));
            $c->read_until(qr/\x06\x01\0\0\0\0pingpong/) or return;
            sleep 0.01;
            $c->send(ping());
        }
    },

    # sends GOAWAY, with the connection in use or idle
    goes => sub {
        my ($c) = @_;
        request($c) or return;
        $c->send(serving(1));
        sleep 0.01;
        $c->send(goaway(1, 0));
        $c->hang;
    },

    goes_first => sub {
        my ($c) = @_;
        request($c) or return;
        $c->send(goaway(1, 0) . serving(1));
        $c->hang;
    },

    crosses => sub {
        my ($c) = @_;
        request($c) or return;
        $c->send(serving(1));
        request($c) or return;
        $c->send(goaway(1, 0));
    },

    # refuses the second call, or all calls
    refuses_one => sub {
        my ($c) = @_;
        request($c) or return;
        $c->send(serving(1));
        request($c) or return;
        $c->send(rst(3, 7));
        $c->hang;
    },

    none_allowed => sub {
        my ($c) = @_;
        request($c) or return;
        $c->send(serving(1) . goaway(1, 0));
        $c->hang;
    },

    idle => sub {
        my ($c) = @_;
        request($c) or return;
        $c->send(serving(1));
        sleep 0.02;
    },

    closes => sub {
        my ($c) = @_;
        request($c) or return;
        $c->send(serving(1));
        request($c);
    },

    resets => sub {
        my ($c) = @_;
        request($c) or return;
        $c->send(serving(1));
        request($c);
        $c->reset;
    },

    # a PING, after which the connection is closed
    pings_and_resets => sub {
        my ($c) = @_;
        request($c) or return;
        $c->send(serving(1));
        sleep 0.01;
        $c->send(ping());
        $c->reset;
    },

    floods => sub {
        my ($c) = @_;
        request($c) or return;
        $c->send(serving(1) . ping() x 10000);
        $c->hang;
    },

    garbage => sub {
        my ($c) = @_;
        request($c) or return;
        $c->send(serving(1) . 'garbage' x 10);
        $c->hang;
    },

    # flow control: the message is sent as its window opens
    window => sub {
        my ($c) = @_;
        request($c) or return;
        $c->send(serving(1) . settings(4 => 0));
        my $stream = 3;
        for (; $c->read_until(qr/\x01\x04\0\0\0\Q@{[chr $stream]}\E/);
             $stream += 2)
        {
            sleep 0.01;
            $c->send(window($stream, 8));
            $c->read_until(qr/\x0a\x07s\z/) or return;
            sleep 0.01;
            $c->send(window($stream, 1000));
            $c->read_until(qr/ervice/) or return;
            $c->send(serving($stream));
        }
    },

    # responds to a call whose message its window has blocked
    early => sub {
        my ($c) = @_;
        request($c) or return;
        $c->send(serving(1) . settings(4 => 0));
        $c->read_until(qr/\x01\x04\0\0\0\x03/) or return;
        $c->send(serving(3));
        $c->hang;
    },

    # the same with a new connection, from the second one on
    refuses => sub {
        my ($c) = @_;
        request($c) or return;
        $c->send(serving(1)) if $c->number == 1;
        request($c) if $c->number == 1;

        # close() with bytes to read would be a reset
        shutdown $c->socket, 1;
        $c->hang;
    },

    # the second call gets no response
    hangs => sub {
        my ($c) = @_;
        request($c) or return;
        $c->send(serving(1)) if $c->number == 1;
        $c->hang;
    },
);

my %fake = map {
    my $code = $peer{$_};
    ($_ => InitGate::Fake->new(sub { $_[0]->send(settings());
                                     $code->($_[0]) }));
} keys %peer;

my $short = patience(1);
my $checks = join "\n", map {
    my $timeout = $_ eq 'hangs' ? "timeout=${short}s" : '';
    'check grpc 127.0.0.1:' . $fake{$_}->port . " service=service name=$_"
    . " $timeout;"
} sort keys %peer;

my $limit = patience(10);

$t->run(http => <<"CONF");
    init_checks app {
        check file %%DIR%%/never  name=never;
$checks
        interval 200ms;
        backoff 200ms;
        timeout ${limit}s;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
    }
CONF

my $all = sub {
    return { map { $_->{name} => $_ }
        @{$t->json('/init')->{gates}[0]{checks}} };
};

$t->wait_for(sub {
    my $now = $all->();
    return !grep { $now->{$_}{attempts} < ($_ eq 'hangs' ? 2 : 12) }
        keys %peer;
}, 'a dozen probes of each', 60);

my $now = $all->();

for my $name (sort keys %peer) {
    next if $name eq 'refuses' || $name eq 'hangs';

    my @recent = @{$now->{$name}{recent}};
    my @other = grep { $_->[0] ne 'passed' } @recent;

    ok(@recent >= 12 && !@other, "$name passed each time")
        or diag explain $now->{$name};
}

my $calls = sub { scalar(() = $fake{$_[0]}->received =~ /\x0a\x07service/g) };

# kept for 30 s

for my $name (qw(kept pings window)) {
    cmp_ok($fake{$name}->connections, '<=', $now->{$name}{attempts} / 2,
        "$name: few connections");
}

for my $name (qw(goes goes_first none_allowed idle pings_and_resets floods
                 garbage early))
{
    cmp_ok($fake{$name}->connections, '>=', 6, "$name: many connections");
}

for my $name (qw(goes_first none_allowed floods garbage)) {
    my $connections = $fake{$name}->connections;

    cmp_ok($calls->($name), '<=', $connections, "$name: one call each");
}

for my $name (qw(crosses refuses_one closes resets)) {
    my $connections = $fake{$name}->connections;

    cmp_ok($connections, '>=', 12, "$name: many connections");
    cmp_ok($calls->($name), '>', $connections * 1.5,
        "$name: call repeated over a new one");
}

# once

my $got = $now->{refuses};
is("$got->{verdict} $got->{reason}", 'error reset', 'refuses: error');
like($got->{message}, qr/without a response/, 'refuses: message');
ok($got->{passed_at}, 'refuses: has passed before');

my $connections = $fake{refuses}->connections;
cmp_ok($connections, '<=', $all->()->{refuses}{attempts} + 2,
    'refuses: a new connection tried once');

$got = $now->{hangs};
is("$got->{verdict} $got->{reason}", 'error timeout', 'hangs: error');
ok($got->{passed_at}, 'hangs: has passed before');

done_testing;
