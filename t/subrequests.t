#!/usr/bin/perl

# Subrequests are not gated; their parent is, "satisfy any" or not, before
# anybody is asked for a password.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;

my $auth = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.0 200 OK\r\n\r\n");
});

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
$t->wait_for(sub { $t->json('/init')->{gates}[0]{state} eq 'initializing' },
    'the first verdict');

is($t->get('/open_parent/index.html')->{status}, 200,
    'the subrequest of an open parent is not gated');
is($auth->connections, 1, 'it was made');

is($t->get('/mirrored/index.html')->{status}, 200, 'mirror');
$t->wait_for(sub { $auth->connections == 2 }, 'the mirrored request');

is($t->get('/gated_parent/index.html')->{status}, 503, 'a gated parent');
is($t->get('/any_allow/index.html')->{status}, 503, 'satisfy any, allowed');
is($t->get('/any_deny/index.html')->{status}, 503, 'satisfy any, denied and asked');
is($t->get('/deny/index.html')->{status}, 503, 'denied only once open');
is($auth->connections, 2, 'nobody was asked for those');

$t->write('marker');
$t->wait_for(sub { $t->get('/gated_parent/index.html')->{status} == 200 },
    'the gate to open');

is($t->get('/any_allow/index.html')->{status}, 200, 'open: satisfy any, allowed');
is($t->get('/any_deny/index.html')->{status}, 200, 'open: satisfy any, asked');
is($t->get('/deny/index.html')->{status}, 403, 'open: denied');

done_testing;
