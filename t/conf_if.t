#!/usr/bin/perl

# "if" and "limit_except" replace the configuration of the location while the
# request keeps the location's content handler.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new(http => <<'CONF');
    init_checks app { check file %%DIR%%/marker; }

    map $http_x_if $x_if { default ""; ~. 1; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        root %%DIR%%/html;
        init_gate app;

        location = /ready {
            init_ready app;
            if ($x_if) { access_log off; }
        }

        location /ready/ {
            init_ready app;
            if ($x_if) { set $one 1; }
            if ($x_if) { set $two 1; }
        }

        location ~ ^/ready_regex {
            init_ready app;
            if ($x_if) { access_log off; }
        }

        location = /init {
            init_status app format=prometheus;
            if ($x_if) { access_log off; }
        }

        location = /details {
            init_status app details=on;
            if ($x_if) { access_log off; }
        }

        location = /limited {
            init_ready app;
            limit_except GET { allow all; }
        }

        location = /limited_status {
            init_status app;
            limit_except GET { allow all; }
        }

        location = /returns {
            init_ready app;
            if ($x_if) { return 204; }
        }

        location = /other_content {
            init_ready app;
            if ($x_if) { proxy_pass http://127.0.0.1:%%PORT_8080%%; }
        }

        location = /gated {
            empty_gif;
            if ($x_if) { access_log off; }
            limit_except GET { allow all; }
        }
    }
CONF

$t->run;
$t->wait_for(sub { $t->json('/details')->{gates}[0]{state} eq 'initializing' },
    'the first verdict');

my @workers = $t->workers;
my %if = (headers => { 'X-If' => 1 });

for my $uri (qw(/ready /ready/ /ready/file /ready_regex /init /details)) {
    my ($plain, $under_if) = ($t->get($uri), $t->get($uri, %if));

    is($under_if->{status}, $plain->{status}, "$uri under if: status");
    is($under_if->{headers}{'content-type'}, $plain->{headers}{'content-type'},
        "$uri under if: type");
    is($under_if->{headers}{'x-init-gate'}, undef, "$uri under if: not gated");
}

like($t->get('/init', %if)->{content}, qr/^# HELP/,
    'init_status under if: its format');
ok($t->json('/details', %if)->{gates}[0]{checks}[0]{type},
    'init_status under if: its details');
like($t->get('/ready', %if)->{content}, qr/readyz check failed/,
    'init_ready under if: the account');

is($t->get('/returns', %if)->{status}, 204,
    'if with a return of its own: its status');

is($t->get('/other_content', %if)->{headers}{'x-init-gate'},
    'app; state=initializing', 'if with a content handler of its own: gated');

for my $uri (qw(/limited /limited_status)) {
    my $answer = $t->post($uri, content => 'x=1');

    is($answer->{status}, 405, "$uri POST under limit_except: not allowed");
    is($answer->{headers}{'x-init-gate'}, undef,
        "$uri POST under limit_except: not gated");
}

is($t->get('/gated', %if)->{status}, 503, 'gated location under if: refused');
is($t->post('/gated')->{status}, 503,
    'gated location under limit_except: refused');

$t->write('marker');
$t->wait_for(sub { $t->get('/ready')->{status} == 200 }, 'the gate to open');

is($t->get('/ready', %if)->{status}, 200, 'open: init_ready under if');
is($t->get('/gated', %if)->{status}, 200, 'open: gated location under if');

is_deeply([$t->workers], \@workers, 'workers: none has crashed');

done_testing;
