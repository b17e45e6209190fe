#!/usr/bin/perl

# A hundred postgres checks against servers in trouble, and a name server that
# never answers: ordinary requests to the same worker do not feel it.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::DNS;
use InitGate::Fake;
use InitGate::Load;
use InitGate::Postgres;

my $t = InitGate->new(workers => 1);
my $pg = $t->postgres(extra_postmaster_args => '-c max_connections=60');
my $real = $pg->port;

my $dns = InitGate::DNS->new(sub { });
my $silent = InitGate::Fake->silent(backlog => 1000);
my $hole = InitGate::Fake->blackhole;
my $garbage = InitGate::Fake->new(sub { $_[0]->read_bytes(8);
    $_[0]->send("\0garbage" x 100) });
my $hangs = InitGate::Fake->new(sub { login($_[0]) && $_[0]->hang });

my %target = (
    down => 'host=127.0.0.1 port=1',
    hole => 'host=127.0.0.1 port=' . $hole->port,
    silent => 'host=127.0.0.1 port=' . $silent->port,
    garbage => 'host=127.0.0.1 port=' . $garbage->port,
    hangs => 'host=127.0.0.1 port=' . $hangs->port,
    name => 'host=db.example port=5432',
    frozen => "host=127.0.0.1 port=$real dbname=test user=postgres",
    rejected => "host=127.0.0.1 port=$real dbname=none user=postgres",
);

my $checks = '';

for my $kind (sort keys %target) {
    for my $n (1 .. 13) {
        $checks .= "check postgres \"$target{$kind} application_name=a$n\""
            . " name=$kind$n" . ($n == 1 ? ' tables=none' : '') . ";\n";
    }
}

my $port = $dns->port;

sub conf {
    my ($checks) = @_;

    return <<"CONF";
    resolver 127.0.0.1:$port ipv6=off;
    init_checks app {
        interval 100ms;
        timeout 1s;
        backoff 100ms;
        latch off;
        check file %%DIR%%/never name=never;
        $checks
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { return 200 served; }
        location = /init { init_status details=on; }
    }
CONF
}

sub slowest {
    my ($what) = @_;

    my $load = InitGate::Load->new($t, clients => 1, pause => 0.001);
    my $end = Time::HiRes::time + 2;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $load->more(200) while Time::HiRes::time < $end;
    only($load, 200, "$what: all are served");

    my $slowest = $load->slowest;
    note(sprintf '%s: the slowest took %.1f ms', $what, 1000 * $slowest);

    return $slowest;
}

$t->run(http => conf(''));
my $without = slowest('without checks');
ok($t->quit, 'stopped');

$t->run(http => conf($checks));

$t->wait_for(sub {
    @{$t->json('/init')->{gates}[0]{checks}} == 105
        && !grep { $_->{attempts} < 2 && $_->{name} ne 'never' }
            @{$t->json('/init')->{gates}[0]{checks}};
}, 'all checks, twice', 30);

is_check($t, 'down2', 'error', 'refused');
is_check($t, 'name2', 'error', 'timeout', qr/resolving/);
is_check($t, 'frozen2', 'passed');

my $with = slowest('104 checks');

my ($postmaster) = $t->read($pg->base_dir . '/data/postmaster.pid') =~ /^(\d+)/;
my @frozen = ($postmaster, map { $_->{pid} }
    grep { $_->{parent} == $postmaster } $t->processes);

kill 'STOP', @frozen;
is_check($t, 'frozen2', 'error', 'timeout');
my $frozen = slowest('and a frozen server');
kill 'CONT', @frozen;

# one call that blocks would be seconds; the rest is what else this machine
# does

my $bound = 0.1 + 2 * $without;

cmp_ok($with, '<', patience($bound), 'no request waits for a check');
cmp_ok($frozen, '<', patience($bound), 'nor for a frozen server');

done_testing;
