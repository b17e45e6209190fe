#!/usr/bin/perl

# init_ready: for probes, as text in the format of /readyz of Kubernetes, or as
# JSON by Accept.

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
        location /ready { init_ready app; }
        location /all { init_ready; }
        location = /init { init_status; }
    }
CONF

$t->write('schema');
$t->run;
$t->wait_state('initializing');

my $r = $t->get('/ready');

is($r->{status}, 503, 'closed: status');
like($r->{headers}{'content-type'}, qr{^text/plain}, 'closed: type');
is($r->{headers}{'cache-control'}, 'no-store', 'closed: Cache-Control');
is($r->{headers}{vary}, 'Accept', 'closed: Vary');
like($r->{content}, qr/^\[\+\]schema ok$/m,
    'closed: line of a check that passed');
like($r->{content}, qr/^\[-\]warm waiting: missing$/m,
    'closed: line of a check that waits');
like($r->{content}, qr/^\[-\]later pending$/m,
    'closed: line of a pending check');
like($r->{content}, qr/^\[-\]nice waiting: missing \(optional\)$/m,
    'closed: line of an optional check');
like($r->{content}, qr/\nreadyz check failed\n?\z/, 'closed: last line');
unlike($r->{content}, qr/\Q@{[$t->dir]}/, 'closed: no path');

$r = $t->get('/ready', headers => {Accept => 'application/json'});

is($r->{status}, 503, 'JSON: status');
is($r->{headers}{'content-type'}, 'application/json', 'JSON: type');
my $json = $t->json('/ready', headers => {Accept => 'application/json'});
is($json->{ready}, JSON::PP::false, 'JSON: ready');
is_deeply([sort keys %{$json->{gates}[0]{checks}[1]}],
    [qw(name reason verdict)], 'JSON: no details');
is($t->get('/ready', headers => {Accept => 'application/problem+json'})
    ->{headers}{'content-type'}, 'application/json',
        'application/problem+json: JSON');

is($t->get('/ready', headers => {Accept => '*/*'})->{headers}{'content-type'}
    =~ m{^text/plain}, 1, '*/*: text');

my $h = $t->head('/ready');
is($h->{status}, 503, 'HEAD: status');
is($h->{content} // '', '', 'HEAD: no body');

$r = $t->get('/all');
is($r->{status}, 503, 'all gates, closed: status');
like($r->{content}, qr{^\[\+\]app/schema ok$}m,
    'all gates: line with the name of the gate');
like($r->{content}, qr{^\[-\]other/file waiting: missing$}m,
    'all gates: line of the other gate');

# one check, by a path below

is($t->get("/$_")->{status}, 200, "$_: passed")
    for qw(ready/schema ready/app/schema all/schema all/app/schema);
is($t->get("/$_")->{status}, 503, "$_: not passed")
    for qw(ready/warm ready/app/warm all/other/file);
is($t->get("/$_")->{status}, 404, "$_: no such check")
    for qw(ready/no_such ready/no_such/warm ready/other/file all/other/warm
           ready/app/warm/more);
is($t->get('/ready/schema')->{content}, "[+]schema ok\nreadyz check passed\n",
    'one check: no other lines');
is($t->get('/ready/')->{status}, 503, 'no name: all checks');

# excluded checks

is($t->get("/$_")->{status}, 503, "$_: not ready")
    for qw(ready?exclude=warm ready?exclude=later ready?exclude=schema
           ready?exclude=other/warm&exclude=later ready?exclude=
           ready?exclude=warm&include=later ready?exclude=war&exclude=later
           all?exclude=warm&exclude=later);
is($t->get("/$_")->{status}, 200, "$_: ready")
    for qw(ready?exclude=warm&exclude=later
           ready?a=b&exclude=app/warm&c&exclude=later&d
           all?exclude=app/warm&exclude=app/later&exclude=other/file);
like($t->get('/ready?exclude=warm')->{content},
    qr/^\[\+\]warm excluded: ok$/m, 'excluded: line as in Kubernetes');

$t->write($_) for qw(warm later);
$t->wait_for(sub { $t->get('/ready')->{status} == 200 }, 'the gate to open');

$r = $t->get('/ready');
is($r->{status}, 200, 'open: status');
like($r->{content}, qr/^\[\+\]warm ok$/m, 'open: line of a check');
like($r->{content}, qr/\nreadyz check passed\n?\z/, 'open: last line');

$json = $t->json('/ready', headers => {Accept => 'application/json'});
is($json->{ready}, JSON::PP::true, 'open: JSON');

is($t->get('/all')->{status}, 503, 'all gates, one closed: status');
$t->write('other');
$t->wait_for(sub { $t->get('/all')->{status} == 200 }, 'all gates to open');

is($t->head('/ready')->{status}, 200, 'open: HEAD');

done_testing;
