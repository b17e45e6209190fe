#!/usr/bin/perl

# conf-examples/schema-and-cache: schema at head, then the cache, then traffic.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;
use InitGate::Fake;
use InitGate::Postgres qw(psql);

my $app = InitGate::Fake->http(200, body => 'hello');

my $t = InitGate::Example->new('schema-and-cache/nginx.conf',
    'host=db' => 'host=127.0.0.1 port=%%PORT_5432%%',
    'cache:6379' => '127.0.0.1:%%PORT_6379%%',
    '/run/secrets' => '%%DIR%%/secrets',
    'http://127.0.0.1:8000' => 'http://127.0.0.1:' . $app->port,
    'interval 500ms 5s;' => 'interval 100ms;',
    'listen 8080;' => 'listen 127.0.0.1:%%PORT_8080%%;');

my $server = $t->postgres(port => $t->port(5432));

psql($server, $_) for "create role app login password 'open sesame'",
    'create database app owner app';

$t->redis('port ' . $t->port(6379), 'requirepass sesame,open');

$t->write('secrets/db-password', "open sesame\n");
$t->write('secrets/cache-password', "sesame,open\n");

@ENV{qw(PGHOST PGPORT PGDATABASE PGUSER PGPASSWORD)} =
    ('127.0.0.1', $t->port(5432), 'app', 'app', 'open sesame');
$ENV{CACHE} = '-h 127.0.0.1 -p ' . $t->port(6379);
$ENV{PYTHONDONTWRITEBYTECODE} = 1;
$ENV{REDISCLI_AUTH} = 'sesame,open';

# a cache from an older release

$t->command_ok('sh', '-c', 'seq 200 | sed "s/.*/HSET modules:index old-& x/" '
    . '| redis-cli $CACHE', 'redis-cli hset');

$t->run;

is($t->get('/')->{status}, 503, 'no schema: refused');
$t->restricted_ok('/init');
is($t->check('schema')->{reason}, 'uninitialized', 'no schema: reason');
is($t->check('modules')->{verdict}, 'pending', 'no schema: cache not probed');

# the first revision

my @alembic = ('alembic', '--config', $t->file('alembic.ini'), 'upgrade');

$t->command_ok('redis-cli', split(' ', $ENV{CACHE}), 'flushall',
    'redis-cli flushall');
$t->command_ok(@alembic, '+1', 'alembic upgrade +1');
$t->wait_for(sub { $t->check('schema')->{reason} eq 'other_revision' },
    'the first revision');
is($t->check('modules')->{verdict}, 'pending',
    'first revision: cache not probed');

# at its head, without a cache

$t->command_ok(@alembic, 'head', 'alembic upgrade head');
$t->wait_for(sub { $t->check('modules')->{verdict} eq 'waiting' }, 'the cache');
is($t->check('schema')->{verdict}, 'passed', 'last revision: schema passed');
is($t->get('/')->{status}, 503, 'no cache: refused');
is($t->check('modules')->{expected}, 200, 'no cache: expected');

$t->command_ok($t->file('upgrade'), 'upgrade');
$t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the gate to open');
is($t->check('modules')->{observed}, 200, 'cache: observed');

my @said = grep { /password|sesame/ } split /\n/, $t->log
    . $t->get('/init')->{content};
is("@said", '', 'log and /init: no password');

done_testing;
