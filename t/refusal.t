#!/usr/bin/perl

# The response to a refused request: JSON and its headers, no body for HEAD,
# for all kinds of requests, on a connection that stays usable.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use JSON::PP;

my $t = InitGate->new(http => <<'CONF');
    init_checks app {
        check file %%DIR%%/marker  name=marker;
        check file %%DIR%%/other  name=other  optional;
    }

    client_max_body_size 1k;

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        init_gate app;
        location / { root %%DIR%%/html; }
        location /small { root %%DIR%%/html; client_max_body_size 10; }
        location /large { client_max_body_size 100m; root %%DIR%%/html; }
        location = /init { init_status; }
    }
CONF

$t->write('html/index.html', "here\n");
$t->run;

# the response follows a verdict within some milliseconds

$t->wait_for(sub {
    !grep { $_->{verdict} eq 'pending' }
        @{JSON::PP::decode_json($t->get('/')->{content})->{checks} // []};
}, 'the first verdicts');


# JSON

my $r = $t->get('/');

is($r->{status}, 503, 'JSON: status');
is($r->{headers}{'content-type'}, 'application/json', 'JSON: type');
is($r->{headers}{'content-length'}, length $r->{content}, 'JSON: length');
is($r->{headers}{'cache-control'}, 'no-store', 'JSON: Cache-Control');
like($r->{headers}{vary}, qr/\bAccept\b/, 'JSON: Vary');
is($r->{headers}{'x-init-gate'}, 'app; state=initializing',
    'JSON: X-Init-Gate');
like($r->{headers}{'retry-after'}, qr/^\d+$/, 'JSON: Retry-After');
is($r->{headers}{connection}, 'close', 'JSON: Connection as requested');

my $json = decode_json($r->{content});

is($json->{gate}, 'app', 'body: gate');
is($json->{state}, 'initializing', 'body: state');
is($json->{ready}, JSON::PP::false, 'body: ready');
is($json->{eta_ms}, undef, 'body: eta_ms is null');
ok(exists $json->{eta_ms}, 'body: eta_ms exists');
is($json->{retry_after}, 5, 'body: retry_after before it is spread');
like($json->{started_at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
    'body: started_at');
is_deeply([map { "$_->{name} $_->{verdict} $_->{reason}" }
        @{$json->{checks}}],
    ['marker waiting missing', 'other waiting missing'], 'body: checks');
is_deeply([sort keys %$json], [sort qw(gate state ready progress eta_ms
    retry_after started_at checks)], 'body: no other members');
unlike($r->{content}, qr/\Q@{[$t->dir]}/, 'body: no path');


# HEAD

my $s = $t->connect;

print $s "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n";
$s->flush;
my $h = $t->http_read($s, 'HEAD');

is($h->{status}, 503, 'HEAD: status');
is($h->{headers}{$_}, $r->{headers}{$_}, "HEAD: $_")
    for qw(content-type content-length cache-control vary x-init-gate);
ok($h->{headers}{'retry-after'}, 'HEAD: retry-after');

# a body would be read as the beginning of this response

print $s "GET /init HTTP/1.1\r\nHost: x\r\n\r\n";
$s->flush;
is($t->http_read($s)->{status}, 200, 'HEAD: no body, next request served');


# other methods

for my $method (qw(GET POST PUT DELETE PATCH OPTIONS)) {
    is($t->request($method, '/')->{status}, 503, "$method: refused");
}


# keep-alive: ten refusals on one connection

$s = $t->connect;
my $n = 0;

for (1 .. 10) {
    print $s "GET /$_ HTTP/1.1\r\nHost: x\r\n\r\n";
    $s->flush;
    my $answer = $t->http_read($s) // last;
    $n++ if $answer->{status} == 503;
}

is($n, 10, 'keep-alive: ten refused');

# pipelined

my $got = $t->raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n" x 3
    . "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
is(scalar(() = $got =~ /HTTP\/1\.1 503 /g), 4, 'pipelined: four refused');


# no 100 for Expect: 100-continue

$s = $t->connect;
print $s "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"
    . "Expect: 100-continue\r\n\r\n";
$s->flush;
like($t->http_read($s)->{raw}, qr/^HTTP\/1\.1 503 /,
    'Expect: 100-continue: refused before the body');


# bodies: with a length, in chunks, larger than any buffer

for my $size (1, 1000, 1000000) {
    my $body = 'x' x $size;

    is($t->post('/large', content => $body)->{status}, 503,
        "POST of $size bytes: refused");

    $s = $t->connect;
    print $s "POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: $size\r\n"
        . "\r\n$body" . "GET /init HTTP/1.1\r\nHost: x\r\n\r\n";
    $s->flush;
    is($t->http_read($s)->{status}, 503,
        "POST of $size bytes, keep-alive: refused");
    is($t->http_read($s)->{status}, 200,
        "POST of $size bytes, keep-alive: next request served");

    $s = $t->connect;
    printf $s "POST /large HTTP/1.1\r\nHost: x\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
        . "GET /init HTTP/1.1\r\nHost: x\r\n\r\n", $size, $body;
    $s->flush;
    is($t->http_read($s)->{status}, 503,
        "chunked POST of $size bytes: refused");
    is($t->http_read($s)->{status}, 200,
        "chunked POST of $size bytes: next request served");
}

# the response does not wait for the body

$s = $t->connect;
print $s "POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nx";
$s->flush;
is($t->http_read($s)->{status}, 503, 'incomplete body: refused');
close $s;


# other requests

like($t->raw("GET / HTTP/1.0\r\n\r\n"), qr/^HTTP\/1\.1 503 .*\}\s*\z/s,
    'HTTP/1.0: refused');
$s = $t->connect;
$s->syswrite("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
like($t->http_read($s)->{raw}, qr/^HTTP\/1\.1 503 .*keep-alive.*\}\s*\z/s,
    'HTTP/1.0, keep-alive: refused');
like($t->raw("GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=0-3\r\n"
    . "Connection: close\r\n\r\n"), qr/^HTTP\/1\.1 503 .*\}\s*\z/s,
    'Range: refused with the whole body');
is($t->get('/', headers => {'If-None-Match' => '*'})->{status}, 503,
    'If-None-Match: refused');


# open

$t->write('marker');
$t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the gate to open');
is($t->get('/')->{content}, "here\n", 'open: served');
is($t->get('/')->{headers}{'x-init-gate'}, undef, 'open: no X-Init-Gate');
is($t->post('/index.html', content => 'x' x 1000)->{status}, 405,
    'open: POST, status of nginx');

done_testing;
