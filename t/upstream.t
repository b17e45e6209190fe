#!/usr/bin/perl

# The servers of an upstream: each gets requests only while it is in.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Servers;
use JSON::PP ();
use JSON::Validator;

my $t = InitGate->new(status => 8080);
my $s = InitGate::Servers->new($t, 3);

my $checks = <<'CONF';
    init_checks app {
        check upstream app  http=/ready;
        interval 50ms 100ms;
        timeout 2s;
    }
CONF

$t->run(http => <<"CONF");
    upstream app {
        zone app 64k;
@{[$s->lines]}
    }
$checks
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  proxy_pass http://app; }
        location = /init { init_status details=on; }
        location = /metrics { init_status format=prometheus; }
    }
CONF

sub in { join ' ', map { $_->{in} ? 1 : 0 } @{$t->check('upstream')->{servers}} }
sub wait_in {
    my ($in) = @_;
    $t->wait_for(sub { in() eq $in }, "servers in: $in");
}

# none

$t->wait_state('initializing');
is($t->get('/')->{status}, 503, 'no server in: refused by the gate');

my $check = $t->check('upstream');
is($check->{verdict}, 'waiting', 'no server in: waiting');
is($check->{reason}, 'too_few', 'no server in: too few');
like($check->{message}, qr/^0 of 3 servers are in, 1 needed; 127\.0\.0\.1:\d+ waiting: HTTP 503/,
    'no server in: message has the first of them');
is("$check->{observed} of $check->{expected}", '0 of 1',
    'no server in: counted');

# one is ready: the others get no requests

$s->ready(1);
$t->wait_ready;
is_deeply([$s->balance($t, 20)], [0, 20, 0], 'one in: gets all requests');
is(in(), '0 1 0', 'one in: shown');

$check = $t->check('upstream');
my $server = $check->{servers}[1];
is($server->{address}, $s->address(1), 'server: address');
is($server->{name}, $s->address(1), 'server: name');
is($server->{verdict}, 'passed', 'server in: passed');
ok($server->{duration_ms} > 0, 'server in: has a duration');
ok($t->time_of($server->{since}) > time - 60, 'server in: since');
$server = $check->{servers}[0];
is("$server->{verdict} $server->{reason} $server->{message}",
    'waiting bad_status HTTP 503', 'server out: its verdict');

like($t->get('/metrics')->{content},
    qr/^nginx_init_gate_check_servers\{gate="app",check="upstream",state="in"\} 1\n(?s:.*)state="out"\} 2$/m,
    'metrics: in and out');

my $schema = JSON::Validator->new->schema(
    "file://$FindBin::Bin/../docs/schema/init-gate.schema.json");
is_deeply([$schema->validate($t->json('/init'))], [],
    'status: matches the schema');

# another one

$s->ready(0);
wait_in('1 1 0');
is_deeply([$s->balance($t, 20)], [10, 10, 0], 'two in: share the requests');

# no longer ready

$s->unready(1);
wait_in('1 0 0');
is_deeply([$s->balance($t, 10)], [10, 0, 0], 'one out again: gets nothing');
$server = $t->check('upstream')->{servers}[1];
is($server->{verdict}, 'waiting', 'one out again: waiting');

# stopped: refused, which is out at once

$s->ready(1, 2);
wait_in('1 1 1');
my $probes = $t->check('upstream')->{attempts};
$s->stop(1);
wait_in('1 0 1');
$server = $t->check('upstream')->{servers}[1];
is("$server->{verdict} $server->{reason}", 'error refused',
    'stopped: refused');
is_deeply([$s->balance($t, 10)], [5, 0, 5], 'stopped: gets nothing');
$s->start(1);
wait_in('1 1 1');
is_deeply([$s->balance($t, 9)], [3, 3, 3], 'started again: gets its share');

# frozen: out after its timeout; the others are probed meanwhile

$s->freeze(2);
$s->unready(0);
wait_in('0 1 1');
wait_in('0 1 0');
$server = $t->check('upstream')->{servers}[2];
is("$server->{verdict} $server->{reason}", 'error timeout',
    'frozen: its own timeout');
$s->thaw(2);
$s->ready(0);
wait_in('1 1 1');

# all out: the gate is latched, nginx responds

$s->unready(0, 1, 2);
wait_in('0 0 0');
is($t->get('/')->{status}, 502, 'latched, all out: 502');
is($t->gate->{state}, 'ready', 'latched, all out: the gate is open');
$t->wait_for(sub { $t->check('upstream')->{verdict} eq 'waiting' },
    'the check to wait');

$s->ready(0);
wait_in('1 0 0');
is_deeply([$s->balance($t, 5)], [5, 0, 0], 'one back: gets all requests');

ok(!grep({ / 404 / } map { $s->lines_of($_) } 0 .. 2),
    'servers: no requests of other paths');
like(($s->lines_of(0))[0], qr{ /ready app close$},
    'probe: by the name of the group, over a connection of its own');

is($t->log_count(qr/server \S+ of upstream "app" is out: error: connect\(\) to/),
    1, 'log: one line for the stop');

done_testing;
