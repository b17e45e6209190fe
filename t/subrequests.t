#!/usr/bin/perl

# Subrequests are not gated; their parent is, with and without "satisfy any",
# before auth_request.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;

my $auth = InitGate::Fake->http(200);

my $t = InitGate->new(http => <<'CONF');
    init_checks app { check file %%DIR%%/marker; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        root %%DIR%%/html;
        init_gate app;

        location /open_parent/ {
            init_gate off;
            auth_request /auth;
            alias %%DIR%%/html/;
        }

        location /gated_parent/ {
            auth_request /auth;
            alias %%DIR%%/html/;
        }

        location = /auth {
            internal;
            proxy_pass http://127.0.0.1:AUTH;
        }

        location /mirrored/ {
            init_gate off;
            mirror /auth;
            alias %%DIR%%/html/;
        }

        location /any_allow/ { satisfy any; allow all; alias %%DIR%%/html/; }
        location /any_deny/ {
            satisfy any;
            deny all;
            auth_request /auth;
            alias %%DIR%%/html/;
        }
        location /deny/ { deny all; alias %%DIR%%/html/; }

        location = /init { init_status; }
    }
CONF

$t->{http} =~ s/AUTH/$auth->port/e;
$t->write('html/index.html', "here\n");
$t->run;
$t->wait_state('initializing');

is($t->get('/open_parent/index.html')->{status}, 200,
    'auth_request, parent without a gate: served');
is($auth->connections, 1,
    'auth_request, parent without a gate: subrequest sent');

is($t->get('/mirrored/index.html')->{status}, 200,
    'mirror, parent without a gate: served');
$t->wait_for(sub { $auth->connections == 2 }, 'the mirrored request');

is($t->get('/gated_parent/index.html')->{status}, 503,
    'auth_request, gate closed: refused');
is($t->get('/any_allow/index.html')->{status}, 503,
    'satisfy any, allowed, gate closed: refused');
is($t->get('/any_deny/index.html')->{status}, 503,
    'satisfy any, denied, gate closed: refused');
is($t->get('/deny/index.html')->{status}, 503,
    'deny all, gate closed: refused');
is($auth->connections, 2, 'gate closed: no subrequests');

$t->write('marker');
$t->wait_for(sub { $t->get('/gated_parent/index.html')->{status} == 200 },
    'the gate to open');

is($t->get('/any_allow/index.html')->{status}, 200,
    'satisfy any, allowed, gate open: served');
is($t->get('/any_deny/index.html')->{status}, 200,
    'satisfy any, auth_request, gate open: served');
is($t->get('/deny/index.html')->{status}, 403, 'deny all, gate open: 403');

done_testing;
