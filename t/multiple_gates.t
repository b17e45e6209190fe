#!/usr/bin/perl

# Several gates on one location, inheritance, and off.

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
    !grep { $_->{state} ne 'initializing' } @{$t->json('/init')->{gates}};
}, 'the first verdicts');


# the gate that refuses a request, or nothing

sub closed {
    my ($uri, $port) = @_;

    my $r = $t->get($uri, port => $t->port($port // 8080));

    return '' if $r->{status} == 200 && $r->{content} eq "here\n";

    my ($body) = $r->{content} =~ /"gate":"(\w+)"/;
    my ($header) = $r->{headers}{'x-init-gate'} =~ /^(\w+);/;

    return $body eq $header ? $body : "$body and $header";
}

is(closed('/'), 'a', 'inherited from http');
is(closed('/both/'), 'a', 'the first closed one of two');
is(closed('/reverse/'), 'b', 'in the order of the configuration');
is(closed('/other/'), 'c', 'another one in a location');
is(closed('/', 8081), 'c', 'another one in a server');
is(closed('/off/'), '', 'off');
is(closed('/off/nested/'), '', 'off is inherited');
is(closed('/off/again/'), 'b', 'on again below off');
is($t->get('/init')->{status}, 200, 'init_status is never gated');
is($t->get('/ready')->{status}, 503, 'init_ready of all');
is($t->get('/ready_b')->{status}, 503, 'init_ready of one');

$t->write('a');
$t->wait_for(sub { closed('/') eq '' }, 'a to open');

is(closed('/both/'), 'b', 'the second');
is(closed('/reverse/'), 'b', 'the first, still');
is(closed('/other/'), 'c', 'c is another one');

$t->write('b');
$t->wait_for(sub { closed('/both/') eq '' }, 'b to open');

is(closed('/reverse/'), '', 'both open');
is(closed('/off/again/'), '', 'open below off');
is(closed('/', 8081), 'c', 'c is closed');
is($t->get('/ready_b')->{status}, 200, 'init_ready of one that is open');
is($t->get('/ready')->{status}, 503, 'init_ready of all');
is_deeply([map { "$_->{gate} " . ($_->{ready} ? 1 : 0) }
        @{$t->json('/init_b')->{gates}}], ['b 1', 'c 0'],
    'init_status of two');

my $json = $t->json('/init');
is_deeply([map { $_->{gate} } @{$json->{gates}}], [qw(a b c)],
    'init_status of all');
ok(!$json->{ready}, 'not all ready');

$t->write('c');
$t->wait_for(sub { $t->get('/ready')->{status} == 200 }, 'all to open');
ok($t->json('/init')->{ready}, 'all ready');

done_testing;
