#!/usr/bin/perl

# Retry-After: five seconds without an ETA, spread up to the double; a
# configured time; off; the longest of several gates; from the ETA.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use List::Util qw(min max);
use POSIX qw(ceil);
use Time::HiRes qw(time);

my $t = InitGate->new(http => <<'CONF');
    init_checks app { check file %%DIR%%/marker; }
    init_checks slow {
        check file %%DIR%%/slow  progress=%%DIR%%/progress;
        interval 50ms;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        init_gate app;
        root %%DIR%%/html;

        location / { }
        location /auto { init_retry_after auto; }
        location /own { init_retry_after 30s; }
        location /off { init_retry_after off; }
        location /slow { init_gate slow; }
        location /both { init_gate app slow; }
        location /reverse { init_gate slow app; }
        location = /init { init_status details=on; }
    }
CONF

$t->run;
$t->wait_for(sub {
    !grep { $_->{state} ne 'initializing' } @{$t->json('/init')->{gates}};
}, 'the first verdicts');


# the different values

sub spread {
    my ($uri, $n) = @_;

    my %seen;
    $seen{$t->get($uri)->{headers}{'retry-after'} // 'none'}++ for 1 .. $n;

    return sort { $a <=> $b } keys %seen if !$seen{none};

    return keys %seen;
}

my @auto = spread('/', 200);

is("@auto", '5 6 7 8 9 10', 'default: five to ten seconds');

@auto = spread('/auto', 20);
ok(!grep({ $_ < 5 || $_ > 10 } @auto),
    'init_retry_after auto: five to ten seconds');

is_deeply([spread('/own', 20)], [30], 'init_retry_after 30s: 30');

is_deeply([spread('/off', 3)], ['none'], 'init_retry_after off: no header');
is($t->json('/off')->{retry_after}, 5,
    'init_retry_after off: member of the body');


# 10 % more when the last value is shown, up to 80 %; not all within the minimum
# time for a rate

my $percent = 0;
my ($eta, $begun, $next) = (undef, undef, 0);
my $clock = $t->clock;

for (1 .. 8) {
    $percent += 10;
    $t->write('progress', "$percent%");
    $t->wait_for(sub {
        my $slow = $t->gate('slow');
        $eta = $slow->{eta_ms} // $eta;
        ($slow->{progress} // 0) * 100 >= $percent - 0.01
            && time >= $next;
    }, "$percent %");
    $begun //= time;
    $next = time + 0.05;
}

my $left = (time - $begun) * 1000 * 20 / 70;

like($t->get('/slow')->{content}, qr/"progress":0\.8,/,
    '80 %: progress of the body');
ok(defined $eta, '80 %: ETA') or diag $t->get('/init')->{content};

# the machine may have been busy with others for a while

my $delay = 1000 * $clock->delay;

cmp_ok($eta // 1e9, '<', 3 * $left + 50 + $delay,
    '80 %: ETA not much too long');
cmp_ok($eta // 0, '>', $left / 3 - 50 - $delay, '80 %: ETA not much too short');

my @slow = spread('/slow', 50);
my $body = $t->json('/slow');
my $after = $body->{retry_after};

is($after, min(60, max(1, ceil($body->{eta_ms} / 1000))),
    '80 %: retry_after of the ETA');
cmp_ok($slow[0], '>=', $after,
    '80 %: header at least retry_after') or diag "@slow";
cmp_ok($slow[-1], '<=', 2 * $after,
    '80 %: header at most the double') or diag "@slow";

for my $uri ('/both', '/reverse') {
    my @both = spread($uri, 20);
    my $most = max(5, $after);
    ok(!grep({ $_ < $most || $_ > 2 * $most } @both),
        "$uri: the longest of two")
        or diag "@both";
}

done_testing;
