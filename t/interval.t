#!/usr/bin/perl

# When a check runs: at once, then at its interval less up to a tenth; slower
# while it ends in error, up to the backoff; at its other interval once open.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use List::Util qw(min max);
use Time::HiRes qw(time);

sub http {
    my ($status) = @_;

    return sub {
        my ($c) = @_;

        $c->read_until(qr/\r\n\r\n/) or return;
        my $say = $c->word || $status;
        $c->send($say =~ /^\d+$/
            ? "HTTP/1.1 $say x\r\nContent-Length: 0\r\n"
                . "Connection: close\r\n\r\n"
            : $say);
    };
}

my %fake = (
    steady => InitGate::Fake->new(http(503)),
    own => InitGate::Fake->new(http(503)),
    error => InitGate::Fake->new(http("nonsense\r\n\r\n")),
    open => InitGate::Fake->new(http(200)),
    both => InitGate::Fake->new(http(200)),
    slow => InitGate::Fake->new(sub { $_[0]->hang }),
);

my $t = InitGate->new(http => <<'CONF');
    init_checks closed {
        check http http://127.0.0.1:steady/  name=steady;
        check http http://127.0.0.1:own/  name=own  interval=400ms;
        check http http://127.0.0.1:error/  name=error;
        check http http://127.0.0.1:slow/  name=slow;
        interval 100ms;
        timeout 300ms;
        backoff 800ms;
    }
    init_checks one {
        check http http://127.0.0.1:open/;
        interval 50ms;
        latch off;
    }
    init_checks two {
        check http http://127.0.0.1:both/;
        interval 50ms 100ms;
        latch off;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

$t->{http} =~ s{127\.0\.0\.1:([a-z]+)/}{"127.0.0.1:" . $fake{$1}->port . "/"}ge;

my $start = time;
$t->run;
$t->wait_for(sub { $fake{steady}->connections >= 25 }, '25 probes');
$t->wait_for(sub { $fake{error}->connections >= 6 }, '6 errors');


# pauses between one probe and the next, in seconds

sub pauses {
    my ($name) = @_;

    my @times = $fake{$name}->times;

    return map { $times[$_] - $times[$_ - 1] } 1 .. $#times;
}

# A loaded machine makes one pause longer and the next one shorter, so the
# middle ones count.

sub low { (sort { $a <=> $b } @_)[@_ / 4] }

my $late = patience(0.06);

cmp_ok(($fake{$_}->times)[0] - $start, '<', patience(0.8), "$_: at once")
    for sort keys %fake;

my @steady = pauses('steady');
cmp_ok(low(@steady), '>=', 0.089, 'the interval less a tenth')
    or diag "@steady";
cmp_ok(low(@steady), '<=', 0.1 + $late, 'and not more');
cmp_ok(max(@steady) - min(@steady), '>=', 0.003, 'jitter') or diag "@steady";

my @own = pauses('own');
cmp_ok(low(@own), '>=', 0.355, 'an interval of its own') or diag "@own";
cmp_ok(low(@own), '<=', 0.4 + $late, 'and not more');

my @error = pauses('error');
my @want = (0.1, 0.2, 0.4, 0.8, 0.8);

for my $i (0 .. $#want) {
    cmp_ok($error[$i], '>=', $want[$i] * 0.89 - 0.005, "error $i: backoff")
        or diag "@error";
    cmp_ok($error[$i], '<=', $want[$i] + 2 * $late, "error $i: not more")
        or diag "@error";
}

# never a second one while the first is under way, and then from its end

my @slow = pauses('slow');
cmp_ok($slow[0], '>=', 0.35, 'a probe of 300 ms, and an interval');

# open: five times the first, or as said

my @open = pauses('open');
cmp_ok(low(@open), '>=', 0.22, 'open: five times the interval')
    or diag "@open";
cmp_ok(low(@open), '<=', 0.25 + $late, 'and not more') or diag "@open";

my @both = pauses('both');
cmp_ok(low(@both), '>=', 0.089, 'open: the interval given') or diag "@both";
cmp_ok(low(@both), '<=', 0.1 + $late, 'and not more') or diag "@both";

# no error any more: back to the interval

$fake{error}->set(503);
my $n = $fake{error}->connections;
$t->wait_for(sub { $fake{error}->connections >= $n + 4 }, 'more probes');
@error = pauses('error');
cmp_ok($error[-1], '<=', 0.1 + $late, 'after an error: the interval again')
    or diag "@error";

done_testing;
