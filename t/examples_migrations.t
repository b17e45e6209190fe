#!/usr/bin/perl

# conf-examples/migrations: one service migrates, the others wait.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;
use InitGate::Fake;
use InitGate::Postgres qw(psql);

my $app = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
});

my $t = InitGate::Example->new('migrations/nginx.conf',
    'host=db' => 'host=127.0.0.1 port=%%PORT_5432%%',
    '/run/secrets' => '%%DIR%%/secrets',
    'http://127.0.0.1:8001' => 'http://127.0.0.1:' . $app->port,
    'http://127.0.0.1:8002' => 'http://127.0.0.1:' . $app->port,
    'interval 1s;' => 'interval 100ms;',
    'backoff 10s;' => 'backoff 500ms;',
    'listen 80;' => 'listen 127.0.0.1:%%PORT_8080%%;');

sub gate { (grep { $_->{gate} eq $_[0] } @{$t->json('/init')->{gates}})[0] }

sub check { gate($_[0])->{checks}[0] }

# a server, of which later

my $server = $t->postgres(port => $t->port(5432));

psql($server, $_) for 'create database shop',
    "create role web login password 'open sesame'";

my $hba = (psql($server, 'show hba_file'))[0][0];
open my $fh, '>', $hba or die "$hba: $!";
print $fh <<'END';
local all all trust
host all web 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
END
close $fh;
$server->stop;

# no database yet: the pauses double, and no further than told

$t->write('secrets/db-password', "open sesame\n");
$t->run;

is($t->get('/orders')->{status}, 503, 'closed');
$t->restricted_ok('/init');

sub pause {
    my $check = check('orders');
    my ($last, $next) = map { /:(\d\d\.\d{3})Z/ } @$check{qw(last_checked
        next_check)};

    return 0 if !defined $next;
    return $next - $last + ($next < $last ? 60 : 0);
}

is(check('orders')->{reason}, 'refused', 'nobody there');
$t->wait_for(sub { pause() > 0.4 }, 'longer pauses');
my $attempts = check('orders')->{attempts};
$t->wait_for(sub { check('orders')->{attempts} > $attempts + 1 }, 'two more');
cmp_ok(pause(), '<', 0.8, 'capped');

# a database without tables

$server->start;
$t->wait_for(sub { (check('orders')->{reason} // '') eq 'missing' },
    'the database to be asked');
like(check('orders')->{message}, qr/users.*orders|orders.*users/, 'missing');
is($t->get('/billing')->{status}, 503, 'still closed');

# tables elsewhere do not count

@ENV{qw(PGHOST PGPORT PGDATABASE PGUSER)} =
    ('127.0.0.1', $t->port(5432), 'shop', 'postgres');

psql($server, 'create table users (); create table orders ()', 'shop');
$attempts = check('orders')->{attempts};
$t->wait_for(sub { check('orders')->{attempts} > $attempts + 1 }, 'two more');
is($t->get('/orders')->{status}, 503, 'do not count');

sub connections {
    return (psql($server, "select count(*) from pg_stat_activity
        where usename = 'web'"))[0][0];
}

is(connections(), 1, 'one connection for both');

# the migration

$t->command_ok($t->file('migrate'), 'the migration');
$t->wait_for(sub { $t->get($_)->{status} == 200 }, "$_ to open")
    for '/orders', '/billing';
is($t->get('/ready/orders')->{status}, 200, 'orders is ready');
is($t->get('/ready/billing')->{status}, 200, 'billing is ready');

$t->command_ok($t->file('migrate'), 'the migration again');

$t->wait_for(sub { connections() == 0 }, 'the connection to be closed');

done_testing;
