#!/usr/bin/perl

# The limit of held requests in a worker: max=, waits at the start included; by
# default a quarter of worker_connections.  Probes find a connection anyway.
# The wait at the start ends with init_hold if there is a verdict by then.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;
use Time::HiRes qw(time sleep);

my $fake = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;
    sleep $c->word || 0;
    $c->send("HTTP/1.1 503 x\r\nContent-Length: 0\r\n"
        . "Connection: close\r\n\r\n");
});

my $t = InitGate->new(workers => 1, events => 'worker_connections 64;',
    http => '', also => InitGate::Load::BACKGROUND);

sub conf {
    my ($hold) = @_;

    return InitGate::Load::LOG . <<"CONF";
    init_checks app {
        check http http://127.0.0.1:@{[$fake->port]}/;
        interval 50ms;

        timeout 1m;
        latch off;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app;  init_hold $hold;  empty_gif; }
        location = /off { init_gate app;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
    }
CONF
}


# the number of refused ones of N requests; the others are held

sub refused {
    my ($n) = @_;

    my $before = $t->gate;
    my $sum = sub { my ($gate) = @_; $gate->{held} + $gate->{refused} };

    my @waiting = map { $t->send('/') } 1 .. $n;
    $t->wait_for(sub { $sum->($t->gate) >= $sum->($before) + $n },
        "$n requests to be held or refused");

    return ($t->gate->{refused} - $before->{refused}, \@waiting);
}

# at the start

$fake->set(1);
$t->run(http => conf('10m max=3'));
my $background = background($t);

my ($refused, $waiting) = refused(5);
is($refused, 2, 'max=3: two of five refused');
is($t->gate->{held}, 3, 'max=3: three held');

$t->wait_state('initializing');
is($t->gate->{held}, 3, 'max=3, after the first verdict: still held');
is($t->get('/off')->{status}, 503, 'init_hold off: refused');

# the clients leave

undef $waiting;
$t->wait_held(0);
($refused, $waiting) = refused(4);
is($refused, 1, 'max=3, none held: one of four refused');
undef $waiting;

is($t->gate->{refused}, 4, 'refused requests: counted');
$t->wait_for(sub { $t->gate->{gone} == 6 }, 'clients that left to be counted');
counted_as_logged($t, 'app');

# the default limit; each probe needs a connection

$fake->set(0);
$t->reload(http => conf('10m'));
$t->wait_state('initializing');

($refused, $waiting) = refused(24);
is($refused, 8, '64 connections: 8 of 24 refused');
is($t->gate->{held}, 16, '64 connections: 16 held');

my $attempts = $t->gate->{checks}[0]{attempts};
$t->wait_for(sub { $t->gate->{checks}[0]{attempts} > $attempts + 3 }, 'probes');
is($t->gate->{checks}[0]{reason}, 'bad_status',
    '16 held: probes find a connection');
undef $waiting;
$t->wait_held(0);

# more than there are connections: an eighth of them is never taken

$t->reload(http => conf('10m max=1000'));
$t->wait_state('initializing');

($refused, $waiting) = refused(70);
cmp_ok($t->gate->{held}, '<=', 56,
    'max=1000: an eighth of the connections is left');
cmp_ok($t->gate->{held}, '>', 40, 'max=1000: the other connections are taken');
$attempts = $t->gate->{checks}[0]{attempts};
$t->wait_for(sub { $t->gate->{checks}[0]{attempts} > $attempts + 3 }, 'probes');
is($t->gate->{checks}[0]{reason}, 'bad_status',
    'max=1000: probes find a connection');
undef $waiting;
$t->wait_held(0);

# a verdict after 300 ms: init_hold ends the wait, not the 3 s of the start

unaffected($background);

$fake->set(0.3);
$t->quit;
$t->run(http => conf('600ms'));

my $begun = time;
my $clock = $t->clock;
is($t->get('/')->{status}, 503, 'init_hold 600ms at the start: refused');
cmp_ok(time - $begun, '>', 0.5, 'init_hold 600ms at the start: not too early');
cmp_ok($clock->seconds, '<', patience(2),
    'init_hold 600ms at the start: not too late');

done_testing;
