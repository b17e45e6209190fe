#!/usr/bin/perl

# The response to a refused request by what it accepts: JSON, problem+json, the
# waiting page, trailers of gRPC, or the 503 of nginx.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use JSON::PP;
use Time::HiRes ();

my $http2 = InitGate->version >= 1.025001 ? ['', 'http2 on;'] : ['http2', ''];

my $t = InitGate->new(http => <<"CONF");
    init_checks app {
        check file %%DIR%%/marker  name=schema;
        check file %%DIR%%  name=there;
        interval 100ms;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        listen 127.0.0.1:%%PORT_8081%% $http2->[0];
        $http2->[1]
        init_gate app;

        location / { }
        location /json { init_response json; }
        location /html { init_response html; }
        location /held { init_hold 10m; }
        location /off  { init_response off; }
        location /page { init_response off;  error_page 503 /sorry.html; }
        location = /sorry.html { init_gate off;  return 503 "so sorry"; }
        location /cors { add_header Access-Control-Allow-Origin * always; }
        location = /init { init_status details=on; }
        location = /metrics { init_status format=prometheus; }
    }
CONF

$t->run;
$t->wait_for(sub {
    $t->get('/')->{content} =~ /"state":"initializing"/
}, 'the first probes');

my $chrome = 'text/html,application/xhtml+xml,application/xml;q=0.9,'
    . 'image/avif,image/webp,image/apng,*/*;q=0.8,'
    . 'application/signed-exchange;v=b3;q=0.7';
my $firefox = 'text/html,application/xhtml+xml,application/xml;q=0.9,'
    . '*/*;q=0.8';
my $image = 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8';

my %type = (
    json => 'application/json',
    problem => 'application/problem+json',
    html => 'text/html',
);

sub kind {
    my ($answer) = @_;

    my $type = $answer->{headers}{'content-type'} // 'none';
    my ($kind) = grep { $type =~ /^\Q$type{$_}\E(?:;|$)/ } keys %type;

    return "$answer->{status} " . ($kind // $type);
}

sub asks {
    my ($accept, $expected, $name, %args) = @_;

    my $answer = $t->request($args{method} // 'GET', $args{uri} // '/',
        headers => { defined $accept ? (Accept => $accept) : (),
                     %{$args{headers} // {}} }, content => $args{content});

    is(kind($answer), $expected, $name // $accept);

    return $answer;
}


# GET, by Accept

asks(undef, '503 json', 'no Accept: JSON');
asks('*/*', '503 json', 'Accept of curl, a kubelet, fetch(): JSON');
asks($chrome, '503 html', 'Accept of Chromium: page');
asks($firefox, '503 html', 'Accept of Firefox: page');
asks($image, '503 json', 'Accept of an image: JSON');
asks('text/css,*/*;q=0.1', '503 json', 'Accept of a style sheet: JSON');
asks('application/json', '503 json');
asks('application/json, text/plain, */*', '503 json',
    'Accept of a JavaScript client: JSON');
asks('application/problem+json', '503 problem');
asks('application/problem+json, application/json;q=0.9', '503 problem');
asks('application/problem+json;q=0.5, application/json', '503 json');
asks('application/json, application/problem+json', '503 problem',
     'problem+json and JSON: problem+json');
asks('application/problem+json, application/json', '503 problem');
asks('application/json, application/problem+json;q=0.9', '503 json');
asks('application/problem+json;q=0, application/json', '503 json');
asks('application/*', '503 json');
asks('text/html', '503 html');
asks('TEXT/HTML', '503 html');
asks('text/html;level=1', '503 html');
asks('text/html;q=0.5, application/json', '503 json');
asks('text/html ; q=1 , application/json ; q=0.999', '503 html');
asks('application/json;q=0.5, text/html', '503 html');
asks('application/json;q=0.50, text/html;q=0.501', '503 html');
asks('text/html;q=0', '503 json');
asks('text/html;q=0, */*', '503 json');
asks('text/html;q=0.000, application/json;q=0.001', '503 json');
asks('text/html;q=nonsense', '503 json');
asks('*/*;q=0.1', '503 json');
asks('image/png', '503 json', 'image/png: JSON');
asks(',;,/;q=,;;q=1,*,/html,text/,=', '503 json', 'malformed Accept: JSON');
asks('text/htmlx, xtext/html, text/htm', '503 json', 'similar types: JSON');
asks('a/b;q=0.' . '1' x 3000, '503 json', 'long q: JSON');
asks(join(',', ('x/y') x 1500), '503 json', '1500 ranges: JSON');
asks(join(',', ('x/y') x 1500, 'text/html'), '503 html',
    '1500 ranges, then text/html: page');


# other methods

asks($chrome, '503 json', "$_, Accept of Chromium: JSON", method => $_,
     content => 'a=b')
    for qw(POST PUT PATCH DELETE OPTIONS);
asks('application/problem+json', '503 problem', 'POST: problem+json',
     method => 'POST');

for my $accept (undef, '*/*', $chrome) {
    asks($accept, '503 json', 'WebSocket upgrade: JSON', headers => {
        Connection => 'Upgrade', Upgrade => 'websocket',
        'Sec-WebSocket-Version' => 13,
        'Sec-WebSocket-Key' => 'AAAAAAAAAAAAAAAAAAAAAA==' });
}

for my $accept (undef, $chrome, 'application/problem+json') {
    my @answers = map { asks($accept, kind($t->get('/', headers => {
        defined $accept ? (Accept => $accept) : () })), "$_ "
        . ($accept // ''), method => $_) } qw(GET HEAD);

    is($answers[1]{content} // '', '', 'HEAD: no body');
    is($answers[1]{headers}{'content-length'},
       $answers[0]{headers}{'content-length'}, 'HEAD: Content-Length of GET');
}


# the headers

for ([undef, '/'], [$chrome, '/'], ['application/problem+json', '/'],
     [$chrome, '/json'], [undef, '/html'], [undef, '/off'])
{
    my ($accept, $uri) = @$_;
    my $h = $t->get($uri, headers => { Accept => $accept // '*/*' })
        ->{headers};
    my $name = "$uri " . ($accept // '');

    is($h->{'cache-control'}, 'no-store', "$name: Cache-Control");
    is($h->{'vary'}, 'Accept', "$name: Vary");
    is($h->{'x-init-gate'}, 'app; state=initializing', "$name: X-Init-Gate");
    like($h->{'retry-after'}, qr/^\d+$/, "$name: Retry-After");
}


# the bodies

my $json = decode_json($t->get('/')->{content});
my $answer = $t->get('/', headers => { Accept => 'application/problem+json' });
my $problem = decode_json($answer->{content});

is($problem->{status}, 503, 'problem+json: status');
ok(exists $problem->{title}, 'problem+json: title');
is($problem->{$_}, $json->{$_},
    "problem+json: $_ as in JSON") for qw(gate state progress);
is(scalar @{$problem->{checks}}, 2, 'problem+json: checks');


# init_response

asks($chrome, '503 json', 'init_response json, Accept of Chromium',
     uri => '/json');
asks(undef, '503 json', 'init_response json, no Accept', uri => '/json');
asks(undef, '503 html', 'init_response html, no Accept', uri => '/html');
asks('*/*', '503 html', 'init_response html, */*', uri => '/html');

for my $accept (undef, $chrome, 'application/json') {
    like(asks($accept, '503 html', 'init_response off', uri => '/off')
             ->{content},
         qr{<hr><center>\w+}, 'init_response off: page of the server');
    is($t->get('/page', headers => { Accept => $accept // '*/*' })->{content},
       'so sorry', 'init_response off: error_page');
}


# CORS

is($t->get('/cors')->{headers}{'access-control-allow-origin'}, '*',
   'add_header: kept');


# RFC 7240: a client limits the time of its hold

for ('wait=0', 'respond-async, wait=0', 'WAIT=0', 'wait="0"', 'wait = 0',
     'a="wait=99", wait=0', 'a; b="x,wait=99" ;c, wait="0"; d')
{
    my $clock = $t->clock;
    is(kind($t->get('/held', headers => { Prefer => $_ })), '503 json',
       "Prefer: $_");
    cmp_ok($clock->seconds, '<', 3, "Prefer: $_: not held");
}

for ('wait=99', 'wait=nonsense', 'await=0', 'wait=', 'wait=99999999999999999',
     'handling=strict', 'a="wait=0"', 'a; wait=0', 'a="b, wait=0')
{
    my $socket = $t->connect;
    $socket->syswrite("GET /held HTTP/1.0\r\nPrefer: $_\r\n\r\n");
    $t->wait_held(1);
    close $socket;
    $t->wait_held(0);
}

my $asked = Time::HiRes::time();
my $clock = $t->clock;
$t->get('/held', headers => { Prefer => 'wait=1' });

ok(Time::HiRes::time() - $asked >= 0.99 && $clock->seconds < 5, 'Prefer: wait=1: held for a second');


# gRPC

sub curl {
    my ($type, @more) = @_;

    return scalar `curl -si --http2-prior-knowledge -X POST -H 'te: trailers' \\
        -H 'content-type: $type' @more --data-binary '' \\
        http://127.0.0.1:@{[$t->port(8081)]}/pkg.Service/Method`;
}

for my $type ('application/grpc', 'application/grpc+proto',
              'application/grpc;charset=utf-8')
{
    my $said = curl($type);

    like($said, qr{^HTTP/2 200}, "$type: HTTP status 200");
    like($said, qr{^content-type: application/grpc\r$}mi, "$type: type");
    like($said, qr{^grpc-status: 14\r$}mi, "$type: UNAVAILABLE");
    like($said, qr{^grpc-message: \S}mi, "$type: message");
    like($said, qr{^grpc-retry-pushback-ms: \d+\r$}mi, "$type: pushback");
    like($said, qr{\r\n\r\n\z}, "$type: no body");
}

for my $type ('application/grpc-web', 'application/grpc-web+proto',
              'application/grpcx', 'application/gr')
{
    like(curl($type), qr{^HTTP/2 503}, "$type: not gRPC");
}

my $client = $t->write('client.py', <<'PYTHON');
import sys, grpc

channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1],
                                options=[("grpc.enable_retries", 0)])
call = channel.unary_unary("/pkg.Service/Method")

try:
    call(b"", timeout=10)
    print("answered")
except grpc.RpcError as e:
    print(e.code().name, e.details(), sep="; ")
    print(dict(e.trailing_metadata()).get("grpc-retry-pushback-ms"))
PYTHON

my @said = split /\n/, `/usr/bin/python3 $client @{[$t->port(8081)]} 2>&1`;

like($said[0], qr/^UNAVAILABLE; .*app/, 'gRPC client of Python: UNAVAILABLE');
like($said[1] // '', qr/^\d+$/, 'gRPC client of Python: pushback');


# the status

sub status {
    my ($accept, $expected, $uri) = @_;

    return asks($accept, $expected, ($uri // '/init') . ' ' . ($accept // ''),
         uri => $uri // '/init');
}

my $scraper = 'application/openmetrics-text;version=1.0.0;q=0.5,'
    . 'text/plain;version=0.0.4;q=0.3,*/*;q=0.1';

status(undef, '200 json');
status('*/*', '200 json');
status($chrome, '200 html');
status('application/json', '200 json');
like(status($scraper, '200 text/plain; version=0.0.4; charset=utf-8')->{content} // '',
     qr/^nginx_init_gate_ready/m, '/init, Accept of Prometheus: metrics');
status($chrome, '200 json', '/init?format=json');
status(undef, '200 html', '/init?format=html');
status($chrome, '200 text/plain; version=0.0.4; charset=utf-8',
    '/init?format=prometheus');
status($chrome, '200 text/plain; version=0.0.4; charset=utf-8', '/metrics');

done_testing;
