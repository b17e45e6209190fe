#!/usr/bin/perl

# When a check is probed: at the start, then at its interval less up to a
# tenth; at doubling intervals while it ends in error, up to the backoff; and
# at the second interval once the gate is open.

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
    alone => InitGate::Fake->new(http(200)),
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
        check http http://127.0.0.1:open/  name=open;
        interval 50ms;
        latch off;
    }
    init_checks two {
        check http http://127.0.0.1:both/  name=both;
        check http http://127.0.0.1:alone/  name=alone  interval=30ms;
        interval 50ms 100ms;
        latch off;
    }

    init_checks again {
        check file %%DIR%%/again  name=again;
        check file %%DIR%%/other  name=other;
        interval 50ms 2s;
        fall 1;
        latch off;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

$t->{http} =~ s{127\.0\.0\.1:([a-z]+)/}{"127.0.0.1:" . $fake{$1}->port . "/"}ge;

$t->write($_) for qw(again other);

my $start = time;
my $clock = $t->clock;
$t->run;


# Pauses in milliseconds, as nginx plans them after each probe: they depend
# neither on the load of the machine nor on the clock of this test.

my (%pauses, %open, %after);

sub watch {
    my ($enough, $what) = @_;

    my %seen;

    $t->wait_for(sub {
        for my $gate ($t->gates) {
            for my $check (@{$gate->{checks}}) {
                my $name = $check->{name};

                next if !$check->{next_check};
                next if $seen{$name}{$check->{attempts}}++;

                my $last = $t->time_of($check->{last_checked});
                my $pause = sprintf '%.0f',
                    1000 * ($t->time_of($check->{next_check}) - $last);

                push @{$pauses{$name}}, $pause;
                $after{$name}{$check->{attempts}} = $pause;

                # planned once the gate was open
                push @{$open{$name}}, $pause
                    if $gate->{ready} && $last > $t->time_of($gate->{opened_at});
            }
        }

        return $enough->();
    }, $what);
}

sub pauses { @{$pauses{$_[0]} // []} }

watch(sub { pauses('steady') >= 25 && keys %{$after{error}} >= 5
    && !grep { @{$open{$_} // []} < 4 } qw(open both alone) }, 'the probes');

cmp_ok(($fake{$_}->times)[0] - $start, '<', patience(0.8) + $clock->delay,
    "$_: probed at the start")
    for sort keys %fake;


# the interval less up to a tenth

sub about {
    my ($what, $interval, @pauses) = @_;

    my @bad = grep { $_ < $interval * 0.9 - 1 || $_ > $interval } @pauses;
    is("@bad", '', $what) or diag "@pauses";
}

my @steady = pauses('steady');
about('interval: less up to a tenth', 100, @steady);
cmp_ok(min(@steady), '<', 97, 'interval: jittered downward');
cmp_ok(max(@steady) - min(@steady), '>', 3, 'interval: spread');
about('interval of the check: less up to a tenth', 400, pauses('own'));

cmp_ok($fake{own}->connections, '<=', 1 + (time - $start) / 0.36,
    'interval of the check: no probe too early');


# errors: each pause is twice the one before, up to the backoff

my @want = (100, 200, 400);
my $errors = $after{error};
about("error $_: backoff", $want[$_ - 1] // 800, $errors->{$_})
    for sort { $a <=> $b } keys %$errors;


# no second probe while one is running; the interval begins at its end

cmp_ok($fake{slow}->connections, '<=', 1 + (time - $start) / 0.39,
    'slow probe: the interval begins at its end');


# open: five times the interval, or as configured

about('open: five times the interval', 250, @{$open{open}});
about('open: second interval', 100, @{$open{both}});
about('open: five times the interval of the check', 150, @{$open{alone}});


# no error any more: the interval again

$fake{error}->set(503);
my $n = $fake{error}->connections;
%pauses = ();
watch(sub { $fake{error}->connections >= $n + 5 && pauses('error') >= 4 },
    'more probes');
about('after errors: the interval', 100, (pauses('error'))[-2, -1]);


# errors once more: the pauses begin again at the interval

%pauses = ();
$fake{error}->set("nonsense\r\n\r\n");
watch(sub { grep { $_ > 100 } pauses('error') }, 'errors again');
my ($longer) = grep { $_ > 100 } pauses('error');
cmp_ok($longer, '<=', 400, 'errors again: pauses begin at the interval');


# a gate that has closed is probed as before it opened, and at once

$t->wait_for(sub { $t->gate('again')->{checks}[1]{attempts} >= 3 },
    'a longer pause');
unlink $t->path('again');
$t->wait_for(sub { !$t->gate('again')->{ready} }, 'the gate to close');
$clock = $t->clock;
$n = $t->gate('again')->{checks}[1]{attempts};
$t->wait_for(sub { $t->gate('again')->{checks}[1]{attempts} >= $n + 4 },
    'four probes');
cmp_ok($clock->seconds, '<', patience(1), 'closed again: first interval');
$clock = $t->clock;
$t->write('again');
$t->wait_for(sub { $t->gate('again')->{ready} }, 'the gate to open again');
cmp_ok($clock->seconds, '<', patience(0.5),
    'closed again: opens within the first interval');

done_testing;
