#!/usr/bin/perl

# Retry-After: five seconds while nothing is known, spread up to its double;
# a time of one's own; off; the longest of several gates; from the progress.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
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


# how often each value came

sub spread {
    my ($uri, $n) = @_;

    my %seen;
    $seen{$t->get($uri)->{headers}{'retry-after'} // 'none'}++ for 1 .. $n;

    return sort { $a <=> $b } keys %seen if !$seen{none};

    return keys %seen;
}

my @auto = spread('/', 200);

is("@auto", '5 6 7 8 9 10', 'auto: five to ten seconds');

@auto = spread('/auto', 20);
ok(!grep({ $_ < 5 || $_ > 10 } @auto), 'auto, said so');

is_deeply([spread('/own', 20)], [30], 'a time of its own');

is_deeply([spread('/off', 3)], ['none'], 'off');
is($t->json('/off')->{retry_after}, 5, 'off is about the header');


# from 10 % on, 10 % more as soon as that has been seen, up to 80 %

my $percent = 0;
my ($eta, $begun);

for (1 .. 8) {
    $percent += 10;
    $t->write('progress', "$percent%");
    $t->wait_for(sub {
        my ($slow) = grep { $_->{gate} eq 'slow' } @{$t->json('/init')->{gates}};
        $eta = $slow->{eta_ms} // $eta;
        ($slow->{progress} // 0) * 100 >= $percent - 0.01;
    }, "$percent %");
    $begun //= time;
}

my $left = (time - $begun) * 1000 * 20 / 70;

like($t->get('/slow')->{content}, qr/"progress":0\.8,/, '80 %');
ok(defined $eta, 'an ETA') or diag $t->get('/init')->{content};
cmp_ok($eta // 99999, '<', 3 * $left + 50, 'not much more than there is');
cmp_ok($eta // 0, '>', $left / 3 - 50, 'nor much less');
cmp_ok($eta // 99999, '<', 5000, 'below the default') or diag $eta;

my @slow = spread('/slow', 50);
my $after = $t->json('/slow')->{retry_after};

cmp_ok($after, '<', 5, 'retry_after of that ETA');
cmp_ok($slow[0], '>=', $after, 'at least the ETA') or diag "@slow";
cmp_ok($slow[-1], '<=', 2 * $after, 'at most twice') or diag "@slow";

for my $uri ('/both', '/reverse') {
    my @both = spread($uri, 20);
    ok(!grep({ $_ < 5 || $_ > 10 } @both), "$uri: the longest of two")
        or diag "@both";
}

done_testing;
