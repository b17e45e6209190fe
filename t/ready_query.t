#!/usr/bin/perl

# The arguments of init_ready and init_status: decoded, and the JSON agrees
# with the status of the response.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use JSON::PP ();

my $t = InitGate->new(http => <<'CONF');
    init_checks app {
        check file %%DIR%%/one name=one;
        check file %%DIR%%/two name=two;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location /ready { init_ready app; }
        location /init { init_status app; }
    }
CONF

$t->write('one');
$t->run;
$t->wait_for(sub { $t->json('/init')->{gates}[0]{state} eq 'initializing' },
    'the first verdicts');

my %json = (headers => { Accept => 'application/json' });

for my $case (
    ['/ready', 503], ['/ready?exclude=two', 200], ['/ready?exclude=one', 503],
    ['/ready/one', 200], ['/ready/two', 503], ['/ready/app/one', 200],
    ['/ready?exclude=%74wo', 200], ['/ready?exclude=app%2Ftwo', 200],
    ['/ready?exclude=app/two', 200], ['/ready?exclude=other/two', 503],
    ['/ready?exclude=%', 503], ['/ready?exclude=&exclude=two', 200])
{
    my ($uri, $status) = @$case;
    my $answer = $t->get($uri, %json);

    is($answer->{status}, $status, "$uri: status");
    is(!!JSON::PP::decode_json($answer->{content})->{ready}, $status == 200,
        "$uri: ready in JSON as the status");
    is($t->get($uri)->{status}, $status, "$uri as text: status");
}

is($t->get('/init?check=%6Fne')->{status}, 200, 'check=, encoded: found');
is($t->get('/init?gate=%61pp')->{status}, 200, 'gate=, encoded: found');
is($t->get('/init?check=%256Fne')->{status}, 404,
    'check=, encoded twice: not found');
is($t->get('/init?format=%68tml')->{headers}{'content-type'},
    'text/html; charset=utf-8', 'format=, encoded: HTML');
is($t->get('/init?format=')->{status}, 400, 'format=, empty: bad request');

done_testing;
