#!/usr/bin/perl

# The postgres check: errors of "nginx -t", which never contain a password.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new;

$t->write('password', "hunter2\n");

my $db = 'host=127.0.0.1 dbname=test';


sub conf {
    my ($target, $params, %args) = @_;

    return $t->conf_error(<<"CONF");
    init_checks app {
        check postgres "$target" name=db $params;
    }
    server { listen 127.0.0.1:%%PORT_8080%%; }
CONF
}


sub good {
    my ($target, $params, $what) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($status, $said) = conf($target, $params);
    is($status, 0, $what // "$target $params") or diag($said);
}


sub bad {
    my ($target, $params, $error) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($status, $said) = conf($target, $params);

    isnt($status, 0, "refused: $target $params");
    like($said, $error, 'says why');
    like($said, qr/in check "db" of type "postgres" in .*nginx\.conf:\d+/,
        'message: place in the configuration');
    unlike($said, qr/hunter2|ter2/, 'message: no password');
}


# connection strings

good($db, '');
good("postgresql://app:hunter2\@db.example:5433/app?sslmode=require", '');
good('postgres:///app?host=/run/postgresql', '');
good("host=a,b,/tmp port=1,2,3 target_session_attrs=primary", '');
good('hostaddr=127.0.0.1,::1 host=a,b port=5432', '');
good('host=never.resolves.example connect_timeout=10', '');
good("host=a password='hunter2 and more' user=app", '');
good('', '', 'all defaults');
good('host=@abstract dbname=a client_encoding=utf-8', '');

bad('app', '', qr/it must be "keyword=value \.\.\."/);
bad('host=a hosst=b', '', qr/invalid connection option "hosst"/);
bad("host=a password=hunter2 more", '', qr/invalid connection string: it must be/);
bad("host=a password='hunter2", '', qr/unterminated quoted string/);
bad('postgresql://app:hun%zzter2@a/b', '', qr/invalid percent-encoded/);
bad('postgresql://app:hunter2@a:b:c/d?hosst=x', '', qr/invalid/);
bad('postgresql://app:hunter2@[::1/d', '', qr/invalid connection string/);
bad('postgresql://app:hunter2/x@a/b', '', qr/invalid port "\.\.\."/);
bad('host=a password=hunter2 sslmode=maybe', '', qr/invalid sslmode value: \.{3}/);
bad('host=a port=0', '', qr/invalid port "0"/);
bad('host=a port=70000', '', qr/invalid port "70000"/);
bad('host=a,b port=1,2,3', '', qr/3 ports do not match 2 hosts/);
bad('host=a,b hostaddr=127.0.0.1', '', qr/2 hosts do not match 1 addr/);
bad('hostaddr=db.example', '', qr/invalid address "db\.example"/);
bad('sslmode=maybe', '', qr/invalid sslmode value: "maybe"/);
bad('gssencmode=prefer', '', qr/Kerberos is not supported: "gssencmode"/);
good('gssencmode=disable', '');
bad('ssl_min_protocol_version=SSLv3', '', qr/ssl_min_protocol_version/);
bad('target_session_attrs=master', '',
    qr/"master", allowed are "any", "read-write"/);
bad('service=app', '', qr/"service" is not supported/);
bad('dbname=a replication=true', '', qr/"replication" is not supported/);
bad('client_encoding=SJIS', '', qr/"client_encoding" must be "UTF8"/);

# connection strings of other drivers and frameworks

good($_, '') for 'postgresql+psycopg2://app:hunter2@db/app',
    'postgres+asyncpg://app@db/app?ssl=require',
    'jdbc:postgresql://db:5433/app?user=app&password=hunter2&ssl=true'
        . '&currentSchema=a,b&ApplicationName=x&prepareThreshold=0',
    'postgresql://app:hunter2@db/app?schema=public&connection_limit=5'
        . '&pool_timeout=10&pgbouncer=true&sslmode=require',
    'postgres://app@db/app?sslmode=disable&x-migrations-table=m'
        . '&pool_max_conns=10&search_path=a',
    'pgx5://app@db/app?', 'postgresql://app@db/app?&sslmode=require&';

bad('postgresql://app:hunter2@db/app?hosst=x', '',
    qr/invalid connection string: unknown parameter "hosst"/);
bad('postgresql://db/app?password=hunter2&hosst=x', '',
    qr/invalid connection string: unknown parameter "\.\.\."/);
bad('postgresql://app:hun?ter2@db/app', '', qr/invalid|unknown/);
bad('jdbc:mysql://app:hunter2@db/app', '',
    qr/unknown scheme "jdbc:mysql" of the connection string, must be "post/);
bad('postgresql://app:hunter2@db/app?ssl=maybe', '',
    qr/invalid sslmode value/);

# migrations

good($db, 'migrations=rails settle=1m');
good($db, q(migrations=rails version=1 'table=public."My Table"'));
bad($db, 'table=a', qr/"table" without "migrations"/);
bad($db, 'migrations=rails version=1 table=a,b', qr/"table" takes one table/);
bad($db, 'migrations=rails version=1 table=a-b', qr/"table" is not a list/);
bad($db, 'settle=1m', qr/"settle" without "migrations"/);
bad($db, 'migrations=rails version=1 settle=1m',
    qr/"settle" and "version" exclude each other/);

like((conf($db, 'migrations=rails'))[1],
    qr/\[warn\] .*"migrations" without "version" passes when rails has applied any migration and its table has not changed for 5000ms, in check "db" of type "postgres" in init_checks "app" in .*nginx\.conf:\d+/,
    'without a version: warning');
unlike((conf($db, 'migrations=rails version=1'))[1], qr/without "version"/,
    'with a version: no warning');

# secrets

good($db, 'password_file=%%DIR%%/password');
good($db, 'password_file=/not/there/yet',
    'password file that does not exist yet');
good($db, 'passfile=/not/there/yet');
good("$db passfile=/not/there/yet", '');
bad("$db password=hunter2", 'password_file=a', qr/only one of/);
bad("$db password=hunter2", 'passfile=a', qr/only one of/);
bad($db, 'passfile=a password_file=b', qr/only one of/);
bad("$db passfile=a", 'passfile=b', qr/"passfile" is given in the/);

# conditions

good($db, 'tables=a');
good($db, 'tables=a,s.b,Größe,_x$1');
good($db, q('tables="A b","s,t"."x""y"'));
bad($db, 'tables=', qr/tables/);
bad($db, 'tables=a,', qr/"tables" is not a list of names as in SQL: "a,"/);
bad($db, 'tables=a,,b', qr/not a list of names/);
bad($db, 'tables=a.b.c', qr/not a list of names/);
bad($db, 'tables=1a', qr/not a list of names/);
bad($db, 'tables=a-b', qr/not a list of names/);
bad($db, 'tables="a', qr/not a list of names/);
bad($db, q('tables=a";DROP TABLE b'), qr/not a list of names/);
bad($db, q('tables=""'), qr/not a list of names/);
bad($db, 'tables=' . 'a' x 64, qr/not a list of names/);
bad($db, 'tables=' . join(',', map "t$_", 1 .. 300), qr/"tables" has more than 248 names/);
bad($db, 'tables=a tables=b', qr/tables/);

good($db, 'schema=a,B tables=t');
bad($db, 'schema=a.b tables=t', qr/"schema" is not a list of names as in SQL: "a\.b"/);
bad($db, 'schema=a', qr/"schema" without "tables", "rows"/);

good($db, 'rows=a:1');
good($db, q('rows="a:b":10'));
bad($db, 'rows=a', qr/"rows", must be a table and a number, as in/);
bad($db, 'rows=a:', qr/a table and a number/);
bad($db, 'rows=a:0', qr/a table and a number/);
bad($db, 'rows=a:-1', qr/a table and a number/);
bad($db, 'rows=a:99999999999999999999', qr/a table and a number/);
bad($db, 'rows=:5', qr/a table and a number/);
bad($db, 'rows=a,b:5', qr/"rows" takes one table/);

good($db, q("query=SELECT count(*) FROM a WHERE b = 'c;d'" min=5));
good($db, q("query=SELECT 1" expect=1));
bad($db, 'expect=1', qr/"expect" without "query"/);
bad($db, 'min=1', qr/"min" without "query"/);
bad($db, q("query=SELECT 1" expect=1 min=1),
    qr/"expect" and "min" exclude each other/);
bad($db, q(rows=a:5 "query=SELECT 1" min=1),
    qr/"rows" and "min" exclude each other/);
bad($db, q("query=SELECT 1" min=0), qr/min/);
bad($db, 'key=a', qr/unknown parameter "key", allowed are .*migrations=/);

# notifications

good($db, "tables=a listen=$_") for 'changes', '_a1', 'a' x 63, 'select';
good($db, $_) for 'rows=a:1 listen=c', 'migrations=rails version=1 listen=c',
    q("query=SELECT 1" listen=c keepalive), q(tables=a "listen=c");
good("$db target_session_attrs=prefer-standby", 'tables=a listen=c');

my $name = qr/invalid value ".*" of parameter "listen", must be a name of at most 63 lower-case letters, digits and "_", not beginning with a digit/;

bad($db, "tables=a $_", $name) for 'listen=' . 'a' x 64, 'listen=Changes',
    'listen=1a', 'listen=a-b', 'listen=a.b', 'listen=größe', 'listen=a$b',
    q('listen=a"b'), q("listen=a b"), q("listen=a\\;"), 'listen=a:1',
    "listen=it's";
bad($db, 'tables=a listen=', qr/"listen"/);
bad($db, 'tables=a listen', qr/"listen"/);
bad($db, 'tables=a listen=""', qr/listen/);
bad($db, 'tables=a listen="changes"',
    qr/write "listen=changes", not listen="changes"/);
bad($db, 'tables=a listen=a listen=b', qr/listen/);
bad($db, $_, qr/"listen" without "tables", "rows", "migrations" or "query"/)
    for 'listen=c', 'listen=c keepalive';
bad("$db target_session_attrs=standby", 'tables=a listen=c',
    qr/"listen" and "target_session_attrs=standby" exclude each other/);

# migrations

my @all = qw(golang-migrate goose flyway liquibase alembic django rails dbmate
             ecto prisma sqlx efcore knex typeorm laravel db-migrate sequelize
             node-pg-migrate kysely mikroorm doctrine phinx drizzle diesel
             atlas);

good($db, "migrations=$_") for @all;

my ($status, $said) = conf($db, 'migrations=sequelise');
isnt($status, 0, 'unknown tool: refused');
is_deeply([$said =~ /known are (.*) in check/
    && [$1 =~ /"(.*?)"/g]]->[0], \@all,
        'unknown tool: all tools in the message');

bad($db, 'version=1', qr/"version" without "migrations"/);
bad($db, 'migrations=goose exact', qr/"exact" without "version"/);
bad($db, 'exact', qr/"exact" without "version"/);

my %good = (
    'golang-migrate' => [1, 42, 20240131120000],
    goose => [42], sqlx => [20240131120000], ecto => [20240131120000],
    flyway => [1, '1.10', '1_2_3', '2024.01.31'],
    liquibase => ['v1.2', 'changelog-7', 'any:text'],
    alembic => ['1975ea83b712', '1975ea83b712,ae1027a6acf8', 'my_rev-1',
                'headstrong'],
    django => ['shop.0001_initial', 'a.b,c.d', 'a.b.c'],
    rails => [20240131120000], dbmate => ['001', 20240131120000],
    diesel => ['2024-01-31-120000', '00000000000000'],
    prisma => ['20240131120000_init'],
    efcore => ['20240131120000', '20240131120000_Init'],
    knex => ['20240131120000_init.js'], typeorm => ['Init1706702400000'],
    atlas => ['20240131120000', 'v1.2'],
);

my %bad = (
    'golang-migrate' => ['v1', '-1', '1.2', '9' x 19], goose => ['latest'],
    sqlx => ['0x1'], ecto => ['1a'],
    flyway => ['V1', '1.', '.1', '1..2', '1-2'],
    alembic => ['head@', 'a,', ',a', 'a,,b', '+1', 'a:b', 'heads',
                'a,head', 'base', 'current'],
    django => ['shop', '0001_initial', '.a', 'a.', 'a.b,c', 'a.b,'],
    rails => ['2024_01'], dbmate => ['001_init'], diesel => ['init', '-'],
    efcore => ['Init', '2024', '20240131120000_', '20240131120000Init'],
);

for my $tool (sort keys %good) {
    good($db, "migrations=$tool version=$_") for @{$good{$tool}};
}

for my $tool (sort keys %bad) {
    bad($db, "migrations=$tool version=$_",
        qr/invalid version "\Q$_\E" of "$tool", must be/)
        for @{$bad{$tool}};
}

done_testing;
