#!/usr/bin/perl

# tcp checks of peers in every kind of trouble, those of TLS among them, at
# once: ordinary requests to the same worker take as long as those to an nginx
# without them.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Beside;
use InitGate::DNS;
use InitGate::Fake;

my $t = InitGate->new(workers => 1);

my $dns = InitGate::DNS->new(sub { });
$t->{resolver} = "resolver 127.0.0.1:@{[$dns->port]};";

my ($certificate, $key) = $t->certificate('127.0.0.1');
my $secure = InitGate::Fake->new(sub { $_[0]->hang },
    tls => [$certificate, $key]);

# what answers a handshake with something else, or on and on

my $noise = InitGate::Fake->new(sub { $_[0]->read_bytes(5);
    $_[0]->send('garbage' x 100); $_[0]->hang })->port;
my $flood = InitGate::Fake->new(sub { $_[0]->read_bytes(5);
    1 while $_[0]->send("\x16\x03\x03\x40\0" . "\x0b\0\x3f\xfc" . "\0" x 16380)
    })->port;

my $silent = InitGate::Fake->silent(backlog => 1000)->port;
my $hole = InitGate::Fake->blackhole->port;

my $beside = beside_peers($t, 5,
    down => ['tcp 127.0.0.1:1', 'error', 'refused'],
    blackhole => ["tcp 127.0.0.1:$hole", 'error', 'timeout'],
    nameless => ['tcp queue.example:1', 'error', 'timeout'],
    silent => ["tcp 127.0.0.1:$silent tls", 'error', 'timeout'],
    garbage => ["tcp 127.0.0.1:$noise tls", 'error', 'tls'],
    endless => ["tcp 127.0.0.1:$flood tls", 'error', 'tls'],
    real => ["tcp 127.0.0.1:@{[$secure->port]} tls ca=$certificate", 'passed'],
);

$beside->begin;
$secure->freeze;
ended($t, 'real5', 'error', 'timeout');
$beside->more(200)->end('and a frozen one');

$secure->thaw;
ended($t, 'real5', 'passed');

done_testing;
