#!/usr/bin/perl

# Binary upgrade and restart under load.  In front of an initialized backend no
# request is refused, since requests wait for the first verdicts.  Otherwise
# the first verdict refuses them at once.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;

# responds after a while, as a database in the network may

my $fake = InitGate::Fake->http(200, wait => 1);

my $t = InitGate->new(http => InitGate::Load::LOG . <<"CONF");
    init_checks app {
        check http http://127.0.0.1:@{[$fake->port]}/;
        interval 50ms;
        timeout 10m;
    }
    init_checks late { check file %%DIR%%/late;  interval 20ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app;  empty_gif; }
        location = /late { init_gate late;  init_hold 10m;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
    }
CONF

# requests at a start wait for the first verdict, for three seconds

sub first_requests {
    my ($status) = @_;

    return $t->within(2.5, sub {
        $t->quit;
        $t->remove('decisions.log');
        $fake->set('');
        $t->run;

        my $load = InitGate::Load->new($t);
        $t->wait_held(4, 'app');
        $fake->set($status);
        $load->more(20);

        return $load;
    });
}

# one load for all parts of the test

my $load = first_requests(200);

SKIP: {
    skip 'too slow for a start of three seconds', 2 if !$load;

    only_status($load, 200, 'start, initialized: none refused');
    is($t->gate('app')->{held_passed}, 4, 'start, initialized: first held');
}

$t->wait_ready('app');

# forward

$load = InitGate::Load->new($t);
$load->more(20);

my $clock = $t->clock;
my ($old, $new) = $t->upgrade;

$load->more(20);
$t->signal('WINCH', $old);
$t->wait_for(sub { !$t->workers($old) }, 'the old workers to go');
$load->more(20);
$t->signal('QUIT', $old);
$t->wait_exit($old);
$t->{pid} = $new;

$load->more(20);
is($t->gate('app')->{carried_over}, JSON::PP::false,
    'upgrade: not carried over');
is_deeply([map { $_->{state} } @{$t->gate('app')->{history}}],
    ['starting', 'ready'], 'upgrade: probed again');

# back: workers of the old binary start again, with the former state

my $first = $t->gate('app');
my $asked = $fake->connections;

($old, $new) = $t->upgrade;
$load->more(20);

$t->signal('WINCH', $old);
$t->wait_for(sub { !$t->workers($old) }, 'the old workers to go');
$load->more(20);

$t->signal('HUP', $old);
$t->wait_for(sub { $t->workers($old) == 2 }, 'the old workers to come back');
$t->signal('QUIT', $new);
$t->wait_exit($new);

$load->more(20);
only_status($load, 200, 'upgrade and back: none refused');
cmp_ok($load->slowest, '<', patience(3) + $clock->delay,
    'upgrade and back: none held longer than at a start');

is_deeply([@{$t->gate('app')}{qw(state started_at opened_at)}],
    [@$first{qw(state started_at opened_at)}],
        'upgrade and back: gate unchanged');
is($fake->connections, $asked + 1,
    'upgrade and back: one probe, of the new binary');

# requests are held while workers of the old binary stop and start again: the
# gate is probed all the time

$load = InitGate::Load->new($t, clients => 2);

my @waiting = $t->hold(8, '/late', 'late');

my @before = $t->workers;
$t->{pid} = $old;
($old, $new) = $t->upgrade;
$t->signal('WINCH', $old);
$t->wait_for(sub { !$t->workers($old) }, 'the old workers to shut down');
$t->signal('HUP', $old);
$t->wait_for(sub { $t->workers($old) == 2 }, 'the old workers to come back');
$t->signal('QUIT', $new);
$t->wait_exit($new);

is($t->gate('late')->{held}, 8, 'workers stopped and started: still held');
my $prober = $t->prober;
ok((grep { $_ == $prober } @before),
    'workers stopped and started: an old worker probes');

$clock = $t->clock;
$t->write('late');
is_deeply($t->statuses(@waiting), { 200 => 8 }, 'gate opens: held served');
cmp_ok($clock->seconds, '<', patience(1), 'gate opens: served in time');

$t->wait_exit(@before);
$t->wait_for(sub {
    my $now = $t->prober;
    return $now && $now != $prober && $t->alive($now);
}, 'a new prober');

only_status($load, 200, 'open gate: none refused');

# restart

$load = first_requests(200);

SKIP: {
    skip 'too slow for a start of three seconds', 2 if !$load;

    only_status($load, 200, 'restart, initialized: none refused');
    is($t->gate('app')->{held_passed}, 4, 'restart, initialized: first held');
}

# not initialized: the first verdict refuses all requests

$clock = $t->clock;
$load = first_requests(503);

SKIP: {
    skip 'too slow for a start of three seconds', 4 if !$load;

    only_status($load, 503, 'restart, not initialized: refused');
    cmp_ok($load->slowest, '<', patience(1.5) + $clock->delay,
        'restart, not initialized: refused by the first verdict');
    is(counters($t, 'app')->{held_passed}, 0,
        'restart, not initialized: none passed');
    is(counters($t, 'app')->{held_refused}, 4,
        'restart, not initialized: first held');
}

$clock = $t->clock;
($old, $new) = $t->upgrade;
$load = InitGate::Load->new($t);
$t->signal('QUIT', $old);
$t->wait_exit($old);
$t->{pid} = $new;
$load->more(10);
only_status($load, 503, 'upgrade, not initialized: refused');
cmp_ok($load->slowest, '<', patience(1.5) + $clock->delay,
    'upgrade, not initialized: refused by the first verdict');

done_testing;
