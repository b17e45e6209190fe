#!/usr/bin/perl

# Several gates for a location, inheritance, and off.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new(http => <<'CONF');
    init_checks a { check file %%DIR%%/a; }
    init_checks b { check file %%DIR%%/b; }
    init_checks c { check file %%DIR%%/c; }

    root %%DIR%%/html;
    init_gate a;

    server {
        listen 127.0.0.1:%%PORT_8080%%;

        location / { }
        location /both/ { init_gate a b; alias %%DIR%%/html/; }
        location /reverse/ { init_gate b a; alias %%DIR%%/html/; }
        location /other/ { init_gate c; alias %%DIR%%/html/; }
        location /off/ {
            init_gate off;
            alias %%DIR%%/html/;
            location /off/nested/ { alias %%DIR%%/html/; }
            location /off/again/ { init_gate b; alias %%DIR%%/html/; }
        }
        location = /init { init_status; }
        location = /ready { init_ready; }
        location = /ready_b { init_ready b; }
        location = /init_b { init_status b c; }
    }

    server {
        listen 127.0.0.1:%%PORT_8081%%;
        init_gate c;
        location / { }
    }
CONF

$t->write('html/index.html', "here\n");
$t->run;
$t->wait_for(sub {
    !grep { $_->{state} ne 'initializing' } $t->gates;
}, 'the first verdicts');


# the gate that refuses a request, or ''

sub closed {
    my ($uri, $port) = @_;

    my $r = $t->get($uri, port => $t->port($port // 8080));

    return '' if $r->{status} == 200 && $r->{content} eq "here\n";

    my ($body) = $r->{content} =~ /"gate":"(\w+)"/;
    my ($header) = $r->{headers}{'x-init-gate'} =~ /^(\w+);/;

    return $body eq $header ? $body : "$body and $header";
}

is(closed('/'), 'a', 'location: inherits from http');
is(closed('/both/'), 'a', 'two gates, both closed: the first');
is(closed('/reverse/'), 'b', 'two gates, other order: the first');
is(closed('/other/'), 'c', 'gate of the location: replaces that of http');
is(closed('/', 8081), 'c', 'gate of the server: replaces that of http');
is(closed('/off/'), '', 'init_gate off: not gated');
is(closed('/off/nested/'), '', 'init_gate off: inherited');
is(closed('/off/again/'), 'b', 'gate below init_gate off: gated');
is($t->get('/init')->{status}, 200, 'init_status: never gated');
is($t->get('/ready')->{status}, 503, 'init_ready, all closed: 503');
is($t->get('/ready_b')->{status}, 503, 'init_ready b, b closed: 503');

$t->write('a');
$t->wait_for(sub { closed('/') eq '' }, 'a to open');

is(closed('/both/'), 'b', 'two gates, first open: the second');
is(closed('/reverse/'), 'b', 'two gates, second open: the first');
is(closed('/other/'), 'c', 'other gate of the location: closed');

$t->write('b');
$t->wait_for(sub { closed('/both/') eq '' }, 'b to open');

is(closed('/reverse/'), '', 'two gates, both open: served');
is(closed('/off/again/'), '', 'gate below init_gate off, open: served');
is(closed('/', 8081), 'c', 'gate of the server: closed');
is($t->get('/ready_b')->{status}, 200, 'init_ready b, b open: 200');
is($t->get('/ready')->{status}, 503, 'init_ready, one closed: 503');
is_deeply([map { "$_->{gate} " . ($_->{ready} ? 1 : 0) }
        @{$t->json('/init_b')->{gates}}], ['b 1', 'c 0'],
    'init_status b c: two gates');

my $json = $t->json('/init');
is_deeply([map { $_->{gate} } @{$json->{gates}}], [qw(a b c)],
    'init_status: all gates');
ok(!$json->{ready}, 'init_status, one closed: not ready');

$t->write('c');
$t->wait_for(sub { $t->get('/ready')->{status} == 200 }, 'all to open');
ok($t->json('/init')->{ready}, 'init_status, all open: ready');

done_testing;
