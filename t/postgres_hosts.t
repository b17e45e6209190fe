#!/usr/bin/perl

# The postgres check with several hosts: names, addresses, roles, and the choice
# among them.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::DNS;
use InitGate::Fake;
use InitGate::Postgres;
use IO::Socket::IP;

my $t = InitGate->new(workers => 1);
my $primary = $t->postgres;
my $standby = standby($t, $primary);

my ($p, $s) = ($primary->port, $standby->port);
my $gone = $t->port('gone');

psql($primary, 'CREATE ROLE readonly LOGIN');
psql($primary, 'ALTER ROLE readonly SET default_transaction_read_only = on');
psql($primary, 'CREATE TABLE schema_migrations (version bigint, dirty bool);'
    . 'INSERT INTO schema_migrations VALUES (42, true)');

sub stop {
    my ($server) = @_;

    $server->stop;
    @{$t->{running}} = grep { $_ != $server } @{$t->{running}};
}

my $blackhole = InitGate::Fake->blackhole->port;

# names are distinguished by their addresses

my $dns = InitGate::DNS->new(sub {
    my ($name, $type, $word) = @_;

    return $word eq 'later' && $type eq 'A' ? ['127.0.0.1'] : 'NXDOMAIN'
        if $name eq 'later.example';

    return if $name eq 'silent.example';
    return [] if $type ne 'A';

    return $name eq 'db.example' ? ['127.0.0.1']
        : $name =~ /^two\d\.example$/ ? ['127.1.2.3', '127.0.0.1']
        : 'NXDOMAIN';
});
my $port = $dns->port;

my $to = 'user=postgres dbname=test';

# whichever address comes first

my @two = map { "two$_" } 1 .. 6;
my $two = join "\n", map {
    qq{check postgres "host=$_.example port=$p $to" name=$_;} } @two;

my $three = "host=127.0.0.1,127.0.0.1,127.0.0.1 port=$gone,$p,$s $to";

$t->run(http => <<"CONF");
    init_checks app {
        resolver 127.0.0.1:$port;
        interval 300ms;
        backoff 300ms;
        timeout 3s;

        check file %%DIR%%/never name=never;

        check postgres "host=db.example port=$p $to" name=name;
        $two
        check postgres "host=localhost port=$p $to" name=localhost;
        check postgres "host=elsewhere.example hostaddr=127.0.0.1 port=$p $to"
                       name=address;
        check postgres "host=no.example,db.example port=$p $to" name=no_name;
        check postgres "host=127.0.0.1,127.0.0.1 port=1,$p $to" name=refused;
        check postgres "postgresql://postgres\@127.0.0.1:1,db.example:$p/test"
                       name=uri;
        check postgres "host=127.0.0.1,127.0.0.1 port=$blackhole,$p $to"
                       name=blackhole;
        check postgres "host=silent.example,db.example port=$p $to"
                       name=silent timeout=1s;

        check postgres "host=127.0.0.1,127.0.0.1 port=$s,$p $to
                        target_session_attrs=primary" name=primary;
        check postgres "host=127.0.0.1,127.0.0.1 port=$s,$p $to
                        target_session_attrs=read-write" name=read_write;
        check postgres "host=127.0.0.1 port=$p dbname=test user=postgres"
                       name=migrate_primary migrations=golang-migrate
                       version=42;
        check postgres "host=127.0.0.1 port=$s dbname=test user=postgres"
                       name=migrate_standby migrations=golang-migrate
                       version=42;
        check postgres "host=127.0.0.1,127.0.0.1 port=$p,$s $to
                        target_session_attrs=standby" name=standby keepalive
                        "query=SELECT pg_is_in_recovery()";
        check postgres "host=127.0.0.1,127.0.0.1 port=$p,$s $to
                        target_session_attrs=read-only" name=read_only
                        "query=SELECT pg_is_in_recovery()";
        check postgres "host=127.0.0.1 port=$p user=readonly dbname=test
                        target_session_attrs=read-only" name=read_only_role;
        check postgres "host=127.0.0.1 port=$p user=readonly dbname=test
                        target_session_attrs=read-write" name=not_writable;
        check postgres "host=127.0.0.1,127.0.0.1 port=$p,$s $to
                        target_session_attrs=prefer-standby" name=prefer
                        "query=SELECT pg_is_in_recovery()";
        check postgres "host=127.0.0.1,127.0.0.1 port=1,$p $to
                        target_session_attrs=prefer-standby" name=fallback
                        "query=SELECT NOT pg_is_in_recovery()";
        check postgres "host=127.0.0.1 port=$s $to
                        target_session_attrs=primary" name=no_primary;
        check postgres "host=127.0.0.1,127.0.0.1 port=$p,1 $to
                        target_session_attrs=standby" name=no_standby;

        check postgres "$three target_session_attrs=any" name=any3
                       "query=SELECT NOT pg_is_in_recovery()";
        check postgres "$three target_session_attrs=primary" name=primary3
                       "query=SELECT NOT pg_is_in_recovery()";
        check postgres "$three target_session_attrs=read-write"
                       name=read_write3
                       "query=SELECT NOT pg_is_in_recovery()";
        check postgres "$three target_session_attrs=standby" name=standby3
                       "query=SELECT pg_is_in_recovery()";
        check postgres "$three target_session_attrs=read-only" name=read_only3
                       "query=SELECT pg_is_in_recovery()";
        check postgres "$three target_session_attrs=prefer-standby"
                       name=prefer3 "query=SELECT pg_is_in_recovery()";

        check postgres "host=no.example port=$p $to" name=unknown;
        check postgres "host=silent.example port=$p $to" name=no_answer
                       timeout=1s;
        check postgres "host=later.example port=$p $to" name=later;
        check postgres "host=127.0.0.1,127.0.0.1 port=$p,$s user=nobody
                        dbname=test" name=stranger;
        check postgres "host=127.0.0.1,127.0.0.1 port=1,1 $to" name=none;
        check postgres "host=::1 port=1 $to" name=six;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

is_check($t, $_, 'passed') for @two, qw(name localhost address no_name refused
    uri blackhole silent primary read_write standby read_only read_only_role
    prefer fallback any3 primary3 read_write3 standby3 read_only3 prefer3);

my ($failures) = $t->get('/init?format=prometheus')->{content}
    =~ /((?:^nginx_init_gate_check_failures_total\{.*\n)+)/m;
is(join('', grep { !/reason="dns"/ }
    $failures =~ /^.*check="two\d".* [1-9]\d*$/mg), '',
    'two addresses: both tried, in either order');
like($failures, qr/check="no_primary".* [1-9]/, 'no suitable host: failures counted');

is_check($t, 'no_primary', 'error', 'other_role',
    qr/^the server is a standby$/);
is_check($t, 'no_standby', 'error', 'other_role',
    qr/^"127\.0\.0\.1:$p": the server is a primary$/);
is_check($t, 'not_writable', 'error', 'other_role',
    qr/^the server is a primary, read-only$/);
is_check($t, 'unknown', 'error', 'dns', qr/^cannot resolve "no\.example": /);
is_check($t, 'no_answer', 'error', 'timeout', qr/resolving the name of/);
is_check($t, 'none', 'error', 'refused',
    qr/^"127\.0\.0\.1:1": Connection refused$/);
SKIP: {
    skip 'no ::1', 1
        if !IO::Socket::IP->new(LocalHost => '::1', Proto => 'udp');
    is_check($t, 'six', 'error', 'refused',
        qr/^"\[::1\]:1": Connection refused$/);
}
is_check($t, 'stranger', 'error', 'auth',
    qr/^"127\.0\.0\.1:$p": role "nobody" does not exist \(28000\)$/);
is_check($t, 'later', 'error', 'dns');

$dns->set('later');
is_check($t, 'later', 'passed');

# a migration that has not ended: the lock is not seen on a standby

is_check($t, 'migrate_primary', 'failed', 'dirty');
is_check($t, 'migrate_standby', 'running', 'in_progress');

# a failover, also behind a connection that is kept

is_check($t, 'standby', 'passed');
stop($primary);
psql($standby, 'SELECT pg_promote()');
is_check($t, 'no_primary', 'passed');
is_check($t, 'standby', 'error', 'other_role',
    qr/^"127\.0\.0\.1:$s": the server is a primary$/);
is_check($t, 'prefer', 'waiting', 'mismatch');

# the only running one of three hosts is a primary now

is_check($t, $_, 'passed') for qw(any3 primary3 read_write3);
is_check($t, $_, 'error', 'other_role',
    qr/^"127\.0\.0\.1:$s": the server is a primary$/)
    for qw(standby3 read_only3);
is_check($t, 'prefer3', 'waiting', 'mismatch');

# no host is running; then a new one at an address that was unused

my $third = standby($t, $standby, 'gone');
is_check($t, $_, 'passed') for qw(standby3 read_only3);

stop($standby);
is_check($t, 'primary3', 'error', 'other_role',
    qr/^"127\.0\.0\.1:$gone": the server is a standby$/);
is_check($t, 'prefer3', 'passed');
psql($third, 'SELECT pg_promote()');
is_check($t, $_, 'passed') for qw(any3 primary3 read_write3);

done_testing;
