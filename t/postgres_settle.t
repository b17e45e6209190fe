#!/usr/bin/perl

# The postgres check without "version": the gate does not open between two of
# many migrations, and opens at once if the table is complete at the start.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks 'probed';
use InitGate::Postgres;

my $t = InitGate->new(workers => 1);
my $pg = $t->postgres;
my $port = $pg->port;

# times of goose have no time zone: they are UTC, or in the server's zone

psql($pg, <<'SQL');
CREATE SCHEMA complete;
CREATE TABLE complete.schema_migrations (version varchar);
INSERT INTO complete.schema_migrations VALUES ('1'), ('2');
CREATE SCHEMA old;
CREATE TABLE old.django_migrations (id serial, app text, name text,
                                    applied timestamptz);
INSERT INTO old.django_migrations (app, name, applied)
    VALUES ('shop', '0001', now() - interval '1 day');
CREATE SCHEMA young;
CREATE TABLE young.django_migrations (id serial, app text, name text,
                                      applied timestamptz);
INSERT INTO young.django_migrations (app, name, applied)
    VALUES ('shop', '0001', now());
CREATE SCHEMA utc;
CREATE TABLE utc.goose_db_version (id serial, version_id bigint,
                                   is_applied boolean, tstamp timestamp);
INSERT INTO utc.goose_db_version (version_id, is_applied, tstamp)
    VALUES (1, true, now() AT TIME ZONE 'UTC');
CREATE SCHEMA local;
CREATE TABLE local.goose_db_version (id serial, version_id bigint,
                                     is_applied boolean, tstamp timestamp);
INSERT INTO local.goose_db_version (version_id, is_applied, tstamp)
    VALUES (1, true, now() AT TIME ZONE 'Asia/Kolkata');
CREATE SCHEMA step;
CREATE SCHEMA first;
CREATE TABLE first.schema_migrations (version varchar);
INSERT INTO first.schema_migrations VALUES ('1');
CREATE SCHEMA opened;
CREATE TABLE opened.schema_migrations (version varchar);
INSERT INTO opened.schema_migrations VALUES ('1');
SQL

psql($pg, "ALTER SYSTEM SET TimeZone = 'Asia/Kolkata'");
psql($pg, 'SELECT pg_reload_conf()');

my $db = "host=127.0.0.1 port=$port dbname=test user=postgres";
my @conf = (main => '', http => <<"CONF");
    init_checks app {
        interval 20ms;
        latch off;
        check file %%DIR%%/never name=never;
        check postgres "$db" name=complete schema=complete migrations=rails
              settle=1h;
        check postgres "$db" name=old schema=old migrations=django settle=1h;
        check postgres "$db" name=young schema=young migrations=django
              settle=1h;
        check postgres "$db" name=utc schema=utc migrations=goose settle=1h;
        check postgres "$db" name=local schema=local migrations=goose
              settle=1h;
        check postgres "$db" name=step schema=step migrations=rails
              settle=1h;
        check postgres "$db" name=short schema=step migrations=rails
              settle=100ms;
        check postgres "$db" name=wanted schema=step migrations=rails
              version=3;
        check postgres "$db" name=after schema=first migrations=rails
              tables=last settle=1h;
    }
    init_checks opened {
        interval 20ms;
        latch off;
        check postgres "$db" name=opened schema=opened migrations=rails
              settle=1h;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

$t->run(@conf);

# complete at the first probe

is_check($t, $_, 'passed') for qw(complete old);
is($t->check($_)->{recent}[-1][0], 'passed', "$_: by its first probe")
    for qw(complete old);

is_check($t, $_, 'running', 'in_progress',
    qr/^at .*, changed \d+ms ago, must be unchanged for 3600000ms$/)
    for qw(young utc local);

# step by step

is_check($t, $_, 'waiting', 'uninitialized') for qw(step short wanted);
psql($pg, 'CREATE TABLE step.schema_migrations (version varchar)');
is_check($t, 'step', 'waiting', 'uninitialized');

for my $version (1 .. 3) {
    psql($pg, "INSERT INTO step.schema_migrations VALUES ($version)");
    is_check($t, 'step', 'running', 'in_progress', qr/^at $version, changed/);
}

is_check($t, 'wanted', 'passed');
is_check($t, 'short', 'passed', undef, qr/^at 3$/);
probed($t, 'step');
is_check($t, 'step', 'running', 'in_progress');

# a version is rolled back and replaced by another

psql($pg, 'DELETE FROM step.schema_migrations');
is_check($t, 'short', 'waiting', 'uninitialized');
psql($pg, 'INSERT INTO step.schema_migrations VALUES (3)');
is_check($t, 'short', 'passed');

# a table created after the first probe has to settle

is_check($t, 'after', 'waiting', 'missing');
psql($pg, 'CREATE TABLE first.last (i int)');
is_check($t, 'after', 'running', 'in_progress');

# a migration does not close the gate again

is_check($t, 'opened', 'passed');
psql($pg, 'INSERT INTO opened.schema_migrations VALUES (2)');
$t->wait_for(sub { $t->check('opened')->{message} eq 'at 2' }, 'version 2');
is_check($t, 'opened', 'passed');

# another nginx, or a restart: no request is refused

$t->quit;
$t->run(@conf);
is_check($t, $_, 'passed') for qw(step after);

done_testing;
