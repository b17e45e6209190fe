#!/usr/bin/perl

# What a refused client gets: JSON and its headers, without a body for HEAD,
# whatever it sends, on a connection that stays usable.

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
# what clients are told follows within some milliseconds of each verdict

$t->wait_for(sub {
    !grep { $_->{verdict} eq 'pending' }
        @{JSON::PP::decode_json($t->get('/')->{content})->{checks} // []};
}, 'the first verdicts');


# JSON

my $r = $t->get('/');

is($r->{status}, 503, 'status');
is($r->{headers}{'content-type'}, 'application/json', 'type');
is($r->{headers}{'content-length'}, length $r->{content}, 'length');
is($r->{headers}{'cache-control'}, 'no-store', 'not to be cached');
like($r->{headers}{vary}, qr/\bAccept\b/, 'varies with Accept');
is($r->{headers}{'x-init-gate'}, 'app; state=initializing', 'X-Init-Gate');
like($r->{headers}{'retry-after'}, qr/^\d+$/, 'Retry-After');
is($r->{headers}{connection}, 'close', 'the connection as asked for');

my $json = decode_json($r->{content});

is($json->{gate}, 'app', 'gate');
is($json->{state}, 'initializing', 'state');
is($json->{ready}, JSON::PP::false, 'ready');
is($json->{eta_ms}, undef, 'eta unknown');
ok(exists $json->{eta_ms}, 'but there');
is($json->{retry_after}, 5, 'retry_after before spreading');
like($json->{started_at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
    'started_at');
is_deeply([map { "$_->{name} $_->{verdict} $_->{reason}" }
        @{$json->{checks}}],
    ['marker waiting missing', 'other waiting missing'], 'checks');
is_deeply([sort keys %$json], [sort qw(gate state ready progress eta_ms
    retry_after started_at checks)], 'and nothing else');
unlike($r->{content}, qr/\Q@{[$t->dir]}/, 'no path in it');


# HEAD

my $s = $t->connect;

print $s "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n";
$s->flush;
my $h = $t->http_read($s, 'HEAD');

is($h->{status}, 503, 'HEAD: status');
is($h->{headers}{$_}, $r->{headers}{$_}, "HEAD: $_")
    for qw(content-type content-length cache-control vary x-init-gate);
ok($h->{headers}{'retry-after'}, 'HEAD: retry-after');

# had there been a body, this answer would begin with it

print $s "GET /init HTTP/1.1\r\nHost: x\r\n\r\n";
$s->flush;
is($t->http_read($s)->{status}, 200, 'HEAD: no body, keep-alive');


# every method

for my $method (qw(GET POST PUT DELETE PATCH OPTIONS)) {
    is($t->request($method, '/')->{status}, 503, $method);
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

is($n, 10, 'keep-alive');

# and pipelined

my $got = $t->raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n" x 3
    . "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
is(scalar(() = $got =~ /HTTP\/1\.1 503 /g), 4, 'pipelined');


# Expect: 100-continue is not answered by 100

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
        "POST of $size bytes");

    $s = $t->connect;
    print $s "POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: $size\r\n"
        . "\r\n$body" . "GET /init HTTP/1.1\r\nHost: x\r\n\r\n";
    $s->flush;
    is($t->http_read($s)->{status}, 503, "POST of $size bytes, keep-alive");
    is($t->http_read($s)->{status}, 200, 'and the next request');

    $s = $t->connect;
    printf $s "POST /large HTTP/1.1\r\nHost: x\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
        . "GET /init HTTP/1.1\r\nHost: x\r\n\r\n", $size, $body;
    $s->flush;
    is($t->http_read($s)->{status}, 503, "chunked, $size bytes");
    is($t->http_read($s)->{status}, 200, 'and the next request');
}

# a client that sends its body slowly gets its answer at once

$s = $t->connect;
print $s "POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nx";
$s->flush;
is($t->http_read($s)->{status}, 503, 'refused in the middle of a body');
close $s;


# older and odd clients

like($t->raw("GET / HTTP/1.0\r\n\r\n"), qr/^HTTP\/1\.1 503 .*\}\s*\z/s,
    'HTTP/1.0');
like($t->raw("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    timeout => 0.3), qr/^HTTP\/1\.1 503 .*keep-alive.*\}\s*\z/s,
    'HTTP/1.0, keep-alive');
like($t->raw("GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=0-3\r\n"
    . "Connection: close\r\n\r\n"), qr/^HTTP\/1\.1 503 .*\}\s*\z/s,
    'Range is not for this');
is($t->get('/', headers => {'If-None-Match' => '*'})->{status}, 503,
    'nor is If-None-Match');


# open

$t->write('marker');
$t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the gate to open');
is($t->get('/')->{content}, "here\n", 'open: the real thing');
is($t->get('/')->{headers}{'x-init-gate'}, undef, 'and nothing of ours');
is($t->post('/index.html', content => 'x' x 1000)->{status}, 405,
    'open: the backend says what it wants');

done_testing;
