#!/usr/bin/perl

# About a hundred http checks of peers with all kinds of faults at once:
# ordinary requests to the same worker take as long as without the checks.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Latency;
use InitGate::DNS;
use InitGate::Fake;

my $t = InitGate->new(workers => 1);

my $dns = InitGate::DNS->silent;
$t->{resolver} = "resolver 127.0.0.1:@{[$dns->port]};";

my $ok = "HTTP/1.1 200 OK\r\n";

# a peer that does this after it has read a request

sub faulty {
    my ($code) = @_;

    return 'http http://127.0.0.1:' . InitGate::Fake->new(sub {
        $_[0]->read_until(qr/\r\n\r\n/) && $code->($_[0]);
    }, backlog => 1000)->port . '/';
}

my $garbage = faulty(sub { $_[0]->send("\0garbage" x 100) });
my $resets = faulty(sub { $_[0]->reset });
my $hangs = faulty(sub { $_[0]->hang });
my $denied = faulty(sub {
    $_[0]->send("HTTP/1.1 401 x\r\nContent-Length: 0\r\n\r\n") });
my $header = faulty(sub { $_[0]->send($ok);
    1 while $_[0]->send('X: ' . 'y' x 65536) });
my $body = faulty(sub { $_[0]->send("$ok\r\n");
    1 while $_[0]->send('y' x 65536) });

my $real = InitGate::Fake->http(200, keepalive => 1);

my $silent = InitGate::Fake->silent(backlog => 1000)->port;
my $hole = InitGate::Fake->blackhole->port;

my $latency = latency_with_checks($t, 8,
    down => ['http http://127.0.0.1:1/', 'error', 'refused'],
    gone => ["http unix:/none.sock", 'error', 'refused'],
    blackhole => ["http http://127.0.0.1:$hole/", 'error', 'timeout'],
    silent => ["http http://127.0.0.1:$silent/", 'error', 'timeout'],
    garbage => [$garbage, 'error', 'protocol'],
    endless => [$header, 'error', 'protocol'],
    body => ["$body match=never", 'waiting', 'mismatch'],
    resets => [$resets, 'error', 'reset'],
    hangs => [$hangs, 'error', 'timeout'],
    denied => [$denied, 'waiting', 'bad_status'],
    nameless => ['http http://search.example/', 'error', 'timeout'],
    real => ["http http://127.0.0.1:@{[$real->port]}/", 'passed'],
);

$latency->begin;
$real->freeze;
ended($t, 'real8', 'error', 'timeout');
$latency->more(200)->end('a frozen server');

$real->thaw;
ended($t, 'real8', 'passed');

done_testing;
