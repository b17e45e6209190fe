#!/usr/bin/perl

# tcp checks of peers with all kinds of faults at once, some of them in the TLS
# handshake: ordinary requests to the same worker take as long as without the
# checks.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Latency;
use InitGate::DNS;
use InitGate::Fake;
use Time::HiRes qw(sleep);

my $t = InitGate->new(workers => 1);

my $dns = InitGate::DNS->silent;
$t->{resolver} = "resolver 127.0.0.1:@{[$dns->port]};";

my ($certificate, $key) = $t->certificate('127.0.0.1');
my $secure = InitGate::Fake->new(sub { $_[0]->hang },
    tls => [$certificate, $key]);

# a response to the handshake that is not TLS, and one without end

my $noise = InitGate::Fake->new(sub { $_[0]->read_bytes(5);
    $_[0]->send('garbage' x 100); $_[0]->hang })->port;
my $flood = InitGate::Fake->new(sub { $_[0]->read_bytes(5);
    sleep 0.01 while $_[0]->send("\x16\x03\x03\x40\0" . "\x0b\0\x3f\xfc"
        . "\0" x 16380) })->port;

# texts

my $text = InitGate::Fake->new(sub {
    sleep 0.01 while $_[0]->send('text' x 16384);
})->port;
my $drip = InitGate::Fake->new(sub { $_[0]->send_slowly('x' x 1000, 0.01) })
    ->port;

my $silent = InitGate::Fake->silent(backlog => 1000)->port;
my $hole = InitGate::Fake->blackhole->port;

my $latency = latency_with_checks($t, 5,
    down => ['tcp 127.0.0.1:1', 'error', 'refused'],
    blackhole => ["tcp 127.0.0.1:$hole", 'error', 'timeout'],
    nameless => ['tcp queue.example:1', 'error', 'timeout'],
    silent => ["tcp 127.0.0.1:$silent tls", 'error', 'timeout'],
    garbage => ["tcp 127.0.0.1:$noise tls", 'error', 'tls'],
    endless => ["tcp 127.0.0.1:$flood tls", 'error', 'tls'],
    waits => ["tcp 127.0.0.1:$silent send=a contains=b", 'error', 'timeout'],
    text => ["tcp 127.0.0.1:$text match=(xt*y)+", 'waiting', 'mismatch'],
    drip => ["tcp 127.0.0.1:$drip match=(x+)+y", 'waiting', 'mismatch'],
    real => ["tcp 127.0.0.1:@{[$secure->port]} tls ca=$certificate timeout=5s",
             'passed'],
);

$latency->begin;
$secure->freeze;
ended($t, 'real5', 'error', 'timeout');
$latency->more(200)->end('a frozen server');

$secure->thaw;
ended($t, 'real5', 'passed');

done_testing;
