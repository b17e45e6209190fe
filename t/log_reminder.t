#!/usr/bin/perl

# A gate that stays closed is logged again, at warn: after a minute, and then
# at doubling intervals up to an hour.  The clock of nginx is put forward.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

plan(skip_all => 'the module has to be loaded, without valgrind')
    if InitGate::is_linked_in() || $ENV{TEST_NGINX_VALGRIND};

my $t = InitGate->new(workers => 1, main => 'env LATER;', http => <<'CONF');
    init_checks app {
        check file %%DIR%%/marker  name=schema;
        check file %%DIR%%/there   name=there;
        check file %%DIR%%/none    name=extra  optional;
        interval 50ms 50ms;
        latch off;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

my $library = $t->preload('monotonic_clock');

$t->write('there');
$t->write('later');

{
    local $ENV{LD_PRELOAD} = $library;
    local $ENV{LATER} = $t->path('later');
    $t->run;
}

# the lines so far, with the time for which the gate is closed

sub reminders { $t->log =~ /(\[warn\] .*init gate "app".*)/g }

sub closed_for { map { /, gate closed for (\d+)s$/ ? $1 : () } reminders() }

my $now = 0;

sub later {
    my ($seconds) = @_;

    my $heartbeat = $t->gate->{prober}{heartbeat};

    $now += $seconds;
    $t->write('later', 'x' x $now);

    $t->wait_for(sub { $t->gate->{prober}{heartbeat} ne $heartbeat },
        'a heartbeat');
}

$t->wait_state('initializing');

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

is(scalar(() = grep { /check "(?:there|extra)"/ } reminders()), 0,
    'lines: no passed and no optional checks');

$t->write('marker');
$t->wait_ready;
my $lines = () = reminders();
later(2000) for 1 .. 3;
is(scalar(() = reminders()), $lines, 'open gate: no line');

done_testing;
