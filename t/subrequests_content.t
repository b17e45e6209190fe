#!/usr/bin/perl

# init_ready and init_status in a subrequest: the main response is complete, and
# the next one on the connection follows.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new;

my ($listen, $on) = $t->version >= 1.025001 ? ('', 'http2 on;') : ('http2', '');

$t->{http} = <<'CONF';
    init_checks app { check file %%DIR%%/marker; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        include %%DIR%%/locations.conf;
    }

    server {
        listen 127.0.0.1:%%PORT_8081%% LISTEN;
        ON
        include %%DIR%%/locations.conf;
    }
CONF

$t->{http} =~ s/LISTEN/$listen/;
$t->{http} =~ s/ON\n/$on\n/;

$t->write('locations.conf', <<'CONF');
    root %%DIR%%/html;

    location = /ssi.html { ssi on; }
    location = /ssi_gzip.html { ssi on;  gzip on;  gzip_min_length 1; }
    location = /around.html {
        add_before_body /ready;
        add_after_body /status;
    }
    location = /auth.html { auth_request /ready; }
    location = /mirror.html { mirror /status; }
    location = /plain.html { }

    location = /ready { init_ready app; }
    location = /status { init_status app; }
    location = /metrics { init_status app format=prometheus; }
    location = /dashboard { init_status app format=html; }
CONF

my $includes = '[<!--# include virtual="/ready" -->'
    . '<!--# include virtual="/status" -->'
    . '<!--# include virtual="/metrics" -->'
    . '<!--# include virtual="/dashboard" -->]end';

$t->write("html/$_.html", $includes) for qw(ssi ssi_gzip);
$t->write("html/$_.html", "[$_]end") for qw(around auth mirror plain);
$t->run;
$t->wait_for(sub { $t->json('/status')->{gates}[0]{state} eq 'initializing' },
    'the first verdict');


# the contents of each page

sub is_page {
    my ($page, $body, $label) = @_;

    if ($page =~ /^ssi/) {
        like($body, qr/^\[.*readyz.check.failed.*"gate":"app".*\#.HELP
                       .*<\/html>\s*\]end\z/sx, $label);

    } elsif ($page eq 'around') {
        like($body, qr/^.*readyz.check.failed\n\[around\]end
                       \{"ready":false.*\}\z/sx, $label);

    } else {
        is($body, "[$page]end", $label);
    }
}

# the next response on the connection is that of the next request

for my $page (qw(ssi around mirror)) {
    my $socket = $t->connect;

    for my $turn (1, 2) {
        $socket->syswrite("GET /$page.html HTTP/1.1\r\nHost: a\r\n\r\n");
        is_page($page, ($t->http_read($socket) // {})->{content},
            "$page over keep-alive, page $turn: whole");

        $socket->syswrite("GET /plain.html HTTP/1.1\r\nHost: a\r\n\r\n");
        is_page('plain', ($t->http_read($socket) // {})->{content},
            "$page over keep-alive, response after page $turn: its own");
    }
}

my $port = $t->port(8080);

is_page('ssi', scalar `curl -s --compressed http://127.0.0.1:$port/ssi_gzip.html`,
    'ssi with gzip: whole');
is($t->get('/auth.html')->{status}, 500,
    'auth_request to a closed gate: an error');

my $h2 = 'http://127.0.0.1:' . $t->port(8081);

for my $page (qw(ssi ssi_gzip around mirror)) {
    my $body = `nghttp --no-dep $h2/$page.html $h2/plain.html 2>&1`;

    ok($body =~ s/\[plain\]end//, "$page over HTTP/2: next response");
    $body = `nghttp --no-dep -H 'accept-encoding: gzip' $h2/$page.html 2>&1`;
    is_page($page, $body, "$page over HTTP/2: whole");
}

is($t->log_count(qr/output on closed stream/), 0,
    'HTTP/2: no output on a closed stream');

$t->write('marker');
$t->wait_for(sub { $t->get('/ready')->{status} == 200 }, 'the gate to open');

is($t->get('/auth.html')->{content}, '[auth]end',
    'auth_request to an open gate: the page');

done_testing;
