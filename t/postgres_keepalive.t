#!/usr/bin/perl

# The postgres check: no session remains between two probes, so that a database
# can be created, dropped and copied; with "keepalive" it is kept for at most 30
# seconds, so that another server with the same address is noticed.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks 'probed';
use InitGate::Fake;
use InitGate::MonotonicClock;
use InitGate::Postgres;

use IO::Select;
use IO::Socket::INET;

my $t = InitGate->new(workers => 1);
my $pg = $t->postgres;
my $port = $pg->port;
my $other = $t->postgres;

psql($pg, 'CREATE DATABASE app');
psql($pg, 'CREATE DATABASE kept');

# an address that is forwarded to another server later

my $proxy = InitGate::Fake->new(sub {
    my ($c) = @_;

    my $client = $c->socket;
    my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $c->word) or return;
    my $select = IO::Select->new($client, $server);

    while (1) {
        for my $from ($select->can_read) {
            sysread $from, my $bytes, 65536 or return;
            syswrite $from == $client ? $server : $client, $bytes;
        }
    }
});
$proxy->set($port);

my $db = "host=127.0.0.1 port=$port user=postgres";

$t->conf(http => <<"CONF");
    init_checks app {
        interval 20ms;
        backoff 1h;
        check file %%DIR%%/never name=never;
        check postgres "$db dbname=app" name=app tables=missing;
        check postgres "$db dbname=app application_name=other" name=twice
              tables=missing;
        check postgres "$db dbname=created" name=created;
        check postgres "$db dbname=test application_name=rare" name=rare
              interval=1h;
        check postgres "$db dbname=test application_name=shared" name=without
              interval=1h;
        check postgres "$db dbname=test application_name=shared" name=with
              interval=1h keepalive;
        check postgres "$db dbname=kept application_name=kept" name=kept
              keepalive "query=SELECT pg_backend_pid()" expect=0;
        check postgres "host=127.0.0.1 port=@{[$proxy->port]} dbname=test
                        user=postgres" name=moved keepalive
              "query=SELECT current_setting('port')" expect=@{[$other->port]};
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

my $clock = InitGate::MonotonicClock::is_available()
    && InitGate::MonotonicClock->new($t);

($clock || $t)->run;

my $begun = $t->clock;

sub backends {
    my ($name) = @_;

    return map { $_->[0] } psql($pg, "SELECT pid FROM pg_stat_activity"
        . " WHERE application_name = '$name'");
}

sub done { my ($sql) = @_; eval { psql($pg, $sql) }; return $@ }


# operations of initializers on a database that is being probed

is_check($t, $_, 'waiting', 'missing') for qw(app twice);

is(done('CREATE DATABASE copy TEMPLATE app'), '',
    'CREATE DATABASE ... TEMPLATE: succeeds');
is(done('ALTER DATABASE app RENAME TO renamed'), '',
    'ALTER DATABASE ... RENAME: succeeds');
is(done('ALTER DATABASE renamed RENAME TO app'), '',
    'ALTER DATABASE ... RENAME, back: succeeds');
is(done('DROP DATABASE app'), '', 'DROP DATABASE: succeeds');
is(done('CREATE DATABASE app'), '', 'CREATE DATABASE after DROP: succeeds');

is_check($t, $_, 'waiting', 'missing') for qw(app twice);

is_check($t, 'rare', 'passed');
$t->wait_for(sub { !backends('rare') }, 'the session to end');
is($t->check('rare')->{attempts}, 1, 'session: ends with the probe');


# a missing database is not an error, and the interval does not double

is_check($t, 'created', 'waiting', 'no_database');
probed($t, 'created') for 1 .. 3;
psql($pg, 'CREATE DATABASE created');
is_check($t, 'created', 'passed');
is($t->log_count(qr/\[error\].*"created"/), 0, 'no database: not logged as an error');


# a session that remains

is_check($t, $_, 'passed') for qw(with without);

SKIP: {
    my $n = backends('shared');
    skip 'its 30 seconds may have ended', 1 if $begun->seconds > 25;
    is($n, 1, 'keepalive: one session remains');
}

is_check($t, 'kept', 'waiting', 'mismatch');

my $pid;
ok($t->wait_for(sub {
    ($pid) = backends('kept');
    probed($t, 'kept') for 1 .. 3;
    return join(' ', backends('kept')) eq ($pid // 'none');
}, 'probes in one session'), '"keepalive": the same session');

SKIP: {
    skip 'no clock that can be put forward', 4 if !$clock;

    # a new connection, which is kept for the next 30 seconds

    my $message = $t->within(25, sub {
        $proxy->set($port);
        $clock->forward(31);
        $t->wait_for(sub {
            return $t->check('moved')->{message} =~ /returns "$port"/;
        }, 'the first server');
        probed($t, 'moved');

        $proxy->set($other->port);
        probed($t, 'moved') for 1 .. 3;
        return $t->check('moved')->{message};
    });
    like($message, qr/returns "$port"/, 'another server: not noticed at once');

    $clock->forward(31);

    is_check($t, 'moved', 'passed');

    $t->wait_for(sub { my @pids = backends('kept');
        @pids == 1 && $pids[0] != $pid }, 'another session');
    $t->wait_for(sub { !backends('shared') }, 'the idle session to end');
    is($t->check('with')->{attempts}, 1,
        'keepalive, after 30 seconds: an unused session closed');
}

done_testing;
