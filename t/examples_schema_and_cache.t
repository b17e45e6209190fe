#!/usr/bin/perl

# conf-examples/schema-and-cache: schema at head, then the cache, then traffic.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;
use InitGate::Fake;
use InitGate::Postgres qw(psql);

my $app = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
});

my $t = InitGate::Example->new('schema-and-cache/nginx.conf',
    'host=db' => 'host=127.0.0.1 port=%%PORT_5432%%',
    'cache:6379' => '127.0.0.1:%%PORT_6379%%',
    '/run/secrets' => '%%DIR%%/secrets',
    'http://127.0.0.1:8000' => 'http://127.0.0.1:' . $app->port,
    'interval 500ms 5s;' => 'interval 100ms;',
    'listen 80;' => 'listen 127.0.0.1:%%PORT_8080%%;');

sub check {
    my ($name) = @_;

    return (grep { $_->{name} eq $name }
        @{$t->json('/init')->{gates}[0]{checks}})[0];
}

my $server = $t->postgres(port => $t->port(5432));

psql($server, $_) for "create role app login password 'open sesame'",
    'create database app owner app';

my $cache = $t->redis(conf => { port => $t->port(6379),
                                requirepass => 'sesame,open' });

$t->write('secrets/db-password', "open sesame\n");
$t->write('secrets/cache-password', "sesame,open\n");

@ENV{qw(PGHOST PGPORT PGDATABASE PGUSER PGPASSWORD)} =
    ('127.0.0.1', $t->port(5432), 'app', 'app', 'open sesame');
$ENV{CACHE} = '-h 127.0.0.1 -p ' . $t->port(6379);
$ENV{PYTHONDONTWRITEBYTECODE} = 1;
$ENV{REDISCLI_AUTH} = 'sesame,open';

# a cache that an older release has left

$t->command_ok('sh', '-c', 'seq 200 | sed "s/.*/HSET modules:index old-& x/" '
    . '| redis-cli $CACHE', 'a warm cache');

$t->run;

is($t->get('/')->{status}, 503, 'closed');
$t->restricted_ok('/init');
is(check('schema')->{reason}, 'uninitialized', 'no schema');
is(check('modules')->{verdict}, 'pending', 'the cache is not even asked');

# a schema on its way

my @alembic = ('alembic', '--config', $t->file('alembic.ini'), 'upgrade');

$t->command_ok('redis-cli', split(' ', $ENV{CACHE}), 'flushall', 'no cache');
$t->command_ok(@alembic, '+1', 'the first revision');
$t->wait_for(sub { check('schema')->{reason} eq 'other_revision' },
    'the first revision to be seen');
is(check('modules')->{verdict}, 'pending', 'the cache is not asked yet');

# at its head, and no cache

$t->command_ok(@alembic, 'head', 'the second revision');
$t->wait_for(sub { check('modules')->{verdict} eq 'waiting' }, 'the cache');
is(check('schema')->{verdict}, 'passed', 'the schema is right');
is($t->get('/')->{status}, 503, 'still closed');
is(check('modules')->{expected}, 200, 'how much is awaited');

$t->command_ok($t->file('upgrade'), 'all of it');
$t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the gate to open');
is(check('modules')->{observed}, 200, 'the whole cache');

my @said = grep { /password|sesame/ } split /\n/, $t->log
    . $t->get('/init')->{content};
is("@said", '', 'no password in the log or at /init');

# whoever stops the server knows no password

$t->run_command('redis-cli', split(' ', $ENV{CACHE}),
    qw(config set requirepass), '');

done_testing;
