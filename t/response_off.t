#!/usr/bin/perl

# "init_response off": the 503 of nginx and its error_page, with the variables
# of the module.  Otherwise "error_page 503" is not used.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new(http => <<'CONF');
    init_checks app { check file %%DIR%%/marker  name=marker; }

    init_gate app;
    init_response off;

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        root %%DIR%%/html;

        location / { }

        location /page {
            error_page 503 /maintenance.html;
        }

        location = /maintenance.html {
            init_gate off;
        }

        location /gated_page {
            error_page 503 /still_gated.html;
        }

        location = /still_gated.html { }

        location /named {
            error_page 503 @named;
        }

        location @named {
            init_gate off;
            add_header X-State "$init_gate $init_gate_state" always;
            add_header X-Retry-After $init_gate_retry_after always;
            return 503 "waiting for $init_gate_waiting\n";
        }

        location /as_200 {
            error_page 503 =200 /maintenance.html;
        }

        location /recursive {
            recursive_error_pages on;
            error_page 503 /recursive2;
        }

        location /recursive2 {
            recursive_error_pages on;
            error_page 503 /recursive;
        }

        location /json {
            init_response json;
            error_page 503 /maintenance.html;
        }

        location = /init {
            init_status;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_8081%%;
        root %%DIR%%/html;
        init_response json;
        error_page 503 /maintenance.html;
        location / { }
    }
CONF

$t->write("html/$_", "$_\n") for qw(maintenance.html still_gated.html page
    index.html named recursive);
$t->run;
$t->wait_state('initializing');

my $r = $t->get('/');
is($r->{status}, 503, 'no error_page: status');
is($r->{headers}{'content-type'}, 'text/html', 'no error_page: type');
like($r->{content}, qr{<title>503 Service Temporarily Unavailable</title>},
    'no error_page: page of nginx');

$r = $t->get('/page');
is($r->{status}, 503, 'error_page: status');
is($r->{content}, "maintenance.html\n", 'error_page: page');

$r = $t->get('/gated_page');
is($r->{status}, 503, 'error_page to a gated location: status');
is($r->{content}, "still_gated.html\n",
    'error_page to a gated location: not gated again');

$r = $t->get('/named');
is($r->{status}, 503, 'error_page to a named location: status');
is($r->{content}, "waiting for marker\n",
    'error_page to a named location: $init_gate_waiting');
is($r->{headers}{'x-state'}, 'app initializing',
    'error_page to a named location: $init_gate, $init_gate_state');
is($r->{headers}{'x-retry-after'}, 5,
    'error_page to a named location: $init_gate_retry_after');
like($r->{headers}{'retry-after'}, qr/^(?:[5-9]|10)$/,
    'error_page to a named location: Retry-After');

is($t->get('/as_200')->{status}, 200, 'error_page 503 =200: status');

$r = $t->get('/recursive');
isnt($r->{status}, 500, 'recursive_error_pages: no loop');

for (['/json', 8080], ['/', 8081]) {
    my ($uri, $port) = @$_;

    $r = $t->get($uri, port => $t->port($port));
    is($r->{status}, 503, 'init_response json: status');
    like($r->{content}, qr/^\{"gate":"app"/,
        'init_response json: error_page not consulted');
}

is($t->post('/page', content => 'x' x 100000)->{status}, 503, 'POST: status');
is($t->head('/')->{status}, 503, 'HEAD: status');

done_testing;
