#!/usr/bin/perl

# The notify check: notices open and close a gate, in force before they are
# answered.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new(workers => 3, http => <<'CONF');
    init_checks app { check notify import; }
    init_checks two {
        check notify first;
        check notify second  after=first;
        check notify third  optional;
    }
    init_checks swings { check notify state;  latch off;  rise 3;  fall 5; }
    init_checks short { check notify beat  ttl=300ms;  interval 20ms;  latch off; }
    init_checks rare {
        check notify long  ttl=1h  interval=1h;
        check notify beat  ttl=300ms  interval=1h  optional;
        latch off;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /held { init_gate app;  init_hold 1m;  empty_gif; }
        location = /two { init_gate two;  empty_gif; }
        location = /swings { init_gate swings;  empty_gif; }
        location = /init { init_status details=on; }
        location /notify/ { init_notify token_file=%%DIR%%/token; }
    }
CONF

$t->write('token', "s3cret-token\n");
$t->run;

sub notify {
    my ($path, $form, %headers) = @_;

    return $t->post("/notify/$path", content => $form, headers => {
        'Authorization' => 'Bearer s3cret-token',
        'Content-Type' => 'application/x-www-form-urlencoded', %headers });
}

sub told { notify(@_)->{status} }

sub look { @{$t->check(@_)}{qw(verdict reason observed expected message)} }

# before the first

$t->wait_for(sub { $t->check('import')->{verdict} eq 'waiting' }, 'a verdict');
is_deeply([look('import')],
    ['waiting', 'not_notified', undef, undef, 'no notice yet'],
    'no notice: waiting');
is($t->check('import')->{type}, 'notify', 'notify check: type');
is($t->get('/')->{status}, 503, 'no notice: refused');

# progress

is(told('app/import', 'verdict=running&observed=420&expected=1000'
    . '&message=cloning+%C3%A9%22'), 204, 'running: 204');
is_deeply([look('import')],
    ['running', 'in_progress', 420, 1000, "cloning \x{e9}\""],
    'running: in force');
is($t->gate('app')->{progress}, 0.42, 'running: progress');

is(told('app/import?verdict=failed', ''), 204, 'arguments in the query: 204');
is_deeply([look('import')], ['failed', 'reported', undef, undef, undef],
    'failed: in force');
is($t->gate('app')->{state}, 'failed', 'failed: the gate too');

is(told('app/import?verdict=waiting', 'message=for+the+tables'), 204,
    'arguments in both: 204');
is_deeply([look('import')],
    ['waiting', 'reported', undef, undef, 'for the tables'],
    'waiting: in force');

# a request that waits

my @held = $t->hold(6, '/held', 'app');

is(told('app/import', 'verdict=passed'), 204, 'passed: 204');
is($t->get('/')->{status}, 200, 'passed: requests pass') for 1 .. 5;
is_deeply($t->statuses(@held), { 200 => 6 }, 'held requests: served');

# a latched gate

is(told('app/import', 'verdict=failed'), 204, 'latched gate: 204');
is($t->gate('app')->{state}, 'ready', 'latched gate: stays open');

# after=, optional

is(told('two/second', 'verdict=passed'), 204, 'a check that waits: 204');
is($t->check('second', 'two')->{verdict}, 'pending',
    'a check that waits: pending');
is(told('two/first', 'verdict=passed'), 204, 'the check before: 204');
$t->wait_for(sub { $t->gate('two')->{ready} }, 'the kept notice');
is($t->gate('two')->{state}, 'degraded', 'optional check: degraded');
is(told('two/third', 'verdict=passed'), 204, 'optional check: 204');
is($t->gate('two')->{state}, 'ready', 'optional check: ready');

# a notice counts by itself

for my $verdict (qw(passed running passed failed passed waiting) x 5) {
    is(told('swings/state', "verdict=$verdict"), 204, "$verdict: 204");
    is($t->get('/swings')->{status}, $verdict eq 'passed' ? 200 : 503,
        "$verdict: in force");
}

# ttl=

is(told('short/beat', 'verdict=passed'), 204, 'with a ttl: 204');
$t->wait_for(sub { $t->check('beat', 'short')->{verdict} eq 'error' },
    'the end of the ttl');
is_deeply([look('beat', 'short')], ['error', 'stale', undef, undef,
    'no notice within 300ms, the last one was "passed"'], 'ttl: stale');
is($t->gate('short')->{ready}, 0, 'ttl: the gate closes');
is(told('rare/beat', 'verdict=passed'), 204, 'ttl below the interval: 204');
$t->wait_for(sub { $t->check('beat', 'rare')->{verdict} eq 'error' },
    'the end of a ttl below the interval');
is($t->check('beat', 'rare')->{reason}, 'stale',
    'ttl below the interval: stale');
is($t->check('long', 'rare')->{attempts}, 1, 'ttl of other checks: not probed');

is(told('short/beat', 'verdict=waiting'), 204, 'with a ttl, waiting: 204');

my $attempts = $t->check('beat', 'short')->{attempts};
$t->wait_for(sub { $t->check('beat', 'short')->{attempts} > $attempts + 25 },
    'more than the ttl');
is($t->check('beat', 'short')->{verdict}, 'waiting', 'waiting: without a ttl');

done_testing;
