#!/usr/bin/perl

# The redis check: malicious peers, and peers of other protocols.

use FindBin;
use lib "$FindBin::Bin/lib";

# freed memory is reused soon
BEGIN {
    $ENV{ASAN_OPTIONS} = 'detect_odr_violation=0:detect_leaks=1'
                         . ':quarantine_size_mb=1';
}

use InitGate;
use InitGate::Checks;
use InitGate::Fake;
use InitGate::Latency;

my $t = InitGate->new(workers => 1);

# sends until nginx closes the connection

sub send_endlessly {
    my ($c, $text) = @_;

    $text x= 1 + 65536 / length $text;
    1 while $c->send($text);
}

sub once {
    my ($text) = @_;

    return sub {
        my ($c) = @_;
        $c->read_until(qr/\r\n/) or return;
        $c->send($text);
        $c->hang;
    };
}

sub endless {
    my ($text) = @_;

    return sub {
        my ($c) = @_;
        $c->read_until(qr/\r\n/) or return;
        send_endlessly($c, $text);
    };
}

# name, parameters, code of the peer, expected verdict and message

my @peers = (
    [line => '', endless('+' . 'x' x 1000),
     'error protocol', qr/^response is too large$/],
    [pongs => '', endless("+PONG\r\n"),
     'error protocol', qr/^more replies than commands$/],
    [two => '', once("+PONG\r\n+PONG\r\n"),
     'error protocol', qr/^more replies than commands$/],
    [zeros => '', endless("\0"),
     'error protocol', qr/^Protocol error, got "\\x00" as reply type byte$/],
    [nested => '', endless("*1\r\n"),
     'error protocol', qr/^(?:No support for nested|response is too large)/],
    [wide => '', endless("*4095\r\n" . "+a\r\n" x 4000),
     'error protocol', qr/^response is too large$/],
    [huge => 'key=k value=v timeout=200ms',
     once("+string\r\n\$4611686018427387904\r\n"), 'error timeout'],
    [many => '', once("*1000000000\r\n"),
     'error protocol', qr/^response is too large$/],
    [many2 => 'key=k min=1', once("*4000\r\n" . "*4000\r\n" x 10),
     'error protocol', qr/^response is too large$/],
    [bulk => 'key=k value=v',
     endless("+string\r\n\$100000\r\n" . 'x' x 100000 . "\r\n"),
     'error protocol', qr/^response is too large$/],
    [http => '', once("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
     'error protocol', qr/^Protocol error, got "H" as reply type byte$/],
    [tls => '', once("\x15\x03\x01\x00\x02\x02\x16"),
     'error protocol', qr/^Protocol error, got "\\x15" as reply type/],
    [push => '', once(">2\r\n+invalidate\r\n*1\r\n+k\r\n+PONG\r\n"),
     'error protocol', qr/^(?:Protocol error, got ">"|more replies than)/],
    [resp3 => 'key=k', once("#t\r\n"),
     'error protocol', qr/^(?:Protocol error, got "#"|a type of another)/],
    [number => 'key=k', once(":12a\r\n"),
     'error protocol', qr/^Bad integer value$/],

    [other => 'key=k', once("\$1\r\n1\r\n"),
     'error protocol', qr/^a string in reply to EXISTS$/],
    [pingpong => '', once(":1\r\n"),
     'error protocol', qr/^a number in reply to PING$/],
    [nothing => 'key=k value=v', once("+string\r\n+v\r\n"),
     'error protocol', qr/^a status in reply to a value$/],
    [type => 'key=k value=v', once(":1\r\n\$1\r\nv\r\n"),
     'error protocol', qr/^a number in reply to TYPE$/],
    [minus => 'key=k min=1', sub {
        my ($c) = @_;
        while (defined(my $text = $c->read_until(qr/(?:TYPE|LLEN)/))) {
            $c->send($text =~ /TYPE/ ? "+list\r\n" : ":-5\r\n");
        }
     },
     'error protocol', qr/^a number in reply to a length$/],
    [module => 'key=k min=1', once("+ReJSON-RL\r\n"),
     'waiting wrong_type', qr/^key "k" is of type ReJSON-RL, which has no l/],
    [odd => 'key=k value=v', once("+" . "\x1b[31m\xff<b>" x 200
                                  . "\r\n\$1\r\nv\r\n"),
     'waiting wrong_type', qr/^key "k" is of type \[31m\?<b>.*\.\.\., not a str/],

    [slow => 'timeout=200ms', sub {
        my ($c) = @_;
        $c->send_slowly("+PONG\r\n", 0.1);
     }, 'error timeout', qr/while waiting for a reply of Redis$/],
    [silent => 'timeout=200ms', sub { $_[0]->hang },
     'error timeout', qr/while waiting for a reply of Redis$/],
    [closed => '', sub { },
     'error reset', qr/^(?:connection closed by the server|recv.*reset)/],
    [reset => '', sub { $_[0]->read_until(qr/\r\n/); $_[0]->reset },
     'error reset', qr/Connection reset by peer/],
    [half => '', sub {
        my ($c) = @_;
        $c->read_until(qr/PING\r\n/);
        $c->send("+PO");
     }, 'error reset', qr/^connection closed by the server$/],
    [full => 'key=k value=v', sub {
        my ($c) = @_;
        $c->send("-ERR max number of clients reached\r\n");
     }, 'error too_many_connections', qr/^ERR max number of clients reached/],
    [bad => '', once("-ERR \x00\x01\"</script>\xff\r\n"),
     'error query', qr{^ERR \? \?"</script>\?|^ERR "</script>\?}],
    [long => '', once('-ERR ' . 'x' x 60000 . "\r\n"),
     'error query', qr/^ERR x{100}/],

    # passwords are not logged, whatever the peer sends

    [echo => 'key=k', sub {
        my ($c) = @_;
        my $text = $c->read_until(qr/EXISTS/);
        $c->send($text);
        $c->hang;
     }, 'error protocol', qr/^a list in reply to AUTH$/],
    [strange => 'key=k',
     once("-ERR unknown command 'AUTH', with args beginning with: 'hunter2'"
          . "\r\n-NOAUTH hunter2\r\n"),
     'error auth', qr/^AUTH was refused$/],

    # redirections

    [circle => 'key=k', sub {
        my ($c) = @_;
        my $port = $c->socket->sockport;
        $c->read_until(qr/EXISTS.*\r\nk\r\n/s);
        $c->send("-MOVED 1 127.0.0.1:$port\r\n");
        $c->read_until(qr/EXISTS.*\r\nk\r\n/s);
        $c->send("-MOVED 1 127.0.0.1:$port\r\n");
     }, 'error query', qr/^MOVED 1 127/],
    [astray => 'key=k', once("-MOVED 1 127.0.0.1:99999\r\n"),
     'error query', qr/^MOVED 1 127.0.0.1:99999/],
    [blank => 'key=k', once("-MOVED 1 a b:1\r\n"),
     'error query', qr/^MOVED 1 a b:1/],
    [nowhere => 'key=k', once("-MOVED 1 127.0.0.1:%PORT%\r\n"),
     'error refused', qr/^connect\(\) to 127\.0\.0\.1:/],
);

my $checks = '';
my @fakes;

my $closed = $t->port('closed');

for (@peers) {
    my ($name, $params, $code) = @$_;

    if ($name eq 'nowhere') {
        $code = once("-MOVED 1 127.0.0.1:$closed\r\n");
    }

    my $fake = InitGate::Fake->new($code);
    push @fakes, $fake;

    my $login = $name =~ /^(?:echo|strange)$/ ? ':hunter2@' : '';

    $checks .= "check redis redis://${login}127.0.0.1:" . $fake->port
               . " name=$name $params;\n";
}

$t->write('hosts', '');

$t->run(http => InitGate::Latency::GATE . <<"CONF");

    init_checks app {
        interval 200ms;
        backoff 1s;
        timeout 1m;

        check file %%DIR%%/never  name=never;
        $checks
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
@{[InitGate::Latency::LOCATION]}
    }

CONF

my ($worker) = $t->workers;

for (@peers) {
    my ($name, $params, $code, $expected, $message) = @$_;

    settles($t, $name, $expected, $message);
}

# requests during these probes

my $memory = $t->memory($worker);
my $descriptors = () = $t->descriptors($worker);

InitGate::Latency->new($t)->begin->more(300)->end('hostile peers');

cmp_ok($t->memory($worker) - $memory, '<', patience(4096),
    'many probes: memory is bounded');

SKIP: {
    skip $t->hidden, 1 if $t->hidden;
    cmp_ok(scalar(() = $t->descriptors($worker)) - $descriptors, '<', @peers,
        'many probes: descriptors are bounded');
}

is(($t->workers)[0], $worker, 'many probes: same worker');

unlike($t->log . $t->get('/init')->{content}, qr/hunter2/,
    'log and status: no secret');

done_testing;
