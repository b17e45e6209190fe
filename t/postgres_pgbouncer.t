#!/usr/bin/perl

# The postgres check through PgBouncer, where one server connection is shared
# by many clients, transaction by transaction.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Postgres;

my $t = InitGate->new(workers => 1);
my $pg = $t->postgres;
my $port = $pg->port;

psql($pg, <<'SQL');
CREATE SCHEMA a;
CREATE SCHEMA b;
CREATE TABLE a.here (i int);
CREATE TABLE b.there (i int);
CREATE TABLE schema_migrations (version bigint, dirty boolean);
INSERT INTO schema_migrations VALUES (42, false);
CREATE TABLE locked (i int);
SQL

# it does not run as root

my $dir = $t->server_dir('pgbouncer');
my $listen = $t->port('pgbouncer');

$t->write("$dir/users", qq("postgres" "pool"\n"app" "right"\n));
$t->write("$dir/ini", <<"INI");
[databases]
test = host=127.0.0.1 port=$port
gone = host=127.0.0.1 port=1
none = host=127.0.0.1 port=$port dbname=none
session = host=127.0.0.1 port=$port dbname=test pool_mode=session
statement = host=127.0.0.1 port=$port dbname=test pool_mode=statement
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $listen
unix_socket_dir =
auth_type = md5
auth_file = $dir/users
pool_mode = transaction
default_pool_size = 1
server_login_retry = 1
query_wait_timeout = 1
logfile = $dir/log
pidfile = $dir/pid
INI

chmod 0777, $dir;

my $bouncer = fork // die "fork: $!";

if (!$bouncer) {
    open STDERR, '>', '/dev/null';
    exec 'pgbouncer', ($> ? () : ('-u', 'nobody')), "$dir/ini"
        or POSIX::_exit(1);
}

END { kill 'KILL', $bouncer if $bouncer }

$t->wait_for(sub { $t->read("$dir/log") =~ /listening on/ }, 'PgBouncer');

sub db {
    return "host=127.0.0.1 port=$listen user=postgres password=pool dbname="
        . shift;
}

$t->run(http => <<"CONF");
    init_checks app {
        interval 50ms;
        backoff 50ms;
        timeout 2s;

        check file %%DIR%%/never name=never;

        check postgres "@{[db('test')]}" name=plain;
        check postgres "@{[db('test')]}" name=a schema=a tables=here;
        check postgres "@{[db('test')]}" name=b schema=b tables=there;
        check postgres "@{[db('test')]} application_name=c" name=c
                       schema=b tables=here;
        check postgres "@{[db('test')]} application_name=d" name=d
                       migrations=golang-migrate version=42;
        check postgres "@{[db('test')]} application_name=e" name=locked
                       rows=locked:1 timeout=1s;
        check postgres "@{[db('test')]} application_name=f" name=writes
                       "query=DELETE FROM locked RETURNING 1";
        check postgres "@{[db('test')]} target_session_attrs=primary"
                       name=primary;
        check postgres "@{[db('test')]} target_session_attrs=standby"
                       name=standby;
        check postgres "@{[db('session')]}" name=session schema=a tables=here;
        check postgres "@{[db('statement')]}" name=statement schema=a
                       tables=here;

        check postgres "@{[db('gone')]}" name=gone;
        check postgres "@{[db('none')]}" name=none;
        check postgres "@{[db('unknown')]}" name=unknown;
        check postgres "host=127.0.0.1 port=$listen user=app password=mistaken
                        dbname=test" name=wrong;
        check postgres "host=127.0.0.1 port=$listen user=nobody dbname=test
                        password=pool"
                       name=nobody;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

is_check($t, $_, 'passed') for qw(plain a b d primary session statement);

is_check($t, 'c', 'waiting', 'missing', qr/^missing tables: here$/);
is_check($t, 'writes', 'error', 'query', qr/read-only transaction/);
is_check($t, 'standby', 'error', 'other_role');
is_check($t, 'gone', 'error', 'unreachable');
is_check($t, 'none', 'waiting', 'no_database', qr/08P01|3D000/);
is_check($t, 'unknown', 'waiting', 'no_database');
is_check($t, 'wrong', 'error', 'auth');
is_check($t, 'nobody', 'error', 'auth');

# settings of a check end with its transaction

my $dbh = DBI->connect("dbi:Pg:host=127.0.0.1;port=$listen;dbname=test",
    'postgres', 'pool', { RaiseError => 1, pg_server_prepare => 0 });

for (1 .. 20) {
    my ($pid, $readonly, $timeout, $lock, $path) = $dbh->selectrow_array(
        "SELECT pg_backend_pid(), current_setting('transaction_read_only'),"
        . " current_setting('statement_timeout'),"
        . " current_setting('lock_timeout'), current_setting('search_path')");

    is("$readonly $timeout $lock $path", 'off 0 0 "$user", public',
        'shared connection: no settings remain');
    last if $readonly ne 'off';
    select undef, undef, undef, 0.05;
}

# the wait for a lock is limited

$dbh->disconnect;

my $holder = DBI->connect($pg->dsn(dbname => 'test'), '', '',
    { RaiseError => 1, AutoCommit => 0 });
$holder->do('LOCK TABLE locked IN ACCESS EXCLUSIVE MODE');
is_check($t, 'locked', 'running', 'locked', qr/lock timeout.*\(55P03\)/);
$holder->rollback;
is_check($t, 'locked', 'waiting', 'too_few');
$holder->disconnect;

# PgBouncer is stopped and started

is_check($t, 'plain', 'passed');
kill 'KILL', $bouncer;
waitpid $bouncer, 0;
is_check($t, 'plain', 'error', 'refused');
undef $bouncer;

done_testing;
