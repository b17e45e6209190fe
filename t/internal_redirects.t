#!/usr/bin/perl

# A request that reaches a gated location by error_page, try_files, rewrite,
# index or X-Accel-Redirect is gated like any other: its response is 503.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;

my $backend = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.0 404 Not Found\r\nX-Accel-Redirect: /gated/\r\n\r\n");
});

my $t = InitGate->new(http => <<'CONF');
    init_checks app { check file %%DIR%%/marker; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        root %%DIR%%/html;

        location /named_404 { error_page 404 = @gated; }
        location /page_404 { error_page 404 /gated/index.html; }
        location /page_as { error_page 404 =200 /gated/index.html; }
        location /recursive {
            recursive_error_pages on;
            error_page 404 = @gated;
        }
        location /tried { try_files /no_such @gated; }
        location /tried_uri { try_files /no_such /gated/index.html; }
        location /rewritten { rewrite ^ /gated/index.html last; }
        location /accel { proxy_pass http://127.0.0.1:BACKEND; }
        location /index { index /gated/index.html; }

        location @gated {
            init_gate app;
            recursive_error_pages on;
            error_page 503 404 = @gated;
            root %%DIR%%/html/gated;
            try_files /index.html =404;
        }

        location /gated/ { init_gate app; }

        location = /returns { init_gate app; return 204; }
        location = /init { init_status; }
    }
CONF

$t->{http} =~ s/BACKEND/$backend->port/e;
$t->write('html/gated/index.html', "gated\n");
mkdir $t->path('html/index');
$t->run;
$t->wait_state('initializing');

my @ways = qw(/named_404 /page_404 /page_as /recursive /tried /tried_uri
    /rewritten /accel /index/ /gated/);

for my $uri (@ways) {
    my $r = $t->get($uri);

    is($r->{status}, 503, "$uri: status");
    like($r->{content}, qr/^\{"gate":"app".*\}\s*$/, "$uri: JSON");
    is($r->{headers}{'x-init-gate'}, 'app; state=initializing',
        "$uri: X-Init-Gate");
}

is($t->get('/returns')->{status}, 204, '"return": before the gate');

$t->write('marker');
$t->wait_for(sub { $t->get('/gated/')->{status} == 200 }, 'the gate to open');

for my $uri (@ways) {
    is($t->get($uri)->{content}, "gated\n", "$uri, open: served");
}

is($t->get('/page_404')->{status}, 404,
    '/page_404, open: status of error_page');

done_testing;
