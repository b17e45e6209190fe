#!/usr/bin/perl

# conf-examples/migrations: one service migrates, the others wait for it.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;
use InitGate::Fake;
use InitGate::Postgres qw(psql);

my $app = InitGate::Fake->http(200, body => 'hello');

my $t = InitGate::Example->new('migrations/nginx.conf',
    'host=db' => 'host=127.0.0.1 port=%%PORT_5432%%',
    '/run/secrets' => '%%DIR%%/secrets',
    'http://127.0.0.1:8001' => 'http://127.0.0.1:' . $app->port,
    'http://127.0.0.1:8002' => 'http://127.0.0.1:' . $app->port,
    'interval 1s;' => 'interval 100ms;',
    'backoff 10s;' => 'backoff 500ms;',
    'listen 8080;' => 'listen 127.0.0.1:%%PORT_8080%%;');

sub schema { $t->gate($_[0])->{checks}[0] }

# the server is prepared, and started later

my $server = $t->postgres(port => $t->port(5432));

psql($server, $_) for 'create database shop',
    "create role web login password 'open sesame'";

my $hba = (psql($server, 'show hba_file'))[0][0];
open my $fh, '>', $hba or die "$hba: $!";
print $fh <<'END';
local all all trust
host all web 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
END
close $fh;
$server->stop;

# no server yet: the pauses double, up to the backoff

$t->write('secrets/db-password', "open sesame\n");
$t->run;

is($t->get('/orders')->{status}, 503, 'no server: refused');
$t->restricted_ok('/init');

sub pause {
    my $check = schema('orders');
    my ($last, $next) = map { /:(\d\d\.\d{3})Z/ } @$check{qw(last_checked
        next_check)};

    return 0 if !defined $next;
    return $next - $last + ($next < $last ? 60 : 0);
}

is(schema('orders')->{reason}, 'refused', 'no server: reason');
$t->wait_for(sub { pause() > 0.4 }, 'pauses longer than 0.4 s');
my $attempts = schema('orders')->{attempts};
$t->wait_for(sub { schema('orders')->{attempts} > $attempts + 1 }, 'two more');
cmp_ok(pause(), '<', 0.8, 'no server: pause at most the backoff');

# a database without tables

$server->start;
$t->wait_for(sub { (schema('orders')->{reason} // '') eq 'missing' },
    'a verdict of the server');
like(schema('orders')->{message}, qr/users.*orders|orders.*users/,
    'no tables: message');
is($t->get('/billing')->{status}, 503, 'no tables: refused');

# tables in another schema

@ENV{qw(PGHOST PGPORT PGDATABASE PGUSER)} =
    ('127.0.0.1', $t->port(5432), 'shop', 'postgres');

psql($server, 'create table users (); create table orders ()', 'shop');
$attempts = schema('orders')->{attempts};
$t->wait_for(sub { schema('orders')->{attempts} > $attempts + 1 }, 'two more');
is($t->get('/orders')->{status}, 503, 'tables in another schema: refused');

sub connections {
    return (psql($server, "select count(*) from pg_stat_activity
        where usename = 'web'"))[0][0];
}

cmp_ok(connections(), '<=', 1, 'two checks of a database: one connection');

# the migration

$t->command_ok($t->file('migrate'), 'migrate');
$t->wait_for(sub { $t->get($_)->{status} == 200 }, "$_ to open")
    for '/orders', '/billing';
is($t->get('/ready/orders')->{status}, 200, 'migrated: orders ready');
is($t->get('/ready/billing')->{status}, 200, 'migrated: billing ready');

$t->command_ok($t->file('migrate'), 'migrate, second run');

$t->wait_for(sub { connections() == 0 }, 'the connection to be closed');

done_testing;
