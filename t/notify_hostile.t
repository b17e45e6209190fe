#!/usr/bin/perl

# init_notify: what is refused, with which status and which sentence, and how
# much of it is read.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::HTTP2;
use Time::HiRes ();

my $t = InitGate->new(level => 'info', http => <<'CONF');
    init_checks app { check notify import; check file /none; }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        client_body_timeout 1s;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
        location /notify/ {
            init_notify token_file=%%DIR%%/token;
            error_page 404 405 413 /error;
        }
        location /small/ {
            client_max_body_size 1;
            client_body_buffer_size 8;
            client_body_in_file_only on;
            init_notify token_file=%%DIR%%/token;
        }
        location /closed/ {
            init_notify token_file=%%DIR%%/token;
            deny all;
        }
        location /control/ { init_control token_file=%%DIR%%/token; }
        location /missing/ { init_notify token_file=%%DIR%%/missing; }
        location = /sub { ssi on;  ssi_types *;  alias %%DIR%%/sub; }
        location = /error { return 200 error; }
    }
    server {
        listen 127.0.0.1:%%PORT_8081%% %%HTTP2%%;
        location /notify/ { init_notify token_file=%%DIR%%/token; }
    }
CONF

$t->{http} =~ s/%%HTTP2%%;/$t->version < 1.025001 ? 'http2;'
    : '; http2 on;'/e;
$t->write('token', "s3cret-token\n");
$t->write('sub', '<!--# include virtual="/notify/app/import" -->');
$t->run;

$t->wait_log(qr/cannot read token file: open\(\) ".*missing" failed/);
$t->wait_log(qr/"init_notify" refuses all requests until its token file can be read in .*nginx\.conf:\d+/);

my %token = (Authorization => 'Bearer s3cret-token');
my %form = ('Content-Type' => 'application/x-www-form-urlencoded');

sub problem {
    my ($answer, $status, $detail, $label) = @_;

    is($answer->{status}, $status, "$label: $status");
    is($answer->{headers}{'content-type'}, 'application/problem+json',
        "$label: problem details");
    my $problem = eval { JSON::PP::decode_json($answer->{content}) } // {};
    is($problem->{status}, $status, "$label: status in the body");
    like($problem->{detail}, $detail, "$label: detail");
}

sub sent {
    my ($form, %args) = @_;

    return $t->post($args{path} // '/notify/app/import', content => $form,
        headers => $args{headers} // { %token, %form });
}

# method, token, path, type

my $answer = $t->get('/notify/app/import', headers => \%token);
problem($answer, 405, qr/POST/, 'GET');
is($answer->{headers}{allow}, 'POST', 'GET: Allow');
is($t->request($_, '/notify/app/import')->{status}, 405, "$_: 405")
    for qw(HEAD PUT DELETE OPTIONS PATCH);

for my $headers ({ %form }, { %form, Authorization => 'Basic czNjcmV0' },
    { %form, Authorization => 's3cret-token' },
    { %form, Authorization => 'Bearer' },
    { %form, Origin => 'http://evil.example', Cookie => 's=1' })
{
    $answer = sent('verdict=passed', headers => $headers);
    problem($answer, 401, qr/^A token is required, as in "Auth/, 'no token');
    is($answer->{headers}{'www-authenticate'}, 'Bearer', 'no token: header');
}

for my $token ('wrong', 's3cret-toke', 's3cret-tokeN', 's3cret-token2', 's',
    's3cret-tokens3cret-token')
{
    problem(sent('verdict=passed', headers => { %form,
        Authorization => "Bearer $token" }), 403, qr/wrong/,
        "token \"$token\"");
}

$t->wait_log(qr/\[error\].*"init_notify": wrong token, client: 127/);

is($t->post('/notify/app/import?verdict=waiting', headers => {
    Authorization => 'bearer   s3cret-token' })->{status}, 204,
    'case and blanks of "Bearer": accepted');

problem(sent('verdict=passed', path => $_), 404, qr/followed by GATE\/NAME/, $_)
    for '/notify/', '/notify/app', '/notify//import', '/notify/import';
problem(sent('verdict=passed', path => $_), 404, qr/no init gate with/, $_)
    for '/notify/other/import', '/notify/app./import';
problem(sent('verdict=passed', path => $_), 404, qr/no notify check with/, $_)
    for '/notify/app/', '/notify/app/file', '/notify/app/other',
        '/notify/app/import/x', '/notify/app/%0aimport';

is(sent('verdict=passed', path => '/closed/app/import')->{status}, 403,
    'deny: 403');
problem(sent('verdict=passed', path => '/missing/app/import'), 500,
    qr/token file/, 'no token file');
is($t->get('/sub')->{status}, 200, 'in a subrequest: no response of its own');

problem(sent('{"verdict":"passed"}', headers => { %token,
    'Content-Type' => $_ }), 415, qr/x-www-form-urlencoded/, $_)
    for 'application/json', 'multipart/form-data; boundary=x', 'text/plain',
        'application/x-www-form-urlencodedx';

is(sent('verdict=waiting', headers => { %token, 'Content-Type' =>
    'Application/X-WWW-Form-Urlencoded; charset=utf-8' })->{status}, 204,
    'type with a charset: accepted');

# init_control refuses the same

for (['/control/app', qr/^action must be/, 422, { %token, %form }],
     ['/control/none', qr/no init gate with the name/, 404, { %token, %form }],
     ['/control/app', qr/required/, 401, { %form }],
     ['/control/app', qr/wrong/, 403, { %form, Authorization => 'Bearer x' }],
     ['/control/app', qr/urlencoded/, 415, { %token,
         'Content-Type' => 'application/json' }])
{
    my ($path, $detail, $status, $headers) = @$_;
    problem(sent('verdict=passed' x ($status == 422 ? 0 : 1), path => $path,
        headers => $headers), $status, $detail, "$path, $status");
}

problem($t->request($_, '/control/app', headers => \%token), 405, qr/POST/,
    "control, $_") for qw(GET PUT);
problem(sent('action=clear&reason=' . 'x' x 4096, path => '/control/app'), 413,
    qr/4 KiB/, 'control, a larger form');

# arguments

for (['', qr/^verdict must be/], ['verdict=', qr/^verdict must be/],
     ['verdict=error', qr/^verdict must be passed, running, waiting or failed/],
     ['verdict=PASSED', qr/^verdict must/], ['verdict', qr/^verdict must/],
     ['verdict=passed&verdict=failed', qr/^duplicate argument "verdict"/],
     ['verdict=passed&colour=%22%00', qr/^invalid encoding of argument "colour"|unknown argument "colour"/],
     ["verdict=passed&a%22%0a%5c\xff=1", qr/^unknown argument "a" \\\?"$/],
     ['verdict=passed&message=%zz', qr/^invalid encoding of argument "message"/],
     ['verdict=passed&message=%4', qr/^invalid encoding of argument "message"/],
     ['verdict=passed&message=%00', qr/^invalid encoding/],
     ['verdict=passed&%=1', qr/^invalid encoding of an argument/],
     map({ ["verdict=running&observed=$_", qr/^observed must be/] }
         '-1', '1.5', 'x', '', '%201', '9007199254740992', '1e3',
         '99999999999999999999999999'),
     map({ ["verdict=running&observed=1&expected=$_", qr/^expected must be/] }
         '-1', '0', 'x', ''),
     ['verdict=running&expected=10', qr/^expected needs observed/])
{
    my ($form, $detail) = @$_;
    problem(sent($form), 422, $detail, "form \"$form\"");
}

problem(sent('verdict=failed', path => '/notify/app/import?verdict=passed'),
    422, qr/^duplicate argument "verdict"/, 'in the query and the form');

is($t->check('import')->{verdict}, 'waiting', 'refused requests: no effect');

# accepted ones at the limits

is(sent('verdict=running&observed=9007199254740991&expected=9007199254740991')
    ->{status}, 204, 'the largest number: accepted');
is($t->check('import')->{observed}, 9007199254740991, 'the largest number: in force');

is(sent('&&verdict=waiting&&message=' . 'x' x (4096 - 27))->{status}, 204,
    'a form of 4 KiB: accepted');
is($t->check('import')->{message}, 'x' x 352, 'a long message: cut');
is(sent("verdict=waiting&message=a%0ab%1bc\xff\xc3%28")->{status}, 204,
    'message with control characters: accepted');
is($t->check('import')->{message}, 'a b c??(', 'control characters: folded');

# length

problem(sent('verdict=passed&message=' . 'x' x 4096), 413, qr/4 KiB/,
    'a larger form');

for my $length (4097, 2 ** 30, '9' x 15) {
    my $raw = $t->raw("POST /notify/app/import HTTP/1.1\r\nHost: a\r\n"
        . "Authorization: Bearer s3cret-token\r\n"
        . "Content-Type: application/x-www-form-urlencoded\r\n"
        . "Expect: 100-continue\r\nContent-Length: $length\r\n\r\nverdict=");
    like($raw, qr{^HTTP/1.1 413 .*Connection: close}s, "$length bytes: 413");
    like($raw, qr/"status":413/, "$length bytes: problem details");
}

# a gigabyte that is sent: what is refused by its headers is not read, and
# neither is the rest of a chunked body that has become too large

my %gigabyte = (
    'right token' => ['Bearer s3cret-token', 'Content-Length: 1073741824', 413],
    'wrong token' => ['Bearer wrong', 'Content-Length: 1073741824', 403],
    'no token' => ['Basic x', 'Content-Length: 1073741824', 401],
    'chunked, wrong token' => ['Bearer wrong', 'Transfer-Encoding: chunked',
        403],
    'chunked, right token' => ['Bearer s3cret-token',
        'Transfer-Encoding: chunked', 413],
);

sub refused_early {
    my ($uri, $label) = @_;

    my ($authorization, $length, $status) = @{$gigabyte{$label}};

    my $socket = $t->connect;
    $socket->syswrite("POST $uri HTTP/1.1\r\nHost: a\r\n"
        . "Authorization: $authorization\r\n$length\r\n"
        . "Content-Type: application/x-www-form-urlencoded\r\n\r\n");
    $socket->blocking(0);
    local $SIG{PIPE} = 'IGNORE';

    my $block = $length =~ /chunked/ ? "4000\r\n" . 'x' x 0x4000 . "\r\n"
        : 'x' x 0x4000;
    my ($sent, $got, $end) = (0, '', 0);

    # until nginx has answered, or does not read

    until ($end || $sent > 2 ** 26) {
        my ($read, $write) = IO::Select->select(IO::Select->new($socket),
            IO::Select->new($socket), undef, patience(60));
        last if !$read;

        if (@$read) {
            $end = !sysread $socket, $got, 4096, length $got;

        } elsif (@$write) {
            my $n = syswrite $socket, $block or last;
            $sent += $n;
            Time::HiRes::sleep(0.001);
        }

        last if $got =~ /\r\n\r\n.*"detail"/s;
    }

    like($got, qr{^HTTP/1.1 $status .*Connection: close.*"detail":"}s,
        "$uri, a gigabyte, $label: $status and close");
    cmp_ok($sent, '<', 2 ** 24, "$uri, a gigabyte, $label: not read");
}

for my $uri ('/notify/app/import', '/control/app') {
    refused_early($uri, $_) for sort keys %gigabyte;
}

# the limits of the location do not matter

is(sent('verdict=waiting&message=small', path => '/small/app/import')
    ->{status}, 204, 'small buffers: accepted');
is($t->check('import')->{message}, 'small', 'small buffers: in force');
is_deeply([glob $t->path('temp/*/*')], [], 'small buffers: no temporary file');

# chunked; a body that comes late, and slowly

my $head = "POST /notify/app/import HTTP/1.1\r\nHost: a\r\n"
    . "Authorization: Bearer s3cret-token\r\n"
    . "Content-Type: application/x-www-form-urlencoded\r\n";

my $chunked = "${head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";

like($t->raw("${chunked}8\r\nverdict=\r\n7\r\nrunning\r\n0\r\n\r\n"),
    qr{^HTTP/1.1 204}, 'chunked: accepted');
is($t->check('import')->{verdict}, 'running', 'chunked: in force');
like($t->raw($chunked . "400\r\n" . 'x' x 1024 . "\r\n" x 1
    . join('', ("\r\n400\r\n" . 'x' x 1024) x 0)
    . "c01\r\n" . 'x' x 3073 . "\r\n0\r\n\r\n"), qr{^HTTP/1.1 413.*"status":413}s,
    'chunked, too large: 413');
like($t->raw("${chunked}zz\r\n"), qr{^HTTP/1.1 400}, 'bad chunk: 400');

my $socket = $t->connect;
$socket->syswrite("${head}Content-Length: 15\r\nExpect: 100-continue\r\n\r\n");
my $continue = '';
sysread $socket, $continue, 1, length $continue or last
    until $continue =~ /\r\n\r\n/;
like($continue, qr{^HTTP/1.1 100}, 'Expect: continue');
$socket->syswrite($_) for 'verd', 'ict=w', 'aiting';
is($t->http_read($socket)->{status}, 204, 'a body in pieces: accepted');

$socket->syswrite("${head}Content-Length: 14\r\n\r\nverdict=");
$socket->syswrite('failed');
is($t->http_read($socket)->{status}, 204, 'the connection: kept');

$socket = $t->connect;
$socket->syswrite("${head}Content-Length: 1000\r\n\r\nverdict=");
my $clock = $t->clock;
my $got = 1;

# a byte now and then, more often than client_body_timeout

$t->wait_for(sub {
    $socket->syswrite('x');
    return if !IO::Select->new($socket)->can_read(0.2);
    $got = sysread $socket, my $bytes, 1;
    return 1;
}, 'the end of a slow body');
ok(!$got, 'a slow body: closed');
cmp_ok($clock->seconds, '<', patience(5), 'a slow body: in time');

$t->send('/notify/app/import', method => 'POST',
    headers => "Content-Length: 10\r\n")->close for 1 .. 5;

# HTTP/2

sub h2 {
    my ($body, @fields) = @_;

    my $socket = $t->connect($t->port(8081));
    $socket->syswrite("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . settings()
        . headers(1, ':method' => 'POST', ':scheme' => 'http',
            ':authority' => 'a', ':path' => '/notify/app/import',
            authorization => 'Bearer s3cret-token',
            'content-type' => 'application/x-www-form-urlencoded', @fields)
        . join '', map { data(1, $_->[0], $_->[1]) } @$body);

    my ($bytes, $found) = ('');

    # the status by its index in the static table, or as a literal

    while (!defined $found
           && IO::Select->new($socket)->can_read(patience(30))
           && sysread $socket, $bytes, 4096, length $bytes)
    {
        my $rest = $bytes;

        while (length $rest >= 9) {
            my ($high, $low, $type) = unpack 'CnC', $rest;
            my $length = ($high << 16) + $low;
            last if length $rest < 9 + $length;
            my $payload = substr $rest, 9, $length;
            substr $rest, 0, 9 + $length, '';
            next if $type != 1;
            my $first = ord $payload;
            $found = { 0x89 => 204, 0x8d => 404, 0x88 => 200 }->{$first}
                // ($payload =~ /^\x48\x03(\d{3})/ ? $1
                    : $payload =~ /^\x08\x03(\d{3})/ ? $1
                    : unpack 'H*', substr $payload, 0, 6);
            last;
        }
    }

    return $found // 'none';
}

is(h2([['verdict=run', 0], ['ning', 1]]), 204, 'HTTP/2: accepted');
is($t->check('import')->{verdict}, 'running', 'HTTP/2: in force');
like(h2([['x' x 4096, 0], ['x', 1]]), qr/413|^48/, 'HTTP/2, too large: 413');
like(h2([['verdict=no', 1]]), qr/422|^48/, 'HTTP/2, invalid: 422');

# the token changes

$t->write('token', 'second-s3cret');
problem(sent('verdict=failed'), 403, qr/wrong/, 'old token');
is(sent('verdict=failed', headers => { %form,
    Authorization => 'Bearer second-s3cret' })->{status}, 204,
    'new token: accepted');

unlink $t->path('token');
problem(sent('verdict=failed'), 500, qr/token file/, 'token file removed');

unlike($t->log, qr/s3cret/, 'log: no token');

done_testing;
