#!/usr/bin/perl

# Retry-After: five seconds while nothing is known, spread up to its double;
# a time of one's own; off; the longest of several gates; from the progress.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

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

cmp_ok($auto[0], '>=', 5, 'auto: at least five seconds');
cmp_ok($auto[-1], '<=', 10, 'at most ten');
cmp_ok(scalar @auto, '>=', 5, 'and spread') or diag "@auto";

@auto = spread('/auto', 20);
ok(!grep({ $_ < 5 || $_ > 10 } @auto), 'auto, said so');

my @own = spread('/own', 20);
ok(!grep({ $_ < 30 || $_ > 60 } @own), 'a time of its own') or diag "@own";

is_deeply([spread('/off', 3)], ['none'], 'off');
is($t->json('/off')->{retry_after}, 5, 'off is about the header');


# from 10 % on, 10 % more every 200 ms: two seconds in all, so that the ETA is
# well below five seconds and above none

my $percent = 0;
my $eta;

for (1 .. 8) {
    $percent += 10;
    $t->write('progress', "$percent%");
    $t->wait_for(sub {
        my ($slow) = grep { $_->{gate} eq 'slow' } @{$t->json('/init')->{gates}};
        $eta = $slow->{eta_ms} // $eta;
        ($slow->{progress} // 0) * 100 >= $percent - 0.01;
    }, "$percent %");
}

like($t->get('/slow')->{content}, qr/"progress":0\.8,/, '80 %');
ok(defined $eta, 'an ETA') or diag $t->get('/init')->{content};
cmp_ok($eta // 99999, '<', 5000, 'below the default') or diag $eta;

my @slow = spread('/slow', 50);
my $after = $t->json('/slow')->{retry_after};

cmp_ok($after, '<', 5, 'retry_after of that ETA');
cmp_ok($slow[0], '>=', $after, 'at least the ETA') or diag "@slow";
cmp_ok($slow[-1], '<=', 2 * $after, 'at most twice') or diag "@slow";

my @both = spread('/both', 20);
ok(!grep({ $_ < 5 || $_ > 10 } @both), 'the longest of two') or diag "@both";

done_testing;
