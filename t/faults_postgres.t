#!/usr/bin/perl

# More than a hundred postgres checks of servers with all kinds of faults at
# once: ordinary requests to the same worker take as long as without the
# checks.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Latency;
use InitGate::DNS;
use InitGate::Fake;
use InitGate::Postgres;
use Time::HiRes qw(sleep);

my $t = InitGate->new(workers => 1);
my $pg = $t->postgres(extra_postmaster_args => '-c max_connections=90');
my $real = $pg->port;

psql($pg, "CREATE ROLE app LOGIN PASSWORD 'right'");
psql($pg, 'CREATE TABLE held ()');
psql($pg, 'CREATE TABLE closed ()');
hba($pg, 'host all app 127.0.0.1/32 scram-sha-256');

sub fake { InitGate::Fake->new(@_)->port }

my $dns = InitGate::DNS->silent;
$t->{resolver} = "resolver 127.0.0.1:@{[$dns->port]};";

my $garbage = fake(sub { startup($_[0]); $_[0]->send("\0garbage" x 100) });
my $starting = fake(sub { startup($_[0]);
    $_[0]->send(error('57P03', 'the database system is starting up')) });
my $resets = fake(sub { startup($_[0]); $_[0]->reset });
my $hangs = fake(sub { login($_[0]) && $_[0]->hang });
my $notices = error('00000', 'x' x 5000, 'NOTICE') =~ s/^E/N/r x 20;
my $endless = fake(sub {
    my ($c) = @_;
    startup($c);
    $c->send(authentication(0));
    sleep 0.01 while $c->send($notices);
});

sub server {
    my ($port, $more) = @_;

    return "postgres \"host=127.0.0.1 port=$port dbname=test"
        . " application_name=a%d " . ($more // 'user=postgres') . '"';
}

# a migration that is running

my $migration = DBI->connect($pg->dsn(dbname => 'test'), '', '',
    { RaiseError => 1 });
$migration->begin_work;
$migration->do('LOCK TABLE held IN ACCESS EXCLUSIVE MODE');

my $latency = latency_with_checks($t, 10,
    down => [server(1), 'error', 'refused'],
    blackhole => [server(InitGate::Fake->blackhole->port), 'error', 'timeout'],
    silent => [server(InitGate::Fake->silent(backlog => 1000)->port), 'error',
        'timeout'],
    garbage => [server($garbage), 'error', 'protocol'],
    endless => [server($endless), 'error', 'protocol'],
    resets => [server($resets), 'error', 'reset'],
    hangs => [server($hangs), 'error', 'timeout'],
    nameless => ['postgres "host=db.example application_name=a%d user=a"',
        'error', 'timeout'],
    starting => [server($starting), 'running', 'starting'],
    database => [server($real, 'user=postgres dbname=none'), 'waiting',
        'no_database'],
    password => [server($real, 'user=app password=wrong'), 'error', 'auth'],
    denied => [server($real, 'user=app password=right')
        . ' "query=select * from closed"', 'error', 'denied'],
    locked => [server($real, 'user=postgres') . ' rows=held:1', 'running',
        'locked'],
    real => [server($real), 'passed'],
);

my ($postmaster) = $t->read($pg->base_dir . '/data/postmaster.pid') =~ /^(\d+)/;
my @frozen = ($postmaster, map { $_->{pid} }
    grep { $_->{parent} == $postmaster } $t->processes);

$latency->begin;
kill 'STOP', @frozen;
ended($t, 'real10', 'error', 'timeout');
$latency->more(200)->end('a frozen server');

kill 'CONT', @frozen;
ended($t, 'real10', 'passed');
$migration->disconnect;

done_testing;
