#!/usr/bin/perl

# The variables, in headers and in the log, for refused and passed requests,
# and in other locations.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use Time::HiRes qw(time);

my $t = InitGate->new(http => <<'CONF');
    init_checks app {
        check file %%DIR%%/marker  name=marker;
        check file %%DIR%%/tree  name=tree  files=4;
        check file %%DIR%%/last  name=last  after=marker;
        check file %%DIR%%/nice  name=nice  optional;
        interval 50ms;
    }
    init_checks other { check file %%DIR%%/other; interval 50ms; }

    log_format gate "$uri|$init_gate|$init_gate_state|$init_gate_progress|$init_gate_retry_after|$init_gate_waiting|$init_gate_held|$init_gate_decision";

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/access.log gate;
        root %%DIR%%/html;

        location / { init_gate app; }
        location /both { init_gate app other; }
        location /off { }
        location /held {
            init_gate app;
            init_hold 1m;
            set $before $init_gate_state;
            add_header X-State "$before, $init_gate_state" always;
            root %%DIR%%;
        }
        location /said { init_gate app other; return 200 $init_gate; }
        location = /init { init_status; access_log off; }
    }
CONF

mkdir $t->path('html');
mkdir $t->path('tree');
$t->write('tree/1');
$t->run;
$t->wait_for(sub {
    my $app = $t->gate('app');
    $app->{state} eq 'initializing' && $app->{checks}[1]{verdict} ne 'pending'
        && $app->{progress};
}, 'the first verdicts');


sub logged {
    my ($uri) = @_;

    my $n = () = $t->read('access.log') =~ /\n/g;
    $t->get($uri);
    $t->wait_for(sub { ($t->read('access.log') =~ tr/\n//) > $n }, 'the log');

    my @value = split /\|/, (split /\n/, $t->read('access.log'))[-1];
    my %value;
    @value{qw(uri gate state progress retry_after waiting held decision)}
        = @value;

    return \%value;
}

# a request that is held

$t->write('held', "held\n");

my $start = time;
my $s = $t->connect;
print $s "GET /held HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
$s->flush;
$t->wait_log(qr/init gate "app" holds/);
my $waits = time;

my $v = logged('/refused');

is($v->{gate}, 'app', 'refused: $init_gate');
is($v->{state}, 'initializing', 'refused: $init_gate_state');
cmp_ok(abs($v->{progress} - 0.25 / 3), '<', 0.001,
    'refused: $init_gate_progress')
    or diag $v->{progress};
is($v->{retry_after}, 5, 'refused: $init_gate_retry_after');
is($v->{waiting}, 'marker, tree, last', 'refused: $init_gate_waiting')
    or diag $v->{waiting};
is($v->{held}, '-', 'refused: $init_gate_held');
is($v->{decision}, 'refused', 'refused: $init_gate_decision');

# the header is the variable, spread upward

my $sent = $t->get('/refused')->{headers}{'retry-after'};
cmp_ok($sent, '>=', $v->{retry_after}, 'Retry-After: at least the variable');
cmp_ok($sent, '<=', 2 * $v->{retry_after}, 'Retry-After: at most its double');

is(logged('/both')->{gate}, 'app', 'two gates, both closed: $init_gate');
is($t->get('/said')->{content}, 'app',
    '"return" before the gates, both closed: $init_gate');

$v = logged('/off');
is($v->{$_}, '-', "not gated: \$init_gate_$_")
    for qw(gate state progress retry_after waiting held decision);

my $longer = time - $waits;
$t->write($_) for qw(marker last tree/2 tree/3 tree/4);
$t->wait_for(sub { $t->json('/init')->{gates}[0]{ready} }, 'the gate to open');

my $r = $t->http_read($s);
my $took = time - $start;

is($r->{content}, "held\n", 'held, passed: served');
is($r->{headers}{'x-state'}, 'initializing, degraded',
    'held, passed: variable evaluated again');

my $line = $t->wait_for(sub { $t->read('access.log') =~ m{^(/held.*)}m && $1 },
    'the log');
my ($held, $decision) = (split /\|/, $line)[6, 7];

cmp_ok($held, '>=', $longer - 0.01,
    'held, passed: $init_gate_held not too short');
cmp_ok($held, '<=', $took + 0.01, 'held, passed: $init_gate_held not too long');
is($decision, 'held_passed', 'held, passed: $init_gate_decision');

$v = logged('/open');

is($v->{gate}, 'app', 'open: $init_gate');
is($v->{state}, 'degraded', 'open: $init_gate_state');
is($v->{progress} + 0, 1, 'open: $init_gate_progress');
is($v->{waiting}, '', 'open: $init_gate_waiting');
is($v->{held}, '-', 'open: $init_gate_held');
is($v->{decision}, 'passed', 'open: $init_gate_decision');

is(logged('/both')->{gate}, 'other', 'two gates, first open: $init_gate');
is($t->get('/said')->{content}, 'other',
    '"return" before the gates, first open: $init_gate');

done_testing;
