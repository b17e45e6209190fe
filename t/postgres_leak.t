#!/usr/bin/perl

# Thousands of postgres probes while servers stop and start: no descriptor,
# connection or memory is leaked.  PROBES is the number of probes.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;
use InitGate::Postgres;

my $probes = $ENV{PROBES} // 1500;

my $t = InitGate->new(workers => 1);
my $pg = $t->postgres;
my $real = $pg->port;

psql($pg, 'CREATE TABLE here (i int)');

# all faults, at different times

my $fake = InitGate::Fake->new(sub {
    my ($c) = @_;
    my $n = $c->number % 6;

    return $c->reset if $n == 0;
    startup($c) or return;
    return if $n == 1;
    return $c->send(error('57P03', 'starting up')) if $n == 2;
    $c->send(auth_ok()) or return;
    queries($c) or return;
    return $c->send('garbage' x 10) if $n == 3;
    return $c->reset if $n == 4;
    $c->send(error('42501', 'no', 'ERROR') . ready()) if $n == 5;
});
my $port = $fake->port;

my $db = "host=127.0.0.1 port=$real dbname=test user=postgres";

$t->run(http => <<"CONF");
    init_checks app {
        interval 1ms;
        backoff 1ms;
        timeout 2s;
        latch off;
        check file %%DIR%%/never name=never interval=1s;
        check postgres "$db" name=plain;
        check postgres "$db application_name=a" name=tables
              tables=here,"none";
        check postgres "$db application_name=b" name=migrations
              migrations=liquibase version=1;
        check postgres "$db application_name=c" name=query
              "query=SELECT * FROM none";
        check postgres "host=localhost port=$real dbname=none user=postgres"
              name=none;
        check postgres "host=127.0.0.1 port=$port user=a" name=fake
              interval=20ms;
        check postgres "host=127.0.0.1,localhost port=1,$real dbname=test
                        user=postgres target_session_attrs=standby"
              name=walks interval=10ms;
        check postgres "host=127.0.0.1 port=1" name=refused;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

my ($worker) = $t->workers;

sub attempts {
    my $n = 0;
    $n += $_->{attempts} for @{$t->gate->{checks}};
    return $n;
}

sub probes {
    my ($n) = @_;

    my $goal = attempts() + $n;
    $t->wait_for(sub { attempts() >= $goal }, "$n probes",
        30 + $n / 100) or return;
}

sub restarts {
    my ($n) = @_;

    for (1 .. 4) {
        probes($n / 4);
        psql($pg, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            . " WHERE pid <> pg_backend_pid() AND datname = 'test'");
    }

    $pg->stop;
    probes($n / 10);
    $pg->start;
    settles($t, 'plain', 'passed');
}

sub settled {
    probes($probes / 10);
    return ($t->memory($worker), scalar $t->descriptors($worker));
}

restarts($probes);
my ($memory, $descriptors) = settled();

restarts($probes);
restarts($probes);
my ($memory2, $descriptors2) = settled();

note(attempts() . " probes, $memory KiB and then $memory2,"
    . " $descriptors descriptors and then $descriptors2");

SKIP: {
    skip 'memory is counted otherwise', 1 if !$t->memory_counts;
    cmp_ok($memory2 - $memory, '<', 400, 'many probes: memory');
}

SKIP: {
    skip $t->hidden, 1 if $t->hidden;
    cmp_ok(abs($descriptors2 - $descriptors), '<', 8,
        'many probes: descriptors');
}

is(($t->workers)[0], $worker, 'many probes: same worker');

my ($connections) = psql($pg, "SELECT count(*) FROM pg_stat_activity"
    . " WHERE application_name IN ('nginx-init-gate', 'a', 'b', 'c')");
cmp_ok($connections->[0], '<=', 5, 'many probes: connections');

is($t->log_count(qr/worker_connections|open socket/), 0,
    'many probes: no alerts');

done_testing;
