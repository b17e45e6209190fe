#!/usr/bin/perl

# http: with any behavior of the peer, the probe ends with a verdict, memory is
# bounded, and other requests are not affected.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;
use InitGate::Latency;
use Time::HiRes qw(sleep);

my $t = InitGate->new(quit => 2, workers => 1);

my $ok = "HTTP/1.1 200 OK\r\n";
my $length = "${ok}Content-Length: ";
my $chunked = "${ok}Transfer-Encoding: chunked\r\n\r\n";

# the code of the peer; verdict and reason without and with match=hello;
# message

my @protocol = ('error protocol') x 2;
my @reset = ('error reset') x 2;
my @timeout = ('error timeout') x 2;

my %case = (

    # another protocol

    binary => [sub { $_[0]->send("\x00\x01\x02\n") }, @protocol,
        qr/not HTTP/],
    ssh => [sub { $_[0]->send("SSH-2.0-x\r\n"); $_[0]->hang }, @protocol,
        qr/not HTTP/],
    redis => [sub { $_[0]->send("-ERR what?\r\n"); $_[0]->hang }, @protocol,
        qr/not HTTP/],
    html => [sub { $_[0]->send('<html>hello</html>') }, @protocol,
        qr/not HTTP/],
    http2 => [sub { $_[0]->send("HTTP/2 200\r\n\r\n") }, @protocol,
        qr/not HTTP/],

    # a truncated or invalid response

    close => [sub { }, @reset, qr/without a response/],
    reset => [sub { $_[0]->reset }, @reset, qr/reset/],
    half_header => [sub { $_[0]->send("${ok}X: y\r\n") }, @reset,
        qr/during the response/],
    half_body => [sub { $_[0]->send("${length}9\r\n\r\nhello") },
        'passed', 'error reset', qr/during the response/],
    half_chunk => [sub { $_[0]->send("${chunked}9\r\nhello") },
        'passed', 'error reset', qr/during the response/],
    reset_body => [sub { $_[0]->send("${length}9\r\n\r\nhello");
                         sleep 0.1; $_[0]->reset },
        'passed', 'error reset', qr/reset/],
    no_colon => [sub { $_[0]->send("${ok}header\r\n\r\n") }, @protocol,
        qr/invalid header/],
    status => [sub { $_[0]->send("HTTP/1.1 2000 OK\r\n\r\n") }, @protocol,
        qr/not HTTP/],
    length_text => [sub { $_[0]->send("${length}x\r\n\r\n") }, @protocol,
        qr/Content-Length/],
    length_minus => [sub { $_[0]->send("${length}-1\r\n\r\n") }, @protocol,
        qr/Content-Length/],
    length_huge => [sub { $_[0]->send($length . '9' x 30 . "\r\n\r\n") },
        @protocol, qr/Content-Length/],
    lengths => [sub { $_[0]->send("${length}5\r\nContent-Length: 6\r\n\r\n") },
        @protocol, qr/Content-Length/],
    chunk_text => [sub { $_[0]->send("${chunked}hello\r\n"); $_[0]->hang },
        'passed', 'error protocol', qr/chunk/],
    chunk_huge => [sub { $_[0]->send("${chunked}fffffffffffffffff\r\nhello");
                         $_[0]->hang },
        'passed', 'error protocol', qr/chunk/],

    # without end

    header => [sub { $_[0]->send($ok);
                     1 while $_[0]->send('X: ' . 'y' x 1000 . "\r\n") },
        @protocol, qr/too large/],
    line => [sub { $_[0]->send($ok); 1 while $_[0]->send('y' x 1000) },
        @protocol, qr/too large/],
    interim => [sub { 1 while $_[0]->send("HTTP/1.1 103 X\r\n\r\n") },
        @protocol, qr/too large/],
    body => [sub { $_[0]->send("$ok\r\n"); 1 while $_[0]->send('y' x 1000) },
        'passed', 'waiting mismatch', qr/does not match/],
    chunks => [sub { $_[0]->send($chunked);
                     1 while $_[0]->send("a\r\n0123456789\r\n" x 50) },
        'passed', 'waiting mismatch', qr/does not match/],
    extension => [sub { $_[0]->send("${chunked}1;");
                        1 while $_[0]->send('y' x 1000) },
        'passed', 'error protocol', qr/chunk/],
    trailer => [sub { $_[0]->send("${chunked}0\r\n");
                      1 while $_[0]->send('X: ' . 'y' x 1000 . "\r\n") },
        'passed', 'error protocol', qr/too large/],

    # slow, or silent

    slow => [sub { $_[0]->send_slowly($ok, patience(0.2)) }, @timeout,
        qr/answer/],
    slow_body => [sub { $_[0]->send("${length}100\r\n\r\n");
                        $_[0]->send_slowly('y' x 100, patience(0.2)) },
        'passed', 'error timeout', qr/answer/],
    silent => [sub { $_[0]->hang }, @timeout, qr/answer/],

    # unusual, but valid

    bytes => [sub { $_[0]->send_slowly("${length}5\r\n\r\nhello", 0.001) },
        ('passed') x 2],
    surplus => [sub { $_[0]->send("${length}5\r\n\r\nhelloHTTP/1.1 500\r\n") },
        ('passed') x 2],
    interims => [sub { $_[0]->send("HTTP/1.1 100 Continue\r\n\r\n"
            . "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
            . "${length}5\r\n\r\nhello") },
        ('passed') x 2],
    both => [sub { $_[0]->send("${ok}Content-Length: 3\r\n"
            . "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n") },
        ('passed') x 2],
    old => [sub { $_[0]->send("HTTP/1.0 200 OK\n\nhello") }, ('passed') x 2],
    extensions => [sub { $_[0]->send("${chunked}2 ;a=\"b\"\r\nhe\r\n"
            . "003\r\nllo\r\n0\r\nX-Trailer: x\r\n\r\n") },
        ('passed') x 2],
);

my $fake = InitGate::Fake->new(sub {
    my ($c) = @_;

    my $request = $c->read_until(qr/\r\n\r\n/) or return;
    my ($name) = $request =~ m{^GET /(\w+)} or return;

    $case{$name}[0]->($c);
}, backlog => 4096);

my $port = $fake->port;

my $silence = 'timeout=' . patience(1500) . 'ms';

my $conf = join "\n", map {
    my ($alone, $match) = map { /timeout/ ? $silence : '' } @{$case{$_}}[1, 2];
    "check http http://127.0.0.1:$port/$_ name=$_ $alone;",
    "check http http://127.0.0.1:$port/$_ name=$_-match match=hello $match;",
} sort keys %case;

$t->run(level => 'notice', http => InitGate::Latency::GATE . <<"CONF");
    init_checks app {
$conf
        check file /no/such/file interval=300ms;
        interval 1s;
        backoff 1s;
        timeout 10m;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
@{[InitGate::Latency::LOCATION]}
        location = /init { init_status app details=on; }
    }
CONF

my $checks_now = sub {
    return { map { $_->{name} => $_ }
        @{$t->gate('app')->{checks}} };
};

# other requests at the same time

my $latency = InitGate::Latency->new($t)->begin;

for my $name (sort keys %case) {
    my (undef, $alone, $match, $message) = @{$case{$name}};

    for ([$name, $alone], ["$name-match", $match]) {
        my ($check, $expected) = @$_;
        settles($t, $check, $expected, $expected eq 'passed' ? () : $message);
    }
}

$latency->more(100)->end('hostile peers');

# no other verdict, except a reset before the rest is read

my $checks = $checks_now->();

for my $name (sort keys %case) {
    for ([$name, $case{$name}[1]], ["$name-match", $case{$name}[2]]) {
        my ($check, $expected) = @$_;

        next if $name eq 'reset_body';
        is(join(' ', grep { $expected !~ /^$_\b/ }
            map { $_->[0] } @{$checks->{$check}{recent}}), '',
            "$check: no other verdicts");
    }
}

# more of them, without growth

my ($worker) = $t->workers;
my $some = sub {
    my ($n) = @_;
    my $from = $checks_now->()->{file}{attempts};

    # running probes have some; the minimum has only leaked ones
    my $fewest;

    $t->wait_for(sub {
        my $now = () = $t->descriptors($worker);
        $fewest = $now if !defined $fewest || $now < $fewest;
        $checks_now->()->{file}{attempts} > $from + $n;
    }, 'more probes');

    return ($t->memory($worker), $fewest);
};

my ($memory, $descriptors) = $some->(3);
my ($memory_later, $descriptors_later) = $some->(6);

# ASAN keeps freed memory

SKIP: {
    skip 'memory is counted otherwise', 1 if InitGate::is_linked_in();
    cmp_ok($memory_later, '<', $memory + 2048,
        'more probes: memory is bounded');
}

# on a slow machine more probes run at a time; descriptors left open stay

SKIP: {
    skip $t->hidden, 1 if $t->hidden;
    ok($descriptors_later < $descriptors + 12 || $t->wait_for(sub {
        ($some->(1))[1] < $descriptors + 12;
    }, 'fewer descriptors'), 'more probes: no descriptor left open');
}

done_testing;
