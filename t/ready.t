#!/usr/bin/perl

# init_ready: for probes, as text in the shape of Kubernetes' /readyz, or as
# JSON for who asks for it.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new(http => <<'CONF');
    init_checks app {
        check file %%DIR%%/schema  name=schema;
        check file %%DIR%%/warm  name=warm;
        check file %%DIR%%/later  name=later  after=warm;
        check file %%DIR%%/nice  name=nice  optional;
        interval 50ms;
    }
    init_checks other { check file %%DIR%%/other; interval 50ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        init_gate app;
        location = /ready { init_ready app; }
        location = /all { init_ready; }
        location = /init { init_status; }
    }
CONF

$t->write('schema');
$t->run;
$t->wait_for(sub {
    $t->json('/init')->{gates}[0]{state} eq 'initializing';
}, 'the first verdicts');

my $r = $t->get('/ready');

is($r->{status}, 503, 'closed: status');
like($r->{headers}{'content-type'}, qr{^text/plain}, 'type');
is($r->{headers}{'cache-control'}, 'no-store', 'not to be cached');
like($r->{content}, qr/^\[\+\]schema ok$/m, 'a check that passed');
like($r->{content}, qr/^\[-\]warm waiting: missing$/m, 'one that did not');
like($r->{content}, qr/^\[-\]later pending$/m, 'one not asked yet');
like($r->{content}, qr/^\[-\]nice waiting: missing/m, 'an optional one');
like($r->{content}, qr/\nreadyz check failed\n?\z/, 'the last line');
unlike($r->{content}, qr/\Q@{[$t->dir]}/, 'no path in it');

$r = $t->get('/ready', headers => {Accept => 'application/json'});

is($r->{status}, 503, 'JSON: status');
is($r->{headers}{'content-type'}, 'application/json', 'JSON: type');
my $json = $t->json('/ready', headers => {Accept => 'application/json'});
is($json->{ready}, JSON::PP::false, 'JSON: ready');

is($t->get('/ready', headers => {Accept => '*/*'})->{headers}{'content-type'}
    =~ m{^text/plain}, 1, 'curl gets text');

my $h = $t->head('/ready');
is($h->{status}, 503, 'HEAD: status');
is($h->{content} // '', '', 'HEAD: no body');

is($t->get('/all')->{status}, 503, 'all gates');

$t->write($_) for qw(warm later);
$t->wait_for(sub { $t->get('/ready')->{status} == 200 }, 'the gate to open');

$r = $t->get('/ready');
is($r->{status}, 200, 'open: status');
like($r->{content}, qr/^\[\+\]warm ok$/m, 'open: a check');
like($r->{content}, qr/\nreadyz check passed\n?\z/, 'open: the last line');

$json = $t->json('/ready', headers => {Accept => 'application/json'});
is($json->{ready}, JSON::PP::true, 'open: JSON');

is($t->get('/all')->{status}, 503, 'the other is closed');
$t->write('other');
$t->wait_for(sub { $t->get('/all')->{status} == 200 }, 'all to open');

is($t->head('/ready')->{status}, 200, 'open: HEAD');

done_testing;
