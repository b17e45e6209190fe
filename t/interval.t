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
$t->run;


# Pauses in milliseconds, as nginx plans them after each probe: they depend
# neither on the load of the machine nor on the clock of this test.

my (%pauses, %after);

sub ms { $_[0] =~ /(\d+):(\d+):(\d+)\.(\d+)Z$/
    ? ($1 * 3600 + $2 * 60 + $3) * 1000 + $4 : undef }

sub watch {
    my ($enough, $what) = @_;

    my %seen;

    $t->wait_for(sub {
        for my $check (map { @{$_->{checks}} } $t->gates) {
            next if !$check->{next_check};
            next if $seen{$check->{name}}{$check->{attempts}}++;
            my $pause = (ms($check->{next_check}) - ms($check->{last_checked}))
                % 86400_000;
            push @{$pauses{$check->{name}}}, $pause;
            $after{$check->{name}}{$check->{attempts}} = $pause;
        }

        return $enough->();
    }, $what, 30);
}

sub pauses { @{$pauses{$_[0]} // []} }

watch(sub { pauses('steady') >= 25 && pauses('open') >= 5
    && pauses('both') >= 5 && pauses('alone') >= 4
    && $fake{error}->connections >= 7 },
        'the probes');

cmp_ok(($fake{$_}->times)[0] - $start, '<', patience(0.8),
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

# the first two may be close together on a slow machine

my @times = $fake{own}->times;
cmp_ok(($times[-1] - $times[0]) / $#times, '>=', 0.355,
    'interval of the check: kept on average');


# errors: each pause is twice the one before, up to the backoff

my @want = (100, 200, 400);
my $errors = $after{error};
about("error $_: backoff", $want[$_ - 1] // 800, $errors->{$_})
    for sort { $a <=> $b } keys %$errors;
cmp_ok(scalar(keys %$errors), '>=', 4, 'errors: most pauses seen');


# no second probe while one is running; the interval begins at its end

@times = $fake{slow}->times;
cmp_ok(($times[2] - $times[0]) / 2, '>=', 0.4 - patience(0.05),
    'slow probe: the interval begins at its end');


# open: five times the interval, or as configured; the first pause was planned
# before the gate opened

my ($first, @open) = pauses('open');
about('open: five times the interval', 250, @open);

($first, my @both) = pauses('both');
about('open: second interval', 100, @both);

($first, my @alone) = pauses('alone');
about('open: five times the interval of the check', 150, @alone);


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
$t->wait_for(sub { !$t->gate('again')->{ready} }, 'the gate to close', 10);
$n = $t->gate('again')->{checks}[1]{attempts};
$t->wait_for(sub { $t->gate('again')->{checks}[1]{attempts} >= $n + 4 },
    'four probes', 1);
$start = time;
$t->write('again');
$t->wait_for(sub { $t->gate('again')->{ready} }, 'the gate to open again');
cmp_ok(time - $start, '<', patience(0.5),
    'closed again: opens within the first interval');

done_testing;
