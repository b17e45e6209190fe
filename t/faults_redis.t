#!/usr/bin/perl

# About a hundred redis checks of servers with all kinds of faults at once:
# ordinary requests to the same worker take as long as without the checks.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Latency;
use InitGate::DNS;
use InitGate::Fake;
use Time::HiRes qw(sleep);

my $t = InitGate->new(workers => 1);
my $real = $t->redis('user gate on >right ~* +@connection');
my $port = $real->port;

my $dns = InitGate::DNS->silent;
$t->{resolver} = "resolver 127.0.0.1:@{[$dns->port]};";

sub responds {
    my ($text, $end) = @_;

    return InitGate::Fake->new(sub {
        my ($c) = @_;
        $c->read_until(qr/\r\n/) or return;
        $end->($c) if $end;
        $c->send($text) or return;
        $c->hang;
    })->port;
}

my $garbage = responds("\0garbage" x 100);
my $loading = InitGate::Fake->new(sub {
    my ($c) = @_;
    while ($c->read_until(qr/PING\r\n/)) {
        $c->send("-LOADING Redis is loading the dataset in memory\r\n")
            or return;
    }
})->port;
my $resets = responds('', sub { $_[0]->reset; POSIX::_exit(0) });
my $endless = responds('', sub {
    sleep 0.01 while $_[0]->send('+' . 'x' x 65536);
});
my $hangs = responds("+PO");
my $silent = InitGate::Fake->silent(backlog => 1000)->port;
my $hole = InitGate::Fake->blackhole->port;

my $latency = latency_with_checks($t, 8,
    down => ['redis redis://127.0.0.1:1/%d', 'error', 'refused'],
    blackhole => ["redis redis://127.0.0.1:$hole/%d", 'error', 'timeout'],
    silent => ["redis redis://127.0.0.1:$silent/%d", 'error', 'timeout'],
    garbage => ["redis redis://127.0.0.1:$garbage/%d", 'error', 'protocol'],
    endless => ["redis redis://127.0.0.1:$endless/%d", 'error', 'protocol'],
    resets => ["redis redis://127.0.0.1:$resets/%d", 'error', 'reset'],
    hangs => ["redis redis://127.0.0.1:$hangs/%d", 'error', 'timeout'],
    nameless => ['redis redis://cache.example/%d', 'error', 'timeout'],
    loading => ["redis redis://127.0.0.1:$loading", 'running', 'loading'],
    password => ["redis redis://gate:wrong%d\@127.0.0.1:$port", 'error',
        'auth'],
    database => ["redis redis://gate:right\@127.0.0.1:$port/9%d", 'error',
        'no_database'],
    denied => ["redis redis://gate:right\@127.0.0.1:$port/%d key=k failed=x",
        'error', 'denied'],
    real => ["redis redis://127.0.0.1:$port/%d", 'passed'],
);

$latency->begin;
$real->freeze;
ended($t, 'real8', 'error', 'timeout');
$latency->more(200)->end('a frozen server');

$real->thaw;
ended($t, 'real8', 'passed');

done_testing;
