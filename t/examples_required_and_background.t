#!/usr/bin/perl

# conf-examples/required-and-background: open while the index is still loading.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;
use InitGate::Fake;

my $app = InitGate::Fake->http(200, body => 'hello');

my $t = InitGate::Example->new('required-and-background/nginx.conf',
    '/var/lib/app' => '%%DIR%%/app',
    'http://127.0.0.1:8000' => 'http://127.0.0.1:' . $app->port,
    'listen 8080;' => 'listen 127.0.0.1:%%PORT_8080%%;');

my $dir = $t->path('app');

mkdir $dir;
$t->run;

is($t->get('/')->{status}, 503, 'no catalogue: refused');
$t->restricted_ok('/init');

# the vectors are slower than the catalogue

$ENV{PAUSE} = 0.03;
$ENV{VECTORS} = 60;
$t->command_ok($t->file('initialize'), $dir, 'initialize');

$t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the gate to open');

is($t->gate('app')->{state}, 'degraded', 'catalogue without index: degraded');
is($t->get('/ready')->{status}, 200, 'catalogue without index: ready');
is($t->get('/search')->{status}, 503,
    'catalogue without index: search refused');

$t->wait_for(sub { ($t->check('vector-index', 'search')->{observed} // 0) > 1 },
    'progress');
is($t->check('vector-index', 'search')->{expected}, 60, 'index: expected');
is($t->check('vector-index', 'app')->{required}, JSON::PP::false,
    'index in gate app: optional');

$t->wait_for(sub { $t->get('/search')->{status} == 200 }, 'the index');
$t->wait_state('ready', 'app');

done_testing;
