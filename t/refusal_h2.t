#!/usr/bin/perl

# HTTP/2: the refusal with and without a body, several on one connection, and
# a large body that nobody wants.

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

is(statuses($said), '503', 'refused');
like($said, qr/content-type: application\/json/, 'type');
like($said, qr/cache-control: no-store/, 'not to be cached');
like($said, qr/x-init-gate: app; state=/, 'X-Init-Gate');
like($said, qr/retry-after: \d+/, 'Retry-After');
like($said, qr/"gate":"app"/, 'JSON');

$said = nghttp("-H ':method: HEAD' $url");
is(statuses($said), '503', 'HEAD');
unlike($said, qr/"gate":"app"/, 'no body');
like($said, qr/content-length: [1-9]/, 'but its length');

$said = nghttp("-m 20 $url");
is(statuses($said), join(' ', ('503') x 20), 'twenty on one connection');
unlike($said, qr/GOAWAY.*error_code=(?!NO_ERROR)/s, 'in order');

$said = nghttp("-d " . $t->path('body') . " $url");
is(statuses($said), '503', 'a large body');
unlike($said, qr/error_code=(?!NO_ERROR)/, 'in order');

$said = nghttp("-d " . $t->path('body') . " -H 'expect: 100-continue' $url");
is(statuses($said), '503', 'Expect: 100-continue');

$t->write('marker');
$t->wait_for(sub { statuses(nghttp($url)) eq '200' }, 'the gate to open');

done_testing;
