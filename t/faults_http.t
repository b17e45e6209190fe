#!/usr/bin/perl

# A hundred http checks of peers in every kind of trouble, at once: ordinary
# requests to the same worker take as long as those to an nginx without them.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Beside;
use InitGate::DNS;
use InitGate::Fake;

my $t = InitGate->new(workers => 1);

my $dns = InitGate::DNS->new(sub { });
$t->{resolver} = "resolver 127.0.0.1:@{[$dns->port]};";

my $ok = "HTTP/1.1 200 OK\r\n";

# what it does once it has been asked

sub trouble {
    my ($code) = @_;

    return 'http http://127.0.0.1:' . InitGate::Fake->new(sub {
        $_[0]->read_until(qr/\r\n\r\n/) && $code->($_[0]);
    }, backlog => 1000)->port . '/';
}

my $garbage = trouble(sub { $_[0]->send("\0garbage" x 100) });
my $resets = trouble(sub { $_[0]->reset });
my $hangs = trouble(sub { $_[0]->hang });
my $denied = trouble(sub {
    $_[0]->send("HTTP/1.1 401 x\r\nContent-Length: 0\r\n\r\n") });
my $header = trouble(sub { $_[0]->send($ok);
    1 while $_[0]->send('X: ' . 'y' x 65536) });
my $body = trouble(sub { $_[0]->send("$ok\r\n");
    1 while $_[0]->send('y' x 65536) });

my $real = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->send("${ok}Content-Length: 0\r\n\r\n")
        while $c->read_until(qr/\r\n\r\n/);
});

my $silent = InitGate::Fake->silent(backlog => 1000)->port;
my $hole = InitGate::Fake->blackhole->port;

my $beside = beside_peers($t, 8,
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

$beside->begin;
$real->freeze;
ended($t, 'real8', 'error', 'timeout');
$beside->more(200)->end('and a frozen one');

$real->thaw;
ended($t, 'real8', 'passed');

done_testing;
