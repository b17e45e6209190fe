#!/usr/bin/perl

# The connection of postgres checks: shared by all checks of a database, kept
# between probes with "keepalive", closed when no check needs it; a slow query
# of one check does not delay others.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Postgres;

my $t = InitGate->new(workers => 2);
my $pg = $t->postgres;
my $port = $pg->port;

psql($pg, 'CREATE ROLE other LOGIN; CREATE TABLE here (i int);'
    . 'CREATE TABLE locked (i int); INSERT INTO here VALUES (1)');

my $db = "host=127.0.0.1 port=$port dbname=test user=postgres";

my $answer = "1\0\0\0\x04" . "2\0\0\0\x04"
    . "T\0\0\0\x1a\0\x01a\0" . pack('NnNnNn', 0, 0, 25, 0xffff, 0xffffffff, 0)
    . "D\0\0\0\x0b\0\x01\0\0\0\x01x" . "C\0\0\0\x0dSELECT 1\0" . ready();

# hangs on its first connection, and replies on all others

my $hangs = InitGate::Fake->new(sub {
    my ($c) = @_;

    login($c) or return;
    return $c->hang if $c->number == 1;
    while (queries($c)) { $c->send($answer) or return }
})->port;

# replies once on each connection, and closes it at the next query

my $once = InitGate::Fake->new(sub {
    my ($c) = @_;

    login($c) && queries($c) && $c->send($answer) or return;
    queries($c);
})->port;

$t->run(http => <<"CONF");
    init_checks one {
        interval 50ms;
        check file %%DIR%%/first name=first;
        check postgres "$db" name=a keepalive;
        check postgres "user=postgres dbname=test port=$port host=127.0.0.1"
                       name=b tables=here keepalive;
        check postgres "postgresql://postgres\@127.0.0.1:$port/test" name=c
                       rows=here:1 keepalive;
        check postgres "$db" name=d rows=locked:1 keepalive;
    }
    init_checks two {
        interval 50ms;
        latch off;
        check postgres "$db" name=e schema=public tables=here keepalive;
        check postgres "host=127.0.0.1 port=$port dbname=test user=other"
                       name=other keepalive;
    }
    init_checks slow {
        interval 50ms;
        backoff 50ms;
        check file %%DIR%%/third name=third;
        check postgres "$db application_name=slow" name=sleeps
              "query=SELECT pg_sleep(30)" timeout=500ms keepalive;
        check postgres "$db application_name=slow" name=waits rows=locked:1
              timeout=1s keepalive;
        check postgres "$db application_name=slow" name=beside timeout=5s
              "query=SELECT count(*) FROM here" min=2 keepalive;
    }
    init_checks once {
        interval 50ms;
        latch off;
        check postgres "host=127.0.0.1 port=$once user=a" name=once keepalive;
    }
    init_checks fair {
        check file %%DIR%%/fourth name=fourth;
        check postgres "host=127.0.0.1 port=$hangs user=a" name=first_hangs
              timeout=500ms keepalive;
        check postgres "host=127.0.0.1 port=$hangs user=a" name=second
              timeout=5s keepalive;
        check postgres "host=127.0.0.1 port=$hangs user=a" name=third_hangs
              timeout=5s keepalive;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

sub backends {
    my ($name, $user) = @_;

    return map { $_->[0] } psql($pg, "SELECT pid FROM pg_stat_activity"
        . " WHERE application_name = '$name' AND usename = '"
        . ($user // 'postgres') . "'");
}

is_check($t, $_, 'passed') for qw(a b c e other);
is_check($t, 'd', 'waiting', 'too_few');

my @pids = backends('nginx-init-gate');
is(@pids, 1, 'five checks of two gates, in three spellings: one connection');
is(backends('nginx-init-gate', 'other'), 1, 'another user: another connection');

my $attempts = $t->check('e')->{attempts};
$t->wait_for(sub { $t->check('e')->{attempts} > $attempts + 5 }, 'probes');
is_deeply([backends('nginx-init-gate')], \@pids, 'connection: kept');

# a statement times out before the probe; the wait for a lock is limited

is_check($t, 'sleeps', 'error', 'timeout',
    qr/canceling statement due to statement timeout \(57014\)/);
is_check($t, 'beside', 'waiting', 'too_few');

my $dbh = DBI->connect($pg->dsn(dbname => 'test'), '', '',
    { RaiseError => 1, AutoCommit => 0 });
$dbh->do('LOCK TABLE locked IN ACCESS EXCLUSIVE MODE');

is_check($t, 'd', 'running', 'locked', qr/lock timeout \(55P03\)/);
is_check($t, 'waits', 'running', 'locked');

$attempts = $t->check('beside')->{attempts};
$t->wait_for(sub { $t->check('beside')->{attempts} > $attempts + 2 },
    'the one beside', 10);
is($t->check('beside')->{verdict}, 'waiting',
    'wait for a lock: no delay of other checks');
is(backends('slow'), 1, 'wait for a lock: one connection');

$dbh->do('INSERT INTO locked VALUES (1)');
$dbh->commit;
is_check($t, 'd', 'passed');

# a canceled query closes the connection; the next query opens a new one

is_check($t, 'second', 'passed');
is_check($t, 'third_hangs', 'passed');

for my $name (qw(second third_hangs)) {
    my @recent = @{$t->check($name)->{recent}};
    is_deeply([grep { $_->[0] ne 'passed' } @recent], [],
        "$name: no probe without a reply");
    cmp_ok($recent[0][1], '>', 300, "$name: though it waited in the queue");
}

is_check($t, 'first_hangs', 'passed');

# a kept connection that was closed by the server

is_check($t, 'once', 'passed');
$attempts = $t->check('once')->{attempts};
$t->wait_for(sub { $t->check('once')->{attempts} > $attempts + 10 }, 'probes',
    10);
is_deeply([grep { $_->[0] ne 'passed' } @{$t->check('once')->{recent}}], [],
    'closed connection: query repeated without an error');

# one gate has latched, another has not; a query canceled by the latch closes
# the connection

$t->write($_) for qw(first third fourth);
$t->wait_for(sub { (grep { $_->{gate} eq 'one' }
    @{$t->json('/init')->{gates}})[0]{latched} }, 'the first gate');

$attempts = $t->check('e')->{attempts};
$t->wait_for(sub { $t->check('e')->{attempts} > $attempts + 3 }, 'probes');
is(backends('nginx-init-gate'), 1, 'other gate: one connection');
is_check($t, 'sleeps', 'error', 'timeout');

# closed after the last query

$t->reload(http => <<"CONF");
    init_checks two {
        interval 50ms;
        check file %%DIR%%/second name=second;
        check postgres "$db" name=e tables=here keepalive;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

is_check($t, 'e', 'passed');
$t->wait_for(sub { backends('nginx-init-gate') == 1
    && !backends('slow') && !backends('nginx-init-gate', 'other') },
    'the old connections to close');

$t->write('second');
$t->wait_for(sub { !backends('nginx-init-gate') }, 'the last one to close');

unlike(server_log($pg), qr/unexpected EOF/,
    'all connections: closed by the protocol');

done_testing;
