#!/usr/bin/perl

# grpc: valid and invalid responses of servers.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;
use InitGate::HTTP2;
use Time::HiRes qw(sleep);

my $t = InitGate->new(quit => 2, workers => 1);
my $limit = patience(5);
my $short = patience(500);

# the head of a response, a message, the trailers

my @grpc = (':status' => 200, 'content-type' => 'application/grpc');
my $head = headers(1, @grpc);
my $serving = data(1, message("\x08\x01"));
my $trailers = end(1, 'grpc-status' => 0);
my $hello = settings();

sub trailers_only { $hello . end(1, @grpc, @_) }

sub http { $hello . headers(1, ':status' => $_[0], 'content-type' => 'text/html')
    . data(1, '<html>' x 20, 1) }

sub body { $hello . $head . data(1, $_[0]) . $trailers }

# much more than the limit

sub endless {
    my ($c, $bytes) = @_;

    for (1 .. 100) {
        $c->send($bytes) or last;
        sleep 0.01;
    }

    $c->hang;
}

# sends this after a request, and waits

my %says = (
    passes => ["$hello$head$serving$trailers", 'passed'],
    subtype => [$hello . headers(1, ':status' => 200,
        'content-type' => 'application/grpc+proto; x=y') . $serving . $trailers,
        'passed'],
    interim => [$hello . headers(1, ':status' => 103, 'link' => 'x')
        . "$head$serving$trailers", 'passed'],
    acknowledged => [$hello . settings_ack() . ping() . window(0, 100)
        . window(1, 100) . $head . ping() . $serving . $trailers, 'passed'],
    pieces => [$hello . $head . join('', map { data(1, $_) }
        split //, message("\x08\x01")) . $trailers, 'passed'],
    later_fields => [body(message("\x12\x03abc\x08\x02\x1d1234\x2112345678"
        . "\x28\xff\x01\x08\x01")), 'passed'],
    extension => [$hello . frame(200, 7, 1, 'x' x 50) . "$head$serving"
        . $trailers, 'passed'],
    reset_after => ["$hello$head$serving$trailers" . rst(1, 0), 'passed'],
    goaway_after => [$hello . goaway(1, 0) . "$head$serving$trailers",
        'passed'],

    default => [body(message('')), 'waiting not_serving', qr/UNKNOWN/],
    large_number => [body(message("\x08" . "\xff" x 9 . "\x01")),
        'waiting not_serving', qr/18446744073709551615/],

    trailers_only => [trailers_only('grpc-status' => 14,
        'grpc-message' => 'not%20yet%0a%'), 'waiting not_serving',
        qr/\(UNAVAILABLE\): not yet/],
    no_type => [$hello . end(1, ':status' => 200, 'grpc-status' => 12),
        'error unimplemented'],
    ok_only => [trailers_only('grpc-status' => 0), 'error protocol',
        qr/not a HealthCheckResponse/],
    no_status => [$hello . $head . data(1, message("\x08\x01"), 1),
        'error protocol', qr/no grpc-status/],
    bad_status => [trailers_only('grpc-status' => 'OK'), 'error protocol',
        qr/invalid grpc-status/],
    other_status => [trailers_only('grpc-status' => 99), 'error query',
        qr/99 \(unknown\)/],

    compressed => [body("\x01\0\0\0\x02\x08\x01"), 'error protocol',
        qr/invalid message/],
    two_messages => [body(message("\x08\x01") x 2), 'error protocol',
        qr/invalid message/],
    too_short => [body("\0\0\0\0\x05\x08\x01"), 'error protocol',
        qr/invalid message/],
    no_prefix => [body("\0\0"), 'error protocol', qr/invalid message/],
    too_large => [$hello . $head . data(1, "\0\0\0\xff\xff" . 'x' x 5000),
        'error protocol', qr/message is too large/],
    wire_type => [body(message("\x0a\x01x")), 'error protocol',
        qr/HealthCheckResponse/],
    group => [body(message("\x13\x14")), 'error protocol'],
    field_zero => [body(message("\x00\x01")), 'error protocol'],
    cut_varint => [body(message("\x08\xff")), 'error protocol'],
    cut_field => [body(message("\x12\x05abc")), 'error protocol'],
    long_varint => [body(message("\x08" . "\xff" x 10 . "\x01")),
        'error protocol'],

    html => [http(200), 'error protocol', qr/HTTP 200, not a gRPC response/],
    no_page => [http(404), 'error protocol', qr/HTTP 404/],
    unauthorized => [http(401), 'error auth', qr/HTTP 401/],
    forbidden => [http(403), 'error denied', qr/HTTP 403/],
    unavailable => [http(503), 'waiting not_serving', qr/HTTP 503/],
    bad_gateway => [http(502), 'waiting not_serving', qr/HTTP 502/],
    grpc_web => [$hello . headers(1, ':status' => 200,
        'content-type' => 'application/grpc-web'), 'error protocol'],

    refused_stream => [$hello . rst(1, 7), 'error reset',
        qr/refused the call: REFUSED_STREAM/],
    internal => [$hello . rst(1, 2), 'error reset', qr/INTERNAL_ERROR/],
    cut_off => ["$hello$head$serving" . rst(1, 8), 'error reset', qr/CANCEL/],
    http_1_required => [$hello . rst(1, 13), 'error protocol', qr/HTTP_1_1/],
    goaway => [$hello . goaway(0, 11), 'error reset',
        qr/closing the connection/],

    http_1 => ["HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        'error protocol', qr/does not use HTTP\/2/],
    garbage => ['garbage' x 100, 'error protocol', qr/HTTP\/2/],
    no_settings => ["$head$serving$trailers", 'error protocol',
        qr/does not use HTTP\/2/],
    other_stream => [$hello . headers(3, @grpc), 'error protocol',
        qr/invalid HTTP\/2/],
    push => [$hello . settings_ack() . frame(5, 4, 1, pack('N', 2) . fields(':method', 'GET',
        ':scheme', 'http', ':path', '/', ':authority', 'x')), 'error protocol',
        qr/invalid HTTP\/2/],
    bad_hpack => [$hello . frame(1, 4, 1, "\xff" x 20), 'error protocol',
        qr/invalid HTTP\/2/],
    no_http_status => [$hello . headers(1, 'content-type' => 'x'),
        'error protocol', qr/invalid response/],
    upper_case => [$hello . headers(1, @grpc, 'X-A' => 1), 'error protocol',
        qr/invalid response/],
    big_frame => [$hello . frame(0, 0, 1, 'x' x 17000), 'error protocol',
        qr/HTTP\/2/],

    # 4,000 bytes in the table, and 60,000 references to them
    bomb => [$hello . frame(1, 0, 1, "\x40\x01x" . "\x7f\xa1\x1e" . 'y' x 4000)
        . frame(9, 0, 1, "\xbe" x 16000) x 3, 'error protocol',
        qr/headers are too large/],
    large_headers => [$hello . frame(1, 0, 1, fields('x' => 'y' x 16000))
        . frame(9, 0, 1, fields('x' => 'y' x 16000)) x 5, 'error protocol',
        qr/too large|HTTP\/2/],

    silent => ['', 'error timeout', qr/waiting for the response/],
    hello_only => [$hello, 'error timeout'],
    head_only => ["$hello$head", 'error timeout'],
    no_streams => [settings(3 => 0), 'error timeout'],
);

my %does = (

    endless_data => [sub {
        my ($c) = @_;
        $c->send($hello . headers(1, ':status' => 200, 'grpc-status' => 1));
        endless($c, data(1, '') x 1000);
    }, 'error protocol', qr/too large|HTTP\/2/],

    endless_pings => [sub {
        my ($c) = @_;
        $c->send($hello);
        endless($c, ping() x 1000);
    }, 'error protocol', qr/too large|HTTP\/2/],

    endless_settings => [sub {
        my ($c) = @_;
        endless($c, $hello x 1000);
    }, 'error protocol', qr/too large|HTTP\/2/],

    endless_headers => [sub {
        my ($c) = @_;
        $c->send($hello . frame(1, 0, 1, ''));
        endless($c, frame(9, 0, 1, '') x 1000);
    }, 'error protocol', qr/too large|HTTP\/2/],

    endless_garbage => [sub {
        my ($c) = @_;
        endless($c, 'garbage' x 1000);
    }, 'error protocol', qr/HTTP\/2/],

    # byte by byte
    slow => [sub {
        my ($c) = @_;
        $c->send_slowly("$hello$head$serving$trailers", 0.0005);
        $c->hang;
    }, 'passed'],

    closes => [sub { }, 'error reset', qr/without a response/],
    closes_later => [sub { $_[0]->send("$hello$head") }, 'error reset',
        qr/without a response/],
    closes_short => [sub { $_[0]->send('no') }, 'error protocol',
        qr/does not use HTTP\/2/],
    closes_after => [sub { $_[0]->send("$hello$head$serving$trailers") },
        'passed'],
    resets => [sub { $_[0]->reset }, 'error reset'],
);

for my $name (keys %says) {
    my ($bytes, @expected) = @{$says{$name}};
    $does{$name} = [sub { $_[0]->send($bytes); $_[0]->hang }, @expected];
}

my %fake = map {
    my $code = $does{$_}[0];
    ($_ => InitGate::Fake->new(sub {
        my ($c) = @_;

        # the request's frame of headers
        $c->read_until(qr/PRI \* HTTP.*?\0\0.\x01\x04\0\0\0\x01/s) or return;
        $code->($c);
    }));
} keys %does;

# TLS without h2: another protocol, with an alert or without

my ($certificate, $key) = $t->certificate('localhost');
my $secure = InitGate::Fake->new(sub { $_[0]->hang },
    tls => [$certificate, $key]);

my $checks = join "\n", map {
    my $timeout = $does{$_}[1] eq 'error timeout' ? "timeout=${short}ms" : '';
    'check grpc 127.0.0.1:' . $fake{$_}->port . " name=$_ $timeout;"
} sort keys %does;

my $version = $t->version >= 1.025001 ? ['', 'http2 on;'] : ['http2', ''];

$t->run(http => <<"CONF");
    init_checks app {
        check file %%DIR%%/never  name=never;
$checks
        check grpc localhost:@{[$secure->port]}  name=no_alpn  tls
                   ca=$certificate;
        check grpc localhost:%%PORT_8081%%  name=other_alpn  tls
                   ca=$certificate;
        check grpc localhost:%%PORT_8082%%  name=web  interval=100ms;
        check grpc localhost:%%PORT_8083%%  name=web_1;
        check grpc unix:%%DIR%%/grpc.sock   name=socket  interval=100ms;
        check grpc unix:%%DIR%%/none.sock   name=no_socket;

        interval 3s;
        backoff 3s;
        timeout ${limit}s;
    }

    server {
        listen 127.0.0.1:%%PORT_8081%% ssl;
        ssl_certificate $certificate;
        ssl_certificate_key $key;
        return 200 "";
    }

    server {
        listen 127.0.0.1:%%PORT_8082%% $version->[0];
        listen unix:%%DIR%%/grpc.sock $version->[0];
        $version->[1]
        location / { return 404; }
        location = /grpc.health.v1.Health/Check {
            grpc_pass grpc://127.0.0.1:%%PORT_8084%%;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_8083%%;
        return 200 "text";
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

settles($t, $_, @{$does{$_}}[1, 2]) for sort keys %does;

settles($t, 'no_alpn', 'error protocol', qr/ALPN/);
settles($t, 'other_alpn', 'error protocol', qr/ALPN/);
settles($t, 'web_1', 'error protocol', qr/does not use HTTP\/2/);
settles($t, 'no_socket', 'error refused');

# through nginx, over TCP and a Unix socket

settles($t, $_, 'waiting not_serving', qr/HTTP 502/) for qw(web socket);

my $behind = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until(qr/PRI \* HTTP.*?\x01\x04\0\0\0\x01/s) or return;
    $c->send("$hello$head$serving$trailers");
    $c->hang;
}, port => $t->port(8084));

settles($t, $_, 'passed') for qw(web socket);

# the response of "bomb" was not parsed to its end

my $memory = $t->memory_counts ? $t->memory(($t->workers)[0]) : 0;
cmp_ok($memory, '<', 64 * 1024, 'hostile servers: memory is bounded');

done_testing;
