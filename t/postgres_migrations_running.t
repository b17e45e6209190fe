#!/usr/bin/perl

# The postgres check while a migration runs: its locks distinguish it from one
# that has failed.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
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
        check postgres "$db" name=liquibase migrations=liquibase version=v1;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

my $dbh = DBI->connect($pg->dsn(dbname => 'test'), '', '',
    { RaiseError => 1 });


# golang-migrate: its lock, as its versions compute it from names

settles($t, 'migrate', 'failed dirty', qr/^migration 42 broke off/);

for my $names ("public\0schema_migrations\0test", "public\0test", 'test') {
    my $id = (Compress::Zlib::crc32($names) * 1486364155) & 0xffffffff;

    $dbh->do("SELECT pg_advisory_lock($id)");
    settles($t, 'migrate', 'running in_progress',
        qr/^migration 42 is running/);
    $dbh->do("SELECT pg_advisory_unlock($id)");
    settles($t, 'migrate', 'failed dirty');
}

$dbh->do('SELECT pg_advisory_lock(42)');
$dbh->do('UPDATE schema_migrations SET dirty = false');
settles($t, 'migrate', 'passed');
settles($t, 'next', 'waiting behind', qr/^at 42, wants 43$/);

my $id = (Compress::Zlib::crc32("public\0schema_migrations\0test")
    * 1486364155) & 0xffffffff;

$dbh->do("SELECT pg_advisory_lock($id)");
settles($t, 'next', 'running in_progress', qr/^migration is running/);
settles($t, 'migrate', 'passed');


# goose

settles($t, 'goose', 'waiting behind');
settles($t, 'any', 'passed');
$dbh->do('SELECT pg_advisory_lock(4097083626)');
settles($t, 'goose', 'running in_progress');
settles($t, 'any', 'running in_progress');
settles($t, 'reached', 'passed');
$dbh->do('SELECT pg_advisory_unlock(4097083626)');
settles($t, 'goose', 'waiting behind');


# a tool during a transaction, with its table locked

settles($t, 'alembic', 'waiting uninitialized');
$dbh->begin_work;
$dbh->do('LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE');
$dbh->do("INSERT INTO alembic_version VALUES ('ae10')");
settles($t, 'alembic', 'running locked');
$dbh->commit;
settles($t, 'alembic', 'passed', qr/^at ae10, wants ae10$/);


# a tool that creates its tables one by one

settles($t, 'liquibase', 'waiting uninitialized');
$dbh->do("INSERT INTO databasechangeloglock VALUES (1, true, now(), 'me')");
settles($t, 'liquibase', 'running in_progress', qr/locked by me since/);
$dbh->do('CREATE TABLE databasechangelog (id text, tag text)');
settles($t, 'liquibase', 'running in_progress');
$dbh->do('UPDATE databasechangeloglock SET locked = false');
settles($t, 'liquibase', 'waiting uninitialized');
$dbh->do("INSERT INTO databasechangelog VALUES ('a', 'v1')");
settles($t, 'liquibase', 'passed');

# the tables are dropped

$dbh->do('DROP TABLE databasechangelog');
settles($t, 'liquibase', 'waiting uninitialized');
$dbh->do('DROP TABLE alembic_version');
settles($t, 'alembic', 'waiting uninitialized');


# the table of another tool under the same name

$dbh->do('DROP TABLE schema_migrations');
settles($t, 'migrate', 'waiting uninitialized');
$dbh->do('CREATE TABLE schema_migrations (version varchar)');
$dbh->do("INSERT INTO schema_migrations VALUES ('42')");
settles($t, 'migrate', 'error query', qr/42703|42883/);

$dbh->disconnect;

done_testing;
