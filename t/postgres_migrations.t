#!/usr/bin/perl

# The postgres check: the tables of migration tools, in every state that the
# check distinguishes.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Postgres;

my $t = InitGate->new;
my $pg = $t->postgres;
my $port = $pg->port;

# Each state of a tool's tables is in a schema of its own, selected by schema=,
# so that all are probed at once.

my (@checks, @expected);

sub tool {
    my ($tool, $tables, @states) = @_;

    for my $state (@states) {
        my ($rows, @wants) = @$state;
        my $schema = 's' . @checks;

        # the dump of tables may end within an INSERT
        my $link = $tables =~ /[,S] ?$/ ? ' ' : ';';

        psql($pg, "CREATE SCHEMA $schema; SET search_path = $schema;"
            . $tables . $link . $rows);

        for my $want (@wants) {
            my ($version, $verdict, $reason, $message) = @$want;
            my $name = "$tool-" . @checks;

            push @checks, "check postgres \"host=127.0.0.1 port=$port "
                . "dbname=test user=postgres\" name=$name schema=$schema "
                . "migrations=$tool keepalive "
                . ($version || 'settle=1ms') . ';';
            push @expected, [$name, $verdict, $reason, $message];
        }
    }
}

my @passed = ('passed', undef);
my @none = ('waiting', 'uninitialized');
my @behind = ('waiting', 'behind');
my @other = ('waiting', 'other_revision');
my @ahead = ('waiting', 'ahead');
my @dirty = ('failed', 'dirty');
my @running = ('running', 'in_progress');
my @stale = ('failed', 'stale_lock');


tool('golang-migrate',
    'CREATE TABLE schema_migrations'
    . ' (version bigint PRIMARY KEY, dirty boolean NOT NULL)',
    ['SELECT 1', ['', @none], ['version=1', @none, qr/expected 1$/]],
    ['INSERT INTO schema_migrations VALUES (42, false)',
        ['', @passed, qr/^at 42$/],
        ['version=41', @passed, qr/^at 42, expected 41$/],
        ['version=42', @passed],
        ['version=42 exact', @passed],
        ['version=41 exact', @ahead, qr/^at 42, expected exactly 41$/],
        ['version=43', @behind, qr/^at 42, expected 43$/]],
    ['INSERT INTO schema_migrations VALUES (42, true)',
        ['', @dirty, qr/^migration 42 did not finish$/],
        ['version=41', @dirty,
            qr/^migration 42 did not finish, expected 41$/]]);

tool('goose',
    'CREATE TABLE goose_db_version (id serial PRIMARY KEY,'
    . ' version_id bigint NOT NULL, is_applied boolean NOT NULL,'
    . ' tstamp timestamp DEFAULT now())',
    ['INSERT INTO goose_db_version (version_id, is_applied)'
        . ' VALUES (0, true)',
        ['', @none], ['version=2', @none]],
    ['INSERT INTO goose_db_version (version_id, is_applied)'
        . ' VALUES (0, true), (1, true), (2, true), (2, false)',
        ['', @passed, qr/^at 1$/],
        ['version=1 exact', @passed],
        ['version=2', @behind, qr/^at 1, expected 2$/]],
    ['INSERT INTO goose_db_version (version_id, is_applied)'
        . ' VALUES (0, true), (1, true), (2, false), (2, true)',
        ['version=2', @passed],
        ['version=1 exact', @ahead]]);

my $flyway = 'CREATE TABLE flyway_schema_history (installed_rank int,'
    . ' version varchar(50), description varchar(200), type varchar(20),'
    . ' script varchar(1000), success boolean NOT NULL)';

tool('flyway', $flyway,
    ["INSERT INTO flyway_schema_history VALUES"
        . " (0, NULL, 'created', 'SCHEMA', 's', true)",
        ['', @none], ['version=1', @none]],
    ["INSERT INTO flyway_schema_history VALUES"
        . " (1, '1', 'd', 'BASELINE', 's', true),"
        . " (2, '1.9', 'd', 'SQL', 's', true),"
        . " (3, '1.10', 'd', 'SQL', 's', true),"
        . " (4, NULL, 'views', 'SQL', 's', true)",
        ['', @passed, qr/^at 1\.10$/],
        ['version=1.9', @passed],
        ['version=1.10.0 exact', @passed],
        ['version=1_9 exact', @ahead, qr/^at 1\.10, expected exactly 1\.9$/],
        ['version=1.11', @behind, qr/^at 1\.10, expected 1\.11$/],
        ['version=2', @behind]],
    ["INSERT INTO flyway_schema_history VALUES"
        . " (1, '1', 'd', 'SQL', 's', true),"
        . " (2, '2', 'd', 'SQL', 's', true),"
        . " (3, '2', 'd', 'UNDO_SQL', 's', true)",
        ['version=1 exact', @passed],
        ['version=2', @behind]],
    ["INSERT INTO flyway_schema_history VALUES"
        . " (1, '1', 'd', 'SQL', 's', true),"
        . " (2, '2', 'd', 'SQL', 's', false)",
        ['', @dirty],
        ['version=1', @dirty, qr/^migration 2 did not finish, expected 1$/]]);

my $liquibase = 'CREATE TABLE databasechangelog (id varchar(255),'
    . ' author varchar(255), filename varchar(255), dateexecuted timestamp,'
    . ' orderexecuted int, exectype varchar(10), tag varchar(255));'
    . 'CREATE TABLE databasechangeloglock (id int PRIMARY KEY,'
    . ' locked boolean NOT NULL, lockgranted timestamp,'
    . ' lockedby varchar(255));';
my $changes = "INSERT INTO databasechangelog VALUES"
    . " ('tables', 'a', 'f', now(), 1, 'EXECUTED', NULL),"
    . " ('prices', 'a', 'f', now(), 2, 'EXECUTED', 'v1'),"
    . " ('notes', 'a', 'f', now(), 3, 'MARK_RAN', NULL);"
    . 'INSERT INTO databasechangeloglock VALUES ';

tool('liquibase', $liquibase,
    ["INSERT INTO databasechangeloglock VALUES (1, false)", ['', @none]],
    ["$changes (1, false)",
        ['', @passed, qr/^at a:notes$/],
        ['version=v1', @passed],
        ['version=tables', @passed],
        ['version=a:tables', @passed],
        ['version=f::a:tables', @passed],
        ['version=notes exact', @passed],
        ['version=a:notes exact', @passed],
        ['version=v1 exact', @ahead, qr/^at a:notes, expected exactly v1$/],
        ['version=b:tables', @other],
        ['version=g::a:tables', @other],
        ['version=v2', @other, qr/^at a:notes, expected v2$/]],
    ["$changes (1, false); INSERT INTO databasechangelog VALUES"
        . " ('tables', 'b', 'f', now(), 4, 'EXECUTED', NULL),"
        . " ('notes', 'a', 'g', now(), 5, 'EXECUTED', 'notes')",
        ['version=tables', 'error', 'query',
            qr/^several changesets have the id "tables", author:id or path/],
        ['version=a:tables', @passed],
        ['version=b:tables', @passed],
        ['version=c:tables', @other],
        ['version=g::a:notes exact', @passed],
        ['version=f::a:notes exact', @ahead]],
    ["$changes (1, true, now(), 'host (10.0.0.1)')",
        ['', @running],
        ['version=v1', @running,
            qr/^"databasechangeloglock" is locked by host \(10.* since 2/]],
    ["$changes (1, true, now() - interval '1 day', 'host (10.0.0.1)')",
        ['version=v1', @stale, qr/locked by host .*, for too long$/]]);

# a lock before any table exists

psql($pg, 'CREATE SCHEMA first; SET search_path = first;'
    . 'CREATE TABLE databasechangeloglock (id int PRIMARY KEY,'
    . ' locked boolean NOT NULL, lockgranted timestamp, lockedby text);'
    . "INSERT INTO databasechangeloglock VALUES (1, true, now(), 'me')");
push @checks, "check postgres \"host=127.0.0.1 port=$port dbname=test"
    . " user=postgres\" name=first schema=first migrations=liquibase keepalive;";
push @expected, ['first', @running, qr/locked by me/];

tool('alembic',
    'CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)',
    ['SELECT 1', ['', @none], ['version=ae10', @none]],
    ["INSERT INTO alembic_version VALUES ('ae10'), ('b27c')",
        ['', @passed, qr/^at ae10,b27c$/],
        ['version=ae10', @passed],
        ['version=b27c,ae10 exact', @passed],
        ['version=ae10 exact', @ahead],
        ['version=ae10,c300', @other, qr/^at ae10,b27c, expected ae10,c300$/]]);

tool('django',
    'CREATE TABLE django_migrations (id serial PRIMARY KEY,'
    . ' app varchar(255), name varchar(255), applied timestamptz)',
    ['SELECT 1', ['version=shop.0001_initial', @none]],
    ["INSERT INTO django_migrations (app, name) VALUES"
        . " ('shop', '0001_initial'), ('auth', '0001_initial'),"
        . " ('shop', '0002_prices')",
        ['', @passed],
        ['version=shop.0001_initial', @passed],
        ['version=shop.0002_prices exact', @passed],
        ['version=shop.0002_prices,auth.0001_initial', @passed],
        ['version=shop.0001_initial exact', @ahead],
        ['version=shop.0001', @passed],
        ['version=shop.0002 exact', @passed],
        ['version=shop.0001 exact', @ahead],
        ['version=shop.000', @other],
        ['version=shop.0002,auth.0001', @passed],
        ['version=shop.0003', @other],
        ['version=shop.0003_notes', @other,
            qr/^at shop\.0002_prices, expected shop\.0003_notes$/],
        ['version=blog.0001_initial', @other]]);

for (['rails', 'schema_migrations', 'varchar'],
    ['dbmate', 'schema_migrations', 'varchar(128)'],
    ['ecto', 'schema_migrations', 'bigint'],
    ['diesel', '__diesel_schema_migrations', 'varchar(50)'])
{
    my ($tool, $table, $type) = @$_;

    tool($tool, "CREATE TABLE $table (version $type PRIMARY KEY)",
        ['SELECT 1', ['', @none], ['version=20240101000000', @none]],
        ["INSERT INTO $table VALUES"
            . " ('20240101000000'), ('20240301000000')",
            ['', @passed, qr/^at 20240301000000$/],
            ['version=20240101000000', @passed],
            ['version=20240301000000 exact', @passed],
            ['version=20240101000000 exact', @ahead],
            ['version=20240401000000', @behind,
                qr/^at 20240301000000, expected 20240401000000$/],
            ['version=20240201000000', @behind,
                qr/^at 20240301000000, but 20240201000000 is missing$/]],
        ["INSERT INTO $table VALUES ('9'), ('10')",
            ['version=9 exact', @ahead],
            ['version=10 exact', @passed],
            ['version=11', @behind]]);
}

# the table of golang-migrate, which has the same name

tool($_, 'CREATE TABLE schema_migrations (version bigint, dirty boolean)',
    ['INSERT INTO schema_migrations VALUES (20240101000000, true)',
        ['', 'error', 'query', qr/^schema_migrations has a column "dirty", /],
        ['version=20240101000000', 'error', 'query',
            qr/so it is not the table of $_$/]])
    for qw(rails dbmate ecto);

tool('diesel', 'CREATE TABLE __diesel_schema_migrations'
    . ' (version varchar(50) PRIMARY KEY)',
    ["INSERT INTO __diesel_schema_migrations VALUES ('20240101120000')",
        ['version=2024-01-01-120000', @passed]]);

my $prisma = 'CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY,'
    . ' finished_at timestamptz, migration_name varchar(255), logs text,'
    . ' rolled_back_at timestamptz, started_at timestamptz DEFAULT now());'
    . "INSERT INTO _prisma_migrations VALUES"
    . " ('1', now(), '20240101_init', NULL, NULL),";

tool('prisma', $prisma,
    ["('2', now(), '20240201_prices', NULL, NULL)",
        ['', @passed],
        ['version=20240101_init', @passed],
        ['version=20240101_init exact', @ahead],
        ['version=20240201_prices exact', @passed],
        ['version=20240301_notes', @other,
            qr/^at 20240201_prices, expected 20240301_notes$/]],
    ["('2', NULL, '20240201_prices', NULL, NULL)",
        ['', @dirty],
        ['version=20240101_init', @dirty, qr/20240201_prices did not finish/]],
    ["('2', NULL, '20240201_prices', 'syntax error', NULL)",
        ['', @dirty],
        ['version=20240101_init', @dirty, qr/20240201_prices did not finish/]],
    ["('2', NULL, '20240201_prices', 'syntax error', now())",
        ['version=20240101_init exact', @passed],
        ['version=20240201_prices', @other]]);

tool('prisma', $prisma =~ s/INSERT.*//sr,
    ['SELECT 1', ['', @none], ['version=20240101_init', @none]]);

my $sqlx = 'CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY,'
    . ' description text, success boolean NOT NULL)';

tool('sqlx', $sqlx,
    ['SELECT 1', ['', @none], ['version=1', @none]],
    ["INSERT INTO _sqlx_migrations VALUES (1, '', true), (2, '', true)",
        ['', @passed, qr/^at 2$/],
        ['version=1', @passed],
        ['version=1 exact', @ahead],
        ['version=2 exact', @passed],
        ['version=3', @behind]],
    ["INSERT INTO _sqlx_migrations VALUES (1, '', true), (2, '', false)",
        ['', @dirty],
        ['version=1', @dirty, qr/^migration 2 did not finish/]]);

my $efcore = 'CREATE TABLE "__EFMigrationsHistory"'
    . ' ("MigrationId" varchar(150) PRIMARY KEY, "ProductVersion" text)';

tool('efcore', $efcore,
    ['SELECT 1', ['', @none], ['version=20240101000000_Init', @none]],
    ["INSERT INTO \"__EFMigrationsHistory\" VALUES"
        . " ('20240101000000_Init', '8'), ('20240201000000_Prices', '8')",
        ['', @passed],
        ['version=20240101000000_Init', @passed],
        ['version=20240201000000_Prices exact', @passed],
        ['version=20240201000000 exact', @passed],
        ['version=20240101000000_Init exact', @ahead],
        ['version=20240301000000_Notes', @behind]]);

my $knex = 'CREATE TABLE knex_migrations (id serial PRIMARY KEY,'
    . ' name varchar(255), batch int, migration_time timestamptz);'
    . 'CREATE TABLE knex_migrations_lock (index serial PRIMARY KEY,'
    . ' is_locked int);'
    . 'INSERT INTO knex_migrations_lock (is_locked) VALUES ';

tool('knex', $knex,
    ['(0)', ['', @none], ['version=20240101_init.js', @none]],
    ["(0); INSERT INTO knex_migrations (name) VALUES"
        . " ('20240101_init.js'), ('20240201_prices.js')",
        ['', @passed, qr/^at 20240201_prices\.js$/],
        ['version=20240101_init.js', @passed],
        ['version=20240201_prices exact', @passed],
        ['version=20240101_init.js exact', @ahead],
        ['version=20240301_notes.js', @other]],
    ["(1); INSERT INTO knex_migrations (name) VALUES ('20240101_init.js')",
        ['', @running, qr/^"knex_migrations_lock" is locked$/],
        ['version=20240101_init.js', @running]]);

# tools with a row for each migration, by their names; the tables are as the
# tools create them

for (['sequelize', '"SequelizeMeta"', 'name varchar(255) PRIMARY KEY', 'name',
        '20240101-init.js', '20240201-prices.js', '20240301-notes.js'],
    ['node-pg-migrate', 'pgmigrations', 'id serial PRIMARY KEY,'
        . ' name varchar(255) NOT NULL, run_on timestamp DEFAULT now()',
        'name', '1704067200000_init', '1706745600000_prices',
        '1709251200000_notes'],
    ['kysely', 'kysely_migration', 'name varchar(255) PRIMARY KEY,'
        . " timestamp varchar(255) DEFAULT '2024-01-01T00:00:00.000Z'",
        'name', '2024_01_init', '2024_02_prices', '2024_03_notes'],
    ['mikroorm', 'mikro_orm_migrations', 'id serial PRIMARY KEY,'
        . ' name varchar(255), executed_at timestamptz DEFAULT now()',
        'name', 'Migration20240101', 'Migration20240201',
        'Migration20240301'],
    ['laravel', 'migrations', 'id serial PRIMARY KEY,'
        . ' migration varchar(255) NOT NULL, batch int DEFAULT 1',
        'migration', '2024_01_01_init', '2024_02_01_prices',
        '2024_03_01_notes'],
    ['db-migrate', 'migrations', 'id serial PRIMARY KEY,'
        . ' name varchar(255) NOT NULL, run_on timestamp DEFAULT now()',
        'name', '/20240101-init', '/20240201-prices', '/20240301-notes'],
    ['doctrine', 'doctrine_migration_versions',
        'version varchar(191) PRIMARY KEY, executed_at timestamp,'
        . ' execution_time int', 'version',
        'DoctrineMigrations\Version20240101',
        'DoctrineMigrations\Version20240201',
        'DoctrineMigrations\Version20240301'])
{
    my ($tool, $table, $columns, $column, $one, $two, $three) = @$_;
    my ($v1, $v2, $v3) = map { s/\\/\\\\/gr } $one, $two, $three;

    tool($tool, "CREATE TABLE $table ($columns)",
        ['SELECT 1', ['', @none], ["version=$v1", @none]],
        ["INSERT INTO $table ($column) VALUES ('$one'), ('$two')",
            ['', @passed, qr/^at \Q$two\E$/],
            ["version=$v1", @passed],
            ["version=$v2 exact", @passed],
            ["version=$v1 exact", @ahead],
            ["version=$v3", @other, qr/^at \Q$two\E, expected \Q$three\E$/]]);
}

tool('sequelize', 'CREATE TABLE "SequelizeMeta" (name varchar(255))',
    ["INSERT INTO \"SequelizeMeta\" VALUES ('20240101-init.js')",
        ['version=20240101-init', @passed]]);
tool('db-migrate', 'CREATE TABLE migrations (name text, run_on timestamp)',
    ["INSERT INTO migrations VALUES ('/20240101-init')",
        ['version=20240101-init', @passed]]);
tool('doctrine', 'CREATE TABLE doctrine_migration_versions (version text)',
    ["INSERT INTO doctrine_migration_versions VALUES ('A\\B\\Version1')",
        ['version=Version1 exact', @passed], ['version=1', @passed],
        ['version=2', @other]]);

tool('phinx', 'CREATE TABLE phinxlog (version bigint PRIMARY KEY,'
    . ' migration_name varchar(100), start_time timestamp, end_time timestamp,'
    . ' breakpoint boolean DEFAULT false)',
    ['SELECT 1', ['', @none]],
    ["INSERT INTO phinxlog (version) VALUES (20240101000000), (20240301000000)",
        ['', @passed, qr/^at 20240301000000$/],
        ['version=20240101000000', @passed],
        ['version=20240101000000 exact', @ahead],
        ['version=20240401000000', @behind],
        ['version=20240201000000', @behind, qr/but 20240201000000 is miss/]]);

my $drizzle = 'CREATE TABLE __drizzle_migrations (id serial PRIMARY KEY,'
    . ' hash text NOT NULL, created_at bigint)';

tool('drizzle', $drizzle,
    ['SELECT 1', ['', @none], ['version=1704067200000', @none]],
    ["INSERT INTO __drizzle_migrations (hash, created_at) VALUES"
        . " ('a', 1704067200000), ('b', 1706745600000)",
        ['', @passed, qr/^at 1706745600000$/],
        ['version=1704067200000', @passed],
        ['version=1704067200000 exact', @ahead],
        ['version=1706745600000 exact', @passed],
        ['version=1709251200000', @behind]]);

# typeorm, laravel and db-migrate use the same table name

my %own = (typeorm => 'id serial, "timestamp" bigint, name text',
    laravel => 'id serial, migration text, batch int',
    'db-migrate' => 'id serial, name text, run_on timestamp');

for my $owner (sort keys %own) {
    tool($_, "CREATE TABLE migrations ($own{$owner})",
        ['INSERT INTO migrations DEFAULT VALUES',
            ['', 'error', 'query', qr/so it is not the table of $_$/]])
        for grep { $_ ne $owner } sort keys %own;
}

# a table with another name

tool('golang-migrate', 'CREATE TABLE mine (version bigint, dirty boolean)',
    ['INSERT INTO mine VALUES (42, false)',
        ['version=42 table=mine', @passed],
        ['version=42', @none],
        ['version=42 table=other', @none]]);
tool('knex', 'CREATE TABLE "My Own" (id serial, name text);'
    . 'CREATE TABLE "My Own_lock" (index serial, is_locked int)',
    [q(INSERT INTO "My Own" (name) VALUES ('a.js');)
        . 'INSERT INTO "My Own_lock" (is_locked) VALUES (0)',
        [q('table="My Own"' version=a), @passed]],
    [q(INSERT INTO "My Own" (name) VALUES ('a.js');)
        . 'INSERT INTO "My Own_lock" (is_locked) VALUES (1)',
        [q('table="My Own"' version=a), @running,
            qr/^"My Own_lock" is locked/]]);

tool('typeorm',
    'CREATE TABLE migrations (id serial PRIMARY KEY, "timestamp" bigint,'
    . ' name varchar)',
    ['SELECT 1', ['', @none], ['version=Init1700000000000', @none]],
    ["INSERT INTO migrations (\"timestamp\", name) VALUES"
        . " (1700000000000, 'Init1700000000000'),"
        . " (1700000000001, 'Prices1700000000001')",
        ['', @passed],
        ['version=Init1700000000000', @passed],
        ['version=1700000000001 exact', @passed],
        ['version=Init1700000000000 exact', @ahead],
        ['version=Notes1700000000002', @other]]);

my $atlas = 'CREATE TABLE atlas_schema_revisions (version varchar PRIMARY KEY,'
    . ' description varchar, applied bigint, total bigint, error text)';

tool('atlas', $atlas,
    ["INSERT INTO atlas_schema_revisions VALUES"
        . " ('.atlas_cloud_identifier', '', 0, 0)",
        ['', @none], ['version=20240101000000', @none]],
    ["INSERT INTO atlas_schema_revisions VALUES"
        . " ('.atlas_cloud_identifier', '', 0, 0, NULL),"
        . " ('20240101000000', '', 2, 2, NULL),"
        . " ('20240201000000', '', 1, 1, '')",
        ['', @passed, qr/^at 20240201000000$/],
        ['version=20240101000000', @passed],
        ['version=20240101000000 exact', @ahead],
        ['version=20240201000000 exact', @passed],
        ['version=20240301000000', @behind]],
    ["INSERT INTO atlas_schema_revisions VALUES"
        . " ('20240101000000', '', 2, 2, NULL),"
        . " ('20240201000000', '', 1, 3, NULL)",
        ['', @dirty, qr/^migration 20240201000000 did not finish$/],
        ['version=20240101000000', @dirty]],
    ["INSERT INTO atlas_schema_revisions VALUES"
        . " ('20240101000000', '', 2, 2, NULL),"
        . " ('20240201000000', '', 1, 3, 'syntax error')",
        ['', @dirty],
        ['version=20240101000000', @dirty, qr/20240201000000 did not finish/]]);

# Atlas's own schema, and no tables at all, for each of the tools

psql($pg, 'CREATE SCHEMA atlas_schema_revisions;'
    . 'SET search_path = atlas_schema_revisions;'
    . "$atlas; INSERT INTO atlas_schema_revisions VALUES ('7', '', 1, 1)");

push @checks, "check postgres \"host=127.0.0.1 port=$port dbname=test"
    . " user=postgres\" name=own migrations=atlas version=7 keepalive;";
push @expected, ['own', @passed, qr/^at 7, expected 7$/];

psql($pg, 'CREATE SCHEMA empty');

for my $tool (qw(golang-migrate goose flyway liquibase alembic django rails
    dbmate ecto prisma sqlx efcore knex typeorm diesel atlas sequelize drizzle
    node-pg-migrate laravel doctrine phinx mikroorm kysely db-migrate))
{
    push @checks, "check postgres \"host=127.0.0.1 port=$port dbname=test"
        . " user=postgres\" name=empty-$tool schema=empty migrations=$tool"
        . ' keepalive;';
    push @expected, ["empty-$tool", @none, qr/^no migration of $tool has run/];
}


my $checks = join "\n        ", @checks;

$t->run(http => <<"CONF");
    init_checks app {
        interval 100ms;
        $checks
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

$t->wait_for(sub {
    !grep { $_->{verdict} eq 'pending' }
        @{$t->json('/init')->{gates}[0]{checks}};
}, 'all checks', 20);

my %check = map { $_->{name} => $_ } @{$t->json('/init')->{gates}[0]{checks}};

for (@expected) {
    my ($name, $verdict, $reason, $message) = @$_;
    my $check = $check{$name};

    is("$check->{verdict} " . ($check->{reason} // ''),
        "$verdict " . ($reason // ''), "$name: $verdict")
        or diag($check->{message});
    like($check->{message} // '', $message, "$name: message") if $message;
}

is(scalar @expected, scalar @checks, 'all checks: compared');

my ($connections) = psql($pg, "SELECT count(*) FROM pg_stat_activity"
    . " WHERE application_name = 'nginx-init-gate'");
is($connections->[0], 1, scalar @checks . ' checks share one connection');

done_testing;
