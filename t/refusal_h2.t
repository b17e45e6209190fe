#!/usr/bin/perl

# The response to a refused request in HTTP/2: with and without a body, several
# on one connection, and to a large body.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new;

# "listen ... http2" is the only way before 1.25.1 and deprecated since

my ($listen, $on) = $t->version >= 1.025001 ? ('', 'http2 on;') : ('http2', '');

$t->run(http => <<"CONF");
    init_checks app { check file %%DIR%%/marker; }

    server {
        listen 127.0.0.1:%%PORT_8080%% $listen;
        $on
        client_max_body_size 100m;
        init_gate app;
        location / { root %%DIR%%/html; }
    }
CONF

$t->write('html/index.html', "here\n");
$t->write('body', 'x' x 3_000_000);

my $url = 'http://127.0.0.1:' . $t->port . '/';

sub nghttp { scalar `nghttp -v @_ 2>&1` }

sub statuses { join ' ', $_[0] =~ /:status: (\d+)/g }

my $said = nghttp($url);

is(statuses($said), '503', 'GET: refused');
like($said, qr/content-type: application\/json/, 'GET: type');
like($said, qr/cache-control: no-store/, 'GET: Cache-Control');
like($said, qr/x-init-gate: app; state=/, 'GET: X-Init-Gate');
like($said, qr/retry-after: \d+/, 'GET: Retry-After');
like($said, qr/"gate":"app"/, 'GET: JSON');

$said = nghttp("-H ':method: HEAD' $url");
is(statuses($said), '503', 'HEAD: refused');
unlike($said, qr/"gate":"app"/, 'HEAD: no body');
like($said, qr/content-length: [1-9]/, 'HEAD: length');

$said = nghttp("-m 20 $url");
is(statuses($said), join(' ', ('503') x 20),
    'twenty streams of a connection: refused');
unlike($said, qr/GOAWAY.*error_code=(?!NO_ERROR)/s,
    'twenty streams: no errors');

$said = nghttp("-d " . $t->path('body') . " $url");
is(statuses($said), '503', 'large body: refused');
unlike($said, qr/error_code=(?!NO_ERROR)/, 'large body: no errors');

$said = nghttp("-d " . $t->path('body') . " -H 'expect: 100-continue' $url");
is(statuses($said), '503', 'Expect: 100-continue: refused');

$t->write('marker');
$t->wait_for(sub { statuses(nghttp($url)) eq '200' }, 'the gate to open');

done_testing;
