#!/usr/bin/perl

# The headers of the module's responses: a type that matches gzip_types, no
# headers of the backend after X-Accel-Redirect, no conditional responses.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;

my $backend = InitGate::Fake->new(sub {
    my ($c) = @_;

    my $request = $c->read_until(qr/\r\n\r\n/) or return;
    my ($uri) = $request =~ m{^GET /accel(\S*)};

    $c->send(join "\r\n", 'HTTP/1.0 200 OK', "X-Accel-Redirect: $uri",
        'Content-Type: text/plain; charset=koi8-r',
        'Content-Disposition: attachment; filename=x', 'Accept-Ranges: bytes',
        'Expires: Thu, 31 Dec 2037 23:55:55 GMT', 'Cache-Control: max-age=9',
        'Last-Modified: Mon, 28 Sep 1970 06:00:00 GMT', 'ETag: "x"',
        'Set-Cookie: a=b', '', '');
});

my $t = InitGate->new(http => <<'CONF');
    init_checks app { check file %%DIR%%/marker; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        gzip on;
        gzip_min_length 1;
        gzip_types application/json text/plain;
        gzip_vary off;

        location /accel { proxy_pass http://127.0.0.1:BACKEND; }
        location /gated { init_gate app;  empty_gif; }
        location = /ready { init_ready app; }
        location = /init { init_status app; }
        location = /metrics { init_status app format=prometheus; }
        location = /dashboard { init_status app format=html; }
    }
CONF

$t->{http} =~ s/BACKEND/$backend->port/e;
$t->run;
$t->wait_for(sub { $t->json('/init')->{gates}[0]{state} eq 'initializing' },
    'the first verdict');

my %type = ('/ready' => 'text/plain; charset=utf-8',
    '/init' => 'application/json', '/gated' => 'application/json',
    '/metrics' => 'text/plain; version=0.0.4; charset=utf-8',
    '/dashboard' => 'text/html; charset=utf-8');

for my $uri (sort keys %type) {
    my $status = $uri =~ /ready|gated/ ? 503 : 200;

    for my $accel ('', '/accel') {
        my $headers = $t->get("$accel$uri")->{headers};

        is($headers->{'content-type'}, $type{$uri}, "$accel$uri: type");
        is($headers->{'cache-control'}, 'no-store', "$accel$uri: no-store");

        is(join(' ', grep { defined $headers->{$_} } 'content-disposition',
            'accept-ranges', 'expires', 'last-modified'), '',
            "$accel$uri: no header of the backend");
        isnt($headers->{etag}, '"x"', "$accel$uri: not the backend's ETag");
    }

    is($t->get($uri, headers => { 'Accept-Encoding' => 'gzip' })
        ->{headers}{'content-encoding'}, $status == 200 ? 'gzip' : undef,
        "$uri: compressed") if $status == 200;

    for my $condition (['If-None-Match', '*'], ['If-Match', '"x"'],
        ['If-Modified-Since', 'Tue, 19 Jan 2038 03:14:07 GMT'],
        ['If-Unmodified-Since', 'Mon, 28 Sep 1970 06:00:00 GMT'])
    {
        is($t->get($uri, headers => { @$condition })->{status}, $status,
            "$uri with $condition->[0]: its status");
    }
}

is($t->get('/accel/init')->{headers}{'set-cookie'}, 'a=b',
    'X-Accel-Redirect: the cookie remains');

done_testing;
