#!/usr/bin/perl

# About a hundred http checks of peers with all kinds of faults at once:
# ordinary requests to the same worker take as long as without the checks.

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
    sleep 0.01 while $_[0]->send('X: ' . 'y' x 65536) });
my $body = faulty(sub { $_[0]->send("$ok\r\n");
    sleep 0.01 while $_[0]->send('y' x 65536) });

# as JSON: 64 KiB that take much memory, more than that, and an end that does
# not come

my $objects = '[' . join(',', ('{}') x 21000) . ']';
my $costly = faulty(sub { $_[0]->send("${ok}Content-Length: "
    . length($objects) . "\r\n\r\n$objects") });
my $endless_json = faulty(sub { $_[0]->send("$ok\r\n[");
    sleep 0.01 while $_[0]->send('{},' x 20000) });
my $half_json = faulty(sub { $_[0]->send("$ok\r\n{\"status\":");
    $_[0]->hang });

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
    costly => ["$costly json= min=30000 interval=3s", 'waiting', 'too_few'],
    endless_json => ["$endless_json json=/0 interval=3s", 'error', 'too_large'],
    half_json => ["$half_json json=/status interval=3s", 'error', 'timeout'],
    token => ["http http://127.0.0.1:@{[$real->port]}/"
        . " token_file=/no/such/file interval=3s", 'error', 'no_secret'],
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
