#!/usr/bin/perl

# The postgres check: tables that exist, and tables that are missing.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
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

settles($t, 'some', 'waiting missing',
    qr/^missing tables: orders, s\.users$/);
settles($t, 'path', 'waiting missing', qr/^missing tables: later$/);
settles($t, 'paths', 'waiting missing', qr/^missing tables: HERE$/);
settles($t, 'quoted', 'passed');
settles($t, 'kinds', 'waiting missing', qr/not_a_table/);
settles($t, 'migrations', 'waiting uninitialized');
settles($t, 'rows', 'waiting missing', qr/^missing tables: none$/);
settles($t, 'private', 'passed');
settles($t, 'many', 'waiting missing',
    qr/^missing tables: a_table_with_a_long_name_1, .*, and \d+ more$/);

unlike($t->check('path')->{message}, qr/inside/,
    'schema=: table found');

psql($pg, 'CREATE TABLE orders (i int)');
settles($t, 'some', 'waiting missing', qr/^missing tables: s\.users$/);

psql($pg, 'CREATE TABLE s.users (i int)');
settles($t, 'some', 'passed');

# a waiting check logs no error on the server

$t->wait_for(sub { $t->check('rows')->{attempts} > 3 }, 'some probes');

like(server_log($pg), qr/ready to accept connections/, 'server log: written');
unlike(server_log($pg), qr/ERROR/, 'server log: no errors');

done_testing;
