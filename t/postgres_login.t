#!/usr/bin/perl

# The postgres check: login by password, file and socket; the reasons of
# failures; no password is revealed.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Postgres;

my $t = InitGate->new;
my $pg = $t->postgres(extra_postmaster_args => '-c max_connections=20'
    . ' -c superuser_reserved_connections=10 -c log_connections=on');
my $port = $pg->port;
my $secret = "it's \\a secret";

(my $quoted = $secret) =~ s/'/''/g;
psql($pg, "CREATE ROLE app LOGIN PASSWORD '$quoted';"
    . "CREATE ROLE old LOGIN; SET password_encryption = md5;"
    . "ALTER ROLE old PASSWORD 'old secret';"
    . 'CREATE ROLE guest LOGIN; CREATE ROLE crowd LOGIN CONNECTION LIMIT 1;'
    . 'CREATE ROLE nobody LOGIN;');
psql($pg, 'CREATE DATABASE private');
psql($pg, 'REVOKE CONNECT ON DATABASE private FROM PUBLIC');
hba($pg, <<'HBA');
host all app 127.0.0.1/32 scram-sha-256
host all old 127.0.0.1/32 md5
host all guest,crowd 127.0.0.1/32 trust
local all all peer
HBA

# readable only for the workers' user

my $uid = getpwnam 'www-data' // getpwnam 'nobody';

sub secret {
    my ($name, $text, $mode, $owner) = @_;

    my $path = $t->write($name, $text);
    chmod $mode, $path;
    chown $owner, -1, $path if defined $owner;

    return $path;
}

my $pwd = secret('password', "$secret\n", 0444);
secret('wrong', "wrong secret", 0444);
secret('empty', "\n", 0444);
secret('hidden', "$secret\n", 0400, 0);
(my $field = $secret) =~ s/([\\:])/\\$1/g;
secret('pgpass', "db.example:1:*:*:no\n127.0.0.1:$port:*:app:$field\n", 0400,
    $uid);
secret('pgpass_open', "*:*:*:*:$field\n", 0444);

(my $inline = $secret) =~ s/(['\\])/\\\\$1/g;
(my $uri = $secret) =~ s/([^\w])/sprintf '%%%02X', ord $1/ge;
my $socket = $pg->base_dir . '/tmp';

my $db = "host=127.0.0.1 port=$port dbname=test";

$t->run(main => 'user www-data;', http => <<"CONF");
    init_checks app {
        interval 50ms;
        backoff 100ms;
        check postgres "$db user=guest" name=trust;
        check postgres "$db user=app password='$inline'" name=inline;
        check postgres "postgresql://app:$uri\@127.0.0.1:$port/test"
              name=uri;
        check postgres "$db user=app" name=file password_file=%%DIR%%/password;
        check postgres "$db user=old password='old secret'" name=md5;
        check postgres "$db user=app" name=passfile
              passfile=%%DIR%%/pgpass;
        check postgres "$db user=app passfile=%%DIR%%/pgpass" name=passfile2;
        check postgres "host=$socket port=$port dbname=test user=www-data"
              name=peer;

        check postgres "$db user=app" name=wrong password_file=%%DIR%%/wrong;
        check postgres "$db user=app" name=none;
        check postgres "$db user=app" name=absent
              password_file=%%DIR%%/absent;
        check postgres "$db user=app" name=empty password_file=%%DIR%%/empty;
        check postgres "$db user=app" name=hidden
              password_file=%%DIR%%/hidden;
        check postgres "$db user=app" name=open passfile=%%DIR%%/pgpass_open;
        check postgres "$db user=app" name=no_passfile
              passfile=%%DIR%%/absent;
        check postgres "$db user=nobody" name=unlisted;
        check postgres "host=127.0.0.1 port=$port dbname=no user=guest"
              name=database;
        check postgres "host=127.0.0.1 port=$port dbname=private user=guest"
              name=private;
        check postgres "host=%%DIR%% port=$port dbname=test user=guest"
              name=no_socket;
    }
    init_checks crowd {
        interval 50ms;
        backoff 50ms;
        latch off;
        check postgres "$db user=crowd application_name=one" name=crowd;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

is_check($t, $_, 'passed') for qw(trust inline uri file md5 passfile
                                  passfile2);

is_check($t, 'wrong', 'error', 'auth',
    qr/^password authentication failed for user "app" \(28P01\)$/);
is_check($t, 'none', 'error', 'auth', qr/no password supplied/);
is_check($t, 'absent', 'error', 'no_secret', qr{/absent" failed \(2: No such});
is_check($t, 'empty', 'error', 'no_secret', qr/empty" is empty/);
is_check($t, 'hidden', 'error', 'no_secret', qr/\(13: Permission denied\)/);
is_check($t, 'open', 'error', 'no_secret',
    qr/pgpass_open" must not be readable by group or others/);
is_check($t, 'no_passfile', 'error', 'no_secret', qr/\(2: No such/);
is_check($t, 'unlisted', 'error', 'auth', qr/no pg_hba\.conf entry.*28000/);
is_check($t, 'database', 'waiting', 'no_database',
    qr/^database "no" does not exist \(3D000\)$/);
is_check($t, 'private', 'error', 'denied',
    qr/^permission denied for database "private" \(42501\)$/);
is_check($t, 'no_socket', 'error', 'refused', qr/No such file or directory/);
is_check($t, 'peer', 'error', 'auth', qr/role "www-data" does not exist/);

# a role is created, a secret is rotated, a secret file is created

psql($pg, 'CREATE ROLE "www-data" LOGIN');
is_check($t, 'peer', 'passed');

secret('wrong', "$secret\n", 0444);
is_check($t, 'wrong', 'passed');

secret('absent', "$secret\r\n", 0444);
is_check($t, 'absent', 'passed');

# a password file, too, is read at each connect

psql($pg, "ALTER ROLE app PASSWORD 'rotated secret'");
psql($pg, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    . " WHERE usename = 'app'");
is_check($t, 'passfile', 'error', 'auth', qr/\(28P01\)$/);
secret('pgpass', "127.0.0.1:$port:test:app:rotated secret\n", 0400, $uid);
is_check($t, $_, 'passed') for qw(passfile passfile2);

# connection limit: a session of another client takes the last connection

is_check($t, 'crowd', 'passed');

my $other;

$t->wait_for(sub {
    psql($pg, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        . " WHERE application_name = 'one'");
    $other //= eval { DBI->connect($pg->dsn(dbname => 'test')
        =~ s/user=\w+/user=crowd/r, '', '',
        { RaiseError => 1, PrintError => 0 }) };
}, 'the free connection');

is_check($t, 'crowd', 'error', 'too_many_connections',
    qr/^too many connections for role "crowd" \(53300\)$/);
$other->disconnect;
is_check($t, 'crowd', 'passed');

like(server_log($pg), qr/application_name=nginx-init-gate/,
    'application_name: default');
like(server_log($pg), qr/application_name=one/, 'application_name: configured');

# no password anywhere

my $status = $t->get('/init')->{content};
my $all = $t->log . $status . $t->get('/')->{content}
    . $t->get('/init', headers => { Accept => 'text/html' })->{content}
    . $t->read('said');

for my $word ($secret, $inline, $uri, 'a secret', 'old secret',
    'wrong secret', 'rotated secret')
{
    ok(index($all, $word) < 0, "\"$word\" is not to be read")
        or diag(grep { /\Q$word\E/ } split /^/, $all);
}

my @titles = map { $t->read("/proc/$_/cmdline") } $t->master, $t->workers;
unlike("@titles", qr/secret/, 'passwords: not in a process title');

done_testing;
