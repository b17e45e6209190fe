#!/usr/bin/perl

# The postgres check: notifications of a channel make a probe due ("listen").
# The interval of the checks is an hour.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::MonotonicClock;
use InitGate::Postgres;

my $t = InitGate->new(workers => 1);
my $pg = $t->postgres;
my $port = $pg->port;

psql($pg, 'CREATE DATABASE app');

psql($pg, <<'SQL', 'app');
    CREATE TABLE items (i int);
    CREATE TABLE schema_migrations (version bigint, dirty boolean);
SQL

my $db = "host=127.0.0.1 port=$port user=postgres dbname=app";

$t->conf(http => <<"CONF");
    init_checks app {
        interval 1h;
        timeout 1m;
        check file %%DIR%%/marker name=marker interval=50ms;
        check postgres "$db" name=items  listen=changes  rows=items:2;
        check postgres "$db" name=table  listen=changes  tables=later;
        check postgres "$db" name=schema listen=versions
                       migrations=golang-migrate version=2;
        check postgres "$db" name=word   listen=table
                       "query=SELECT count(*) FROM items" min=10;
    }
    init_checks other {
        interval 1h;
        check file %%DIR%%/never name=never;
        check postgres "$db" name=beside tables=never;
    }
    server {
        location /app { init_gate app; }
        location /other { init_gate other; }
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

my $clock = InitGate::MonotonicClock::is_available()
    && InitGate::MonotonicClock->new($t);

($clock || $t)->run;

my @names = qw(items table schema word);
my %attempts;

sub backends {
    return map { $_->[0] } psql($pg, "SELECT pid FROM pg_stat_activity"
        . " WHERE application_name = 'nginx-init-gate'");
}

sub attempts { $t->check($_[0])->{attempts} // 0 }

sub count { $attempts{$_} = attempts($_) for @names }

sub probed_again {
    my ($what, @these) = @_;

    $t->wait_for(sub { !grep { attempts($_) <= $attempts{$_} } @these },
        "$what: probes") or return;
    pass("$what: probed");
}

# the number of probes is 1, unless the session has just been renewed

sub renewed { 2 * int((time - $^T) / 29) }

settles($t, 'items', 'waiting too_few');
settles($t, 'table', 'waiting missing');
settles($t, 'schema', 'waiting uninitialized');
settles($t, 'word', 'waiting too_few');
settles($t, 'beside', 'waiting missing');

cmp_ok(attempts($_), '<=', 1 + renewed(), "$_: one probe") for @names;
is(backends(), 1, 'five checks of two gates: one session');

# a change without a notification

psql($pg, 'INSERT INTO items VALUES (1)', 'app');

# a notification: all checks of its channel, and no others

my $begun = $t->clock;
count();
psql($pg, 'NOTIFY versions', 'app');
probed_again('versions', 'schema');

count();
psql($pg, 'NOTIFY changes', 'app');
probed_again('changes', qw(items table));
settles($t, 'items', 'waiting too_few', qr/^1 rows/);

is(attempts('beside'), 1, 'no channel: not probed');
cmp_ok(attempts('word'), '<=', 1 + renewed(), 'another channel: not probed');

count();
psql($pg, 'NOTIFY "table"', 'app');
probed_again('a keyword as the channel', 'word');

count();
psql($pg, 'NOTIFY changes', 'test');
psql($pg, 'NOTIFY others', 'app');
cmp_ok(attempts('items'), '<=', $attempts{items} + renewed(),
    'another database, another channel: not probed');

# a notification with the change, in one transaction

psql($pg, 'BEGIN; INSERT INTO items VALUES (2); NOTIFY changes; COMMIT', 'app');
settles($t, 'items', 'passed');

psql($pg, 'BEGIN; TRUNCATE items; NOTIFY changes; COMMIT', 'app');
settles($t, 'items', 'waiting too_few');

# without notifications, each would be noticed when the session is renewed

cmp_ok($begun->seconds, '<', patience(25), 'five notifications: at once');

# many of them: each probe is at least 10 ms after the last one

count();
my $start = $t->clock;
psql($pg, "SELECT pg_notify('changes', i::text || repeat('x', 7000))"
    . ' FROM generate_series(1, 500) i', 'app') for 1 .. 3;
probed_again('3.5 MB of notifications', qw(items table));
settles($t, 'items', 'waiting too_few');
cmp_ok(attempts('items') - $attempts{items}, '<=',
    2 + $start->elapsed * 100, 'many notifications: few probes');
is($t->log_count(qr/not received/), 0, 'many notifications: still listening');

# the session is lost: probed at once, and listening again

my ($pid) = backends();
count();
psql($pg, "SELECT pg_terminate_backend($pid)");
probed_again('a lost session', @names);
settles($t, $_, qr/^waiting/) for @names;
isnt((backends())[0], $pid, 'a lost session: another one');
is(backends(), 1, 'a lost session: one');

count();
psql($pg, 'INSERT INTO items VALUES (1); NOTIFY changes', 'app');
settles($t, 'items', 'waiting too_few', qr/^1 rows/);

# the server is stopped and started: the checks are probed within seconds

$pg->stop;
settles($t, $_, 'error refused') for @names;
$pg->start;
psql($pg, 'INSERT INTO items VALUES (2)', 'app');
settles($t, 'items', 'passed');
settles($t, 'table', 'waiting missing');

psql($pg, 'CREATE TABLE later (i int); NOTIFY changes', 'app');
settles($t, 'table', 'passed');
is(attempts('beside'), 1, 'no channel: not probed');

# the database cannot be dropped

is(eval { psql($pg, 'DROP DATABASE app'); 1 }, undef,
    'with a session: DROP DATABASE is refused');

# after 30 seconds

SKIP: {
    skip 'no clock that can be put forward', 3 if !$clock;

    settles($t, 'schema', 'waiting uninitialized');
    ($pid) = backends();
    count();
    $clock->forward(31);
    probed_again('31 seconds later', @names);
    $t->wait_for(sub { my @pids = backends();
        @pids == 1 && $pids[0] != $pid }, 'another session');
    isnt((backends())[0], $pid, '31 seconds later: another session');
}

psql($pg, 'INSERT INTO schema_migrations VALUES (2, false); NOTIFY versions',
    'app');
settles($t, 'schema', 'passed');

# the gate opens: the session ends, although another gate uses the connection

psql($pg, 'INSERT INTO items SELECT generate_series(3, 10); NOTIFY "table"',
    'app');
settles($t, 'word', 'passed');
is(backends(), 1, 'the gate is closed: one session');
$t->write('marker');
$t->wait_ready('app');
$t->wait_for(sub { !backends() }, 'the session to end');
is($t->check('beside')->{verdict}, 'waiting', 'another gate: still probed');
is(eval { psql($pg, 'DROP DATABASE app'); 1 }, 1, 'the gate is open: dropped');

done_testing;
