#!/usr/bin/perl

# The postgres check while a migration runs: its locks distinguish it from an
# interrupted one.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Postgres;

use Compress::Zlib ();

my $t = InitGate->new(workers => 1);
my $pg = $t->postgres;
my $port = $pg->port;

psql($pg, <<'SQL');
CREATE TABLE schema_migrations (version bigint, dirty boolean);
INSERT INTO schema_migrations VALUES (42, true);
CREATE TABLE goose_db_version (id serial, version_id bigint,
                               is_applied boolean);
INSERT INTO goose_db_version VALUES (1, 0, true), (2, 1, true);
CREATE TABLE alembic_version (version_num varchar(32));
CREATE TABLE _prisma_migrations (migration_name text, logs text,
    finished_at timestamptz, rolled_back_at timestamptz);
INSERT INTO _prisma_migrations VALUES ('1_init', NULL, '2024-01-01'),
                                      ('2_prices', NULL, NULL);
CREATE TABLE atlas_schema_revisions (version text, applied int, total int,
    error text);
INSERT INTO atlas_schema_revisions VALUES ('1', 1, 1), ('2', 1, 2);
CREATE TABLE databasechangeloglock (id int, locked boolean,
                                    lockgranted timestamp, lockedby text);
SQL

my $db = "host=127.0.0.1 port=$port dbname=test user=postgres";

$t->run(http => <<"CONF");
    init_checks app {
        interval 50ms;
        timeout 1m;
        check file %%DIR%%/never name=never;
        check postgres "$db" name=migrate migrations=golang-migrate version=42;
        check postgres "$db" name=next migrations=golang-migrate version=43;
        check postgres "$db" name=goose migrations=goose version=2;
        check postgres "$db" name=reached migrations=goose version=1;
        check postgres "$db" name=any migrations=goose;
        check postgres "$db" name=alembic migrations=alembic version=ae10;
        check postgres "$db" name=prisma migrations=prisma version=1_init;
        check postgres "$db" name=prisma_next migrations=prisma
                       version=3_notes;
        check postgres "$db" name=prisma_any migrations=prisma settle=1ms;
        check postgres "$db" name=atlas migrations=atlas version=1;
        check postgres "$db" name=atlas_next migrations=atlas version=3;
        check postgres "$db" name=liquibase migrations=liquibase version=v1;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

my $dbh = DBI->connect($pg->dsn(dbname => 'test'), '', '',
    { RaiseError => 1 });


# golang-migrate: its lock, computed from names as in its versions

is_check($t, 'migrate', 'failed', 'dirty', qr/^migration 42 did not finish/);

for my $names ("public\0schema_migrations\0test", "public\0test", 'test') {
    my $id = (Compress::Zlib::crc32($names) * 1486364155) & 0xffffffff;

    $dbh->do("SELECT pg_advisory_lock($id)");
    is_check($t, 'migrate', 'running', 'in_progress',
        qr/^migration 42 is running/);
    $dbh->do("SELECT pg_advisory_unlock($id)");
    is_check($t, 'migrate', 'failed', 'dirty');
}

$dbh->do('SELECT pg_advisory_lock(42)');
$dbh->do('UPDATE schema_migrations SET dirty = false');
is_check($t, 'migrate', 'passed');
is_check($t, 'next', 'waiting', 'behind', qr/^at 42, expected 43$/);

my $id = (Compress::Zlib::crc32("public\0schema_migrations\0test")
    * 1486364155) & 0xffffffff;

$dbh->do("SELECT pg_advisory_lock($id)");
is_check($t, 'next', 'running', 'in_progress', qr/^migration is running/);
is_check($t, 'migrate', 'passed');


# goose

is_check($t, 'goose', 'waiting', 'behind');
is_check($t, 'any', 'passed');
$dbh->do('SELECT pg_advisory_lock(4097083626)');
is_check($t, 'goose', 'running', 'in_progress');
is_check($t, 'any', 'running', 'in_progress');
is_check($t, 'reached', 'passed');
$dbh->do('SELECT pg_advisory_unlock(4097083626)');
is_check($t, 'goose', 'waiting', 'behind');


# Prisma: an unfinished row, and its lock; between two migrations, the lock

$dbh->do('SELECT pg_advisory_unlock_all()');
is_check($t, 'prisma', 'failed', 'dirty',
    qr/^migration 2_prices did not finish/);
$dbh->do('SELECT pg_advisory_lock(72707369)');
is_check($t, 'prisma', 'running', 'in_progress',
    qr/^migration 2_prices is running/);
$dbh->do('UPDATE _prisma_migrations SET finished_at = now()');
is_check($t, 'prisma', 'passed');
is_check($t, 'prisma_next', 'running', 'in_progress');
is_check($t, 'prisma_any', 'running', 'in_progress');
$dbh->do('SELECT pg_advisory_unlock(72707369)');
is_check($t, 'prisma_any', 'passed');
is_check($t, 'prisma_next', 'waiting', 'other_revision');


# Atlas: the number of its lock is FNV-1 of "atlas_migrate_execute", and that
# of another name is not known

is_check($t, 'atlas', 'failed', 'dirty', qr/^migration 2 did not finish/);
$dbh->do('SELECT pg_advisory_lock(2686470616)');
is_check($t, 'atlas', 'running', 'in_progress', qr/^migration 2 is running/);
$dbh->do('SELECT pg_advisory_unlock(2686470616)');
is_check($t, 'atlas', 'failed', 'dirty');
$dbh->do('SELECT pg_advisory_lock(1)');
is_check($t, 'atlas', 'running', 'in_progress');
$dbh->do('SELECT pg_advisory_lock(2686470616)');
$dbh->do('UPDATE atlas_schema_revisions SET applied = total');
is_check($t, 'atlas', 'passed');
is_check($t, 'atlas_next', 'running', 'in_progress');
$dbh->do('SELECT pg_advisory_unlock_all()');
is_check($t, 'atlas_next', 'waiting', 'behind');


# a tool in the middle of a transaction, with its table locked

is_check($t, 'alembic', 'waiting', 'uninitialized');
$dbh->begin_work;
$dbh->do('LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE');
$dbh->do("INSERT INTO alembic_version VALUES ('ae10')");
is_check($t, 'alembic', 'running', 'locked');
$dbh->commit;
is_check($t, 'alembic', 'passed', undef, qr/^at ae10, expected ae10$/);


# a tool that creates its tables one by one

is_check($t, 'liquibase', 'waiting', 'uninitialized');
$dbh->do("INSERT INTO databasechangeloglock VALUES (1, true, now(), 'me')");
is_check($t, 'liquibase', 'running', 'in_progress', qr/locked by me since/);
$dbh->do('CREATE TABLE databasechangelog (id text, author text,'
    . ' filename text, tag text)');
is_check($t, 'liquibase', 'running', 'in_progress');
$dbh->do('UPDATE databasechangeloglock SET locked = false');
is_check($t, 'liquibase', 'waiting', 'uninitialized');
$dbh->do("INSERT INTO databasechangelog VALUES ('a', 'b', 'c', 'v1')");
is_check($t, 'liquibase', 'passed');

# and drops them again

$dbh->do('DROP TABLE databasechangelog');
is_check($t, 'liquibase', 'waiting', 'uninitialized');
$dbh->do('DROP TABLE alembic_version');
is_check($t, 'alembic', 'waiting', 'uninitialized');


# a table of another tool with the same name is an error

$dbh->do('DROP TABLE schema_migrations');
is_check($t, 'migrate', 'waiting', 'uninitialized');
$dbh->do('CREATE TABLE schema_migrations (version varchar)');
$dbh->do("INSERT INTO schema_migrations VALUES ('42')");
is_check($t, 'migrate', 'error', 'query', qr/42703|42883/);

$dbh->disconnect;

done_testing;
