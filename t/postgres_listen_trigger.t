#!/usr/bin/perl

# The triggers in docs/checks/postgres.md, as they are written there, created
# by the owner of the tables.  The interval of the checks is an hour.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Postgres;

my $t = InitGate->new(workers => 1);
my $pg = $t->postgres;

my $page = do { local (@ARGV, $/) = "$FindBin::Bin/../docs/checks/postgres.md";
    scalar <> };
my @sql = $page =~ /^```sql\n(.*?)^```$/msg;

is(@sql, 4, 'four blocks of SQL');
is($sql[0] =~ tr/\n//, 5, 'the trigger: five lines');

# the owner is no superuser; the tables are those of the tools

psql($pg, 'CREATE ROLE owner LOGIN; CREATE SCHEMA AUTHORIZATION owner');
hba($pg, 'host all owner 127.0.0.1/32 trust');

my $owner = DBI->connect($pg->dsn(dbname => 'test', user => 'owner'), '', '',
    { RaiseError => 1, PrintWarn => 0 });

$owner->do($_) for 'CREATE TABLE products (i int)',
    'CREATE TABLE schema_migrations (version bigint, dirty boolean)',
    'CREATE TABLE flyway_schema_history (installed_rank int,'
        . ' version varchar(50), description varchar(200), type varchar(20),'
        . ' script varchar(1000), checksum int, installed_by varchar(100),'
        . ' installed_on timestamp DEFAULT now(), execution_time int,'
        . ' success boolean)',
    'CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)';

for my $sql (@sql) {
    is(eval { $owner->do($sql); 1 }, 1, 'created by the owner') or diag $@;
}

my $db = "host=127.0.0.1 port=@{[$pg->port]} dbname=test user=owner";

$t->run(http => <<"CONF");
    init_checks app {
        interval 1h;
        timeout 1m;
        check file %%DIR%%/never name=never;
        check postgres "$db" name=rows    rows=products:3    listen=init_gate;
        check postgres "$db" name=migrate listen=init_gate
                       migrations=golang-migrate version=2;
        check postgres "$db" name=flyway  listen=init_gate
                       migrations=flyway version=1.1;
        check postgres "$db" name=alembic listen=init_gate
                       migrations=alembic version=b27c;
    }
    server {
        location / { init_gate app; }
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

# each statement that the trigger names

settles($t, 'rows', 'waiting too_few', qr/^0 rows/);
my $clock = $t->clock;
$owner->do('INSERT INTO products VALUES (1), (2), (3)');
settles($t, 'rows', 'passed');
$owner->do('DELETE FROM products WHERE i > 1');
settles($t, 'rows', 'waiting too_few', qr/^1 rows/);
$owner->do('TRUNCATE products');
settles($t, 'rows', 'waiting too_few', qr/^0 rows/);

# the statements of the tools

sub transaction {
    $owner->begin_work;
    $owner->do($_) for @_;
    $owner->commit;
}

settles($t, $_, qr/^waiting/) for qw(migrate flyway alembic);

for my $version (1, 2) {
    transaction('TRUNCATE schema_migrations',
        "INSERT INTO schema_migrations VALUES ($version, true)");
    settles($t, 'migrate', 'failed dirty');
    transaction('TRUNCATE schema_migrations',
        "INSERT INTO schema_migrations VALUES ($version, false)");
    settles($t, 'migrate', $version == 1 ? 'waiting behind' : 'passed');
}

for my $rank (1, 2) {
    $owner->do('INSERT INTO flyway_schema_history VALUES'
        . " ($rank, '1.@{[$rank - 1]}', 'x', 'SQL', 'x', 1, 'owner', now(), 1,"
        . ' true)');
    settles($t, 'flyway', $rank == 1 ? 'waiting behind' : 'passed');
}

$owner->do("INSERT INTO alembic_version VALUES ('ae10')");
settles($t, 'alembic', 'waiting other_revision');
$owner->do("UPDATE alembic_version SET version_num = 'b27c'"
    . " WHERE version_num = 'ae10'");
settles($t, 'alembic', 'passed');

# without notifications, each change is noticed when the session is renewed

cmp_ok($clock->seconds, '<', patience(25), 'fourteen changes: at once');

$owner->disconnect;

done_testing;
