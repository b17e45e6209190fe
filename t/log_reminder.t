#!/usr/bin/perl

# A gate that stays closed is logged at the level of the default log: after a
# minute, and then at doubling intervals up to an hour, also by a worker that
# takes over.  So is one that an operator has closed, and not one that he has
# opened.  The clock of nginx is put forward.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::MonotonicClock;

my $t = InitGate->new(workers => 1, level => 'error',
    http => <<'CONF');
    init_checks app {
        check file %%DIR%%/marker  name=schema;
        check file %%DIR%%/there   name=there;
        check file %%DIR%%/none    name=extra  optional;
        interval 50ms 50ms;
        latch off;
    }
    init_checks many {
        check file %%DIR%%/1  name=m1;
        check file %%DIR%%/2  name=m2;
        check file %%DIR%%/3  name=m3;
        check file %%DIR%%/4  name=m4;
        check file %%DIR%%/5  name=m5;
        check file %%DIR%%/6  name=m6;
        check file %%DIR%%/7  name=m7;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
        location /control/ { init_control token_file=%%DIR%%/token; }
    }
    init_checks shut { check file %%DIR%%/there  name=there; }
    init_checks forced { check file %%DIR%%/none  name=none; }
    init_checks chain {
        check file %%DIR%%/none  name=first;
        check file %%DIR%%/none  name=then  after=first;
    }
CONF

my $clock = InitGate::MonotonicClock->new($t);

$t->write('there');
$t->write('token', 'sesame');
$clock->run;

# the lines so far, with the time for which the gate is closed

sub reminders { $t->log =~ /(\[error\] .*init gate "app".*)/g }

sub closed_for { map { /, gate closed for (\d+)s$/ ? $1 : () } reminders() }

sub later {
    my ($seconds) = @_;

    my $heartbeat = $t->gate->{prober}{heartbeat};

    $clock->forward($seconds);

    $t->wait_for(sub { $t->gate->{prober}{heartbeat} ne $heartbeat },
        'a heartbeat');
}

$t->wait_state('initializing');
$t->wait_ready('shut');

for (['shut', 'close'], ['forced', 'open']) {
    my ($gate, $action) = @$_;

    is($t->post("/control/$gate?action=$action&for=24h&reason=by+hand",
        headers => { Authorization => 'Bearer sesame' })->{status}, 204,
        "override: $action");
}

# each after twice the time, up to an hour

my $pause = 60;
my $last = 0;

for my $n (1 .. 9) {
    my $step = int $pause / 6;
    my $clock = $t->clock;

    later($step) until closed_for() >= $n;

    my $seconds = (closed_for())[$n - 1] - $last;

    cmp_ok($seconds, '>=', $pause - 1, "line $n: not before $pause s");
    cmp_ok($seconds, '<=', $pause + 2 * $step + 1 + $clock->elapsed,
        "line $n: after $pause s");

    $last += $seconds;
    $pause = $pause > 1800 ? 3600 : 2 * $pause;
}

my $path = $t->path('marker');
like((reminders())[0],
    qr/init gate "app": check "schema" waiting: not there: \Q$path\E, /,
    'line: check that waits');
like((reminders())[0], qr{, in \Q@{[$t->path('nginx.conf')]}\E:\d+, },
    'line: where the check is configured');

like($t->log, qr/check "then" pending: not probed before "first" has passed, /,
    'line: check that waits for another one');

my @many = $t->log =~ /(init gate "many".*)/g;
my @first = splice @many, 0, 6;

is(scalar(grep { /check "m[1-5]" waiting: not there/ } @first), 5,
    'many checks: five lines');
is($first[5], 'init gate "many": 2 more checks have not passed',
    'many checks: number of further checks');

like(($t->log =~ /(\[error\] .*init gate "shut".*)/)[0],
    qr/: override "close" by client 127\.0\.0\.1: by hand, gate closed for \d+s$/,
    'closed by an operator: line');
unlike($t->log, qr/\[error\] .*init gate "forced"/,
    'opened by an operator: no line');

# the next line is due in an hour; after a restart it would be due in a minute

my ($worker) = $t->workers;
my $before = () = reminders();

$t->signal('KILL', $worker);
$t->wait_for(sub {
    my $pid = $t->gate->{prober}{pid};
    return $pid && $pid != $worker;
}, 'another worker');
later(600) for 1 .. 3;
is(scalar(() = reminders()), $before, 'worker killed: no line too early');

is(scalar(() = grep { /check "(?:there|extra)"/ } reminders()), 0,
    'lines: no passed and no optional checks');

$t->write('marker');
$t->wait_for(sub { $t->gate->{ready} }, 'the gate to open');
my $lines = () = reminders();
later(2000) for 1 .. 3;
is(scalar(() = reminders()), $lines, 'open gate: no line');

$t->allow(qr/exited on signal 9/);

done_testing;
