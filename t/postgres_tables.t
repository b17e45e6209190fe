#!/usr/bin/perl

# The postgres check: tables that exist, and missing ones.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Postgres;

my $t = InitGate->new;
my $pg = $t->postgres;
my $port = $pg->port;

psql($pg, <<'SQL');
CREATE SCHEMA s;
CREATE SCHEMA "Mixed Case";
CREATE TABLE "Mixed Case"."T, 1" (i int);
CREATE TABLE here (i int);
CREATE TABLE s.inside (i int);
CREATE SEQUENCE not_a_table;
CREATE VIEW a_view AS SELECT 1;
CREATE ROLE stranger LOGIN;
SQL

my $db = "host=127.0.0.1 port=$port dbname=test user=postgres";

$t->run(http => <<"CONF");
    init_checks app {
        interval 50ms;
        timeout 1m;
        check postgres "$db" name=some tables=orders,here,s.users,HERE;
        check postgres "$db" name=path schema=s tables=inside,later;
        check postgres "$db" name=paths schema=nowhere,S tables=inside,HERE;
        check postgres "$db" name=quoted
              'tables="Mixed Case"."T, 1",here,a_view';
        check postgres
              "postgresql+asyncpg://postgres\@127.0.0.1:$port/test?schema=Mixed%20Case&connection_limit=1"
              name=uri 'tables="T, 1"';
        check postgres
              "jdbc:postgresql://127.0.0.1:$port/test?user=postgres&currentSchema=nowhere,s"
              name=jdbc tables=inside;
        check postgres
              "postgresql://postgres\@127.0.0.1:$port/test?schema=none"
              name=both schema=s tables=inside;
        check postgres "$db" name=kinds tables=not_a_table;
        check postgres "$db" name=migrations migrations=atlas version=1;
        check postgres "$db" name=rows tables=here rows=none:1;
        check postgres "host=127.0.0.1 port=$port dbname=test user=stranger"
              name=private tables=here;
        check postgres "$db" name=many tables=@{[join ',',
              map { "a_table_with_a_long_name_$_" } 1 .. 40]};
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

is_check($t, 'some', 'waiting', 'missing',
    qr/^missing tables: orders, s\.users$/);
is_check($t, 'path', 'waiting', 'missing', qr/^missing tables: later$/);
is_check($t, 'paths', 'waiting', 'missing', qr/^missing tables: HERE$/);
is_check($t, 'quoted', 'passed');
# the search path in an application's connection string

is_check($t, $_, 'passed') for qw(uri jdbc both);

is_check($t, 'kinds', 'waiting', 'missing', qr/not_a_table/);
is_check($t, 'migrations', 'waiting', 'uninitialized');
is_check($t, 'rows', 'waiting', 'missing', qr/^missing tables: none$/);
is_check($t, 'private', 'passed');
is_check($t, 'many', 'waiting', 'missing',
    qr/^missing tables: a_table_with_a_long_name_1, .*, and \d+ more$/);

unlike($t->check('path')->{message}, qr/inside/,
    'schema=: search path of tables');

psql($pg, 'CREATE TABLE orders (i int)');
is_check($t, 'some', 'waiting', 'missing', qr/^missing tables: s\.users$/);

psql($pg, 'CREATE TABLE s.users (i int)');
is_check($t, 'some', 'passed');

# waiting causes no errors in the log of the server

$t->wait_for(sub { $t->check('rows')->{attempts} > 3 }, 'some probes');

like(server_log($pg), qr/ready to accept connections/,
    'log of the server: read');
unlike(server_log($pg), qr/ERROR/, 'log of the server, missing tables: no errors');

done_testing;
