#!/usr/bin/perl

# The variables, in headers and in the log, refused, passed and elsewhere.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new(http => <<'CONF');
    init_checks app {
        check file %%DIR%%/marker  name=marker;
        check file %%DIR%%/tree  name=tree  files=4;
        check file %%DIR%%/last  name=last  after=marker;
        check file %%DIR%%/nice  name=nice  optional;
        interval 50ms;
    }
    init_checks other { check file %%DIR%%/other; interval 50ms; }

    log_format gate "$uri|$init_gate|$init_gate_state|$init_gate_progress|$init_gate_retry_after|$init_gate_waiting|$init_gate_held";

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/access.log gate;
        root %%DIR%%/html;

        location / { init_gate app; }
        location /both { init_gate app other; }
        location /off { }
        location /no_retry { init_gate app; init_retry_after off; }
        location = /init { init_status; access_log off; }
    }
CONF

mkdir $t->path('html');
mkdir $t->path('tree');
$t->write('tree/1');
$t->run;
$t->wait_for(sub {
    my ($app) = @{$t->json('/init')->{gates}};
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
    @value{qw(uri gate state progress retry_after waiting held)} = @value;

    return \%value;
}

my $v = logged('/refused');

is($v->{gate}, 'app', 'refused: $init_gate');
is($v->{state}, 'initializing', '$init_gate_state');
cmp_ok(abs($v->{progress} - 0.25 / 3), '<', 0.001, '$init_gate_progress')
    or diag $v->{progress};
like($v->{retry_after}, qr/^\d+$/, '$init_gate_retry_after');
is($v->{waiting}, 'marker, tree, last', '$init_gate_waiting')
    or diag $v->{waiting};
like($v->{held}, qr/^(?:-|0\.\d+)$/, '$init_gate_held') or diag $v->{held};

# the variable is what the header has been spread from

my $sent = $t->get('/refused')->{headers}{'retry-after'};
cmp_ok($sent, '>=', $v->{retry_after}, 'Retry-After, spread');
cmp_ok($sent, '<=', 2 * $v->{retry_after}, 'up to its double');

is(logged('/both')->{gate}, 'app', 'the first closed one of two');

$v = logged('/off');
is($v->{$_}, '-', "not gated: \$init_gate_$_")
    for qw(state progress retry_after waiting held);

$t->write($_) for qw(marker last tree/2 tree/3 tree/4);
$t->wait_for(sub { $t->json('/init')->{gates}[0]{ready} }, 'the gate to open');

$v = logged('/open');

is($v->{gate}, 'app', 'open: $init_gate');
is($v->{state}, 'degraded', '$init_gate_state');
is($v->{progress} + 0, 1, '$init_gate_progress');

is(logged('/both')->{gate}, 'other', 'the second of two');

done_testing;
