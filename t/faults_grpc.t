#!/usr/bin/perl

# grpc checks of peers with all kinds of faults at once: ordinary requests to
# the same worker take as long as without the checks.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::DNS;
use InitGate::Fake;
use InitGate::HTTP2;
use InitGate::Latency;
use Time::HiRes qw(sleep);

my $t = InitGate->new(workers => 1);

my $dns = InitGate::DNS->silent;
$t->{resolver} = "resolver 127.0.0.1:@{[$dns->port]};";

my @grpc = (':status' => 200, 'content-type' => 'application/grpc');

# until the client closes the connection

sub endless {
    my ($c, $bytes) = @_;

    sleep 0.01 while $c->send($bytes);
}

# a peer that does this after it has read a request

sub request { $_[0]->read_until(qr/\0\0\0\0\0\z/) }

sub faulty {
    my ($code) = @_;

    return 'grpc 127.0.0.1:' . InitGate::Fake->new(sub {
        request($_[0]) && $code->($_[0]);
    }, backlog => 1000)->port;
}

my $garbage = faulty(sub { $_[0]->send('garbage' x 100) });
my $resets = faulty(sub { $_[0]->reset });
my $hangs = faulty(sub { $_[0]->send(settings() . headers(1, @grpc));
    $_[0]->hang });
my $denied = faulty(sub { $_[0]->send(settings()
    . end(1, @grpc, 'grpc-status' => 7)); $_[0]->hang });
my $frames = faulty(sub { $_[0]->send(settings());
    endless($_[0], ping() x 1000) });
my $message = faulty(sub { $_[0]->send(settings() . headers(1, @grpc));
    endless($_[0], data(1, 'x' x 16384)) });
my $fields = faulty(sub { $_[0]->send(settings() . frame(1, 0, 1, ''));
    endless($_[0], frame(9, 0, 1, fields('x' => 'y' x 16000))) });

my $real = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->send(settings());

    for (my $stream = 1; request($c); $stream += 2) {
        $c->send(headers($stream, @grpc) . data($stream, message("\x08\x01"))
            . end($stream, 'grpc-status' => 0));
    }
});

my $silent = InitGate::Fake->silent(backlog => 1000)->port;
my $hole = InitGate::Fake->blackhole->port;

my $latency = latency_with_checks($t, 8,
    down => ['grpc 127.0.0.1:1', 'error', 'refused'],
    blackhole => ["grpc 127.0.0.1:$hole", 'error', 'timeout'],
    silent => ["grpc 127.0.0.1:$silent", 'error', 'timeout'],
    garbage => [$garbage, 'error', 'protocol'],
    frames => [$frames, 'error', 'protocol'],
    message => [$message, 'error', 'protocol'],
    fields => [$fields, 'error', 'protocol'],
    resets => [$resets, 'error', 'reset'],
    hangs => [$hangs, 'error', 'timeout'],
    denied => [$denied, 'error', 'denied'],
    nameless => ['grpc search.example:1', 'error', 'timeout'],
    real => ["grpc 127.0.0.1:@{[$real->port]}", 'passed'],
);

$latency->begin;
$real->freeze;
ended($t, 'real8', 'error', 'timeout');
$latency->more(200)->end('a frozen server');

$real->thaw;
ended($t, 'real8', 'passed');

done_testing;
