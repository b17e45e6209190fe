#!/usr/bin/perl

# The state of a gate after a reload: starting, failed, overdue, latched or
# not, and its deadline, which counts from the first start, and begins again
# only when a gate that has been open starts again.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;

my $fake = InitGate::Fake->http(200, wait => 1);

my $t = InitGate->new(http => '');

my ($soon, $later) = map { patience($_) . 'ms' } 500, 600;

my $gates = <<"CONF";
    init_checks slow {
        check http http://127.0.0.1:@{[$fake->port]}/;
        interval 50ms;
        timeout 10m;
    }
    init_checks fails {
        check file %%DIR%%/nothing  failed=%%DIR%%/failed;
        interval 50ms;
    }
    init_checks late {
        check file %%DIR%%/late;
        interval 50ms;
        deadline $soon;
    }
    init_checks swings {
        check file %%DIR%%/swings;
        interval 50ms 50ms;
        latch on;
    }
    init_checks done { check file %%DIR%%/done;  interval 50ms; }
CONF

sub conf {
    my ($from, $to) = @_;

    if (defined $from) {
        $gates =~ s/\Q$from\E/$to/ or die "no $from";
    }

    return InitGate::Load::LOG . $gates . <<'CONF';
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate done;  empty_gif; }
        location = /slow { init_gate slow;  empty_gif; }
        location = /late { init_gate late;  empty_gif; }
        location = /swings { init_gate swings;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
    }
CONF
}

sub state { $t->gate($_[0])->{state} }

sub history { join ' ', map { $_->{state} } @{$t->gate($_[0])->{history}} }

$t->write($_, 'here') for qw(done swings failed);

# starting: requests before a reload wait, and those after it, for the three
# seconds of a start

my $start = $t->within(2.5, sub {
    $t->quit;
    $t->remove('decisions.log');
    $fake->set('');
    $t->run(http => conf());

    my @waiting = $t->hold(1, '/slow', 'slow');
    my @states;

    # the second time with another gate changed: another shared memory

    for (conf(), conf() =~ s{file %%DIR%%/done;}{file %%DIR%%/done name=done;}r)
    {
        $t->reload(http => $_);
        push @states, state('slow');
        push @waiting, $t->send('/slow');
    }

    $fake->set(200);

    return { states => \@states, statuses => $t->statuses(@waiting) };
});

SKIP: {
    skip 'too slow for a start of three seconds', 3 if !$start;

    is_deeply($start->{states}, [('starting') x 2],
        'starting, reloads: starting');
    is_deeply($start->{statuses}, { 200 => 3 }, 'starting, reloads: served');
    is(history('slow'), 'starting ready', 'starting, reloads: history');
}

$t->wait_ready('done');
my $load = InitGate::Load->new($t, clients => 2);

# failed

$t->wait_for(sub { state('fails') eq 'failed' }, 'the failure');
$t->reload;
is(state('fails'), 'failed', 'failed, reload: failed');
$t->reload(http => conf('interval 50ms', 'interval 60ms'));
is(state('fails'), 'failed',
    'failed, reload with another shared memory: failed');
is($t->gate('fails')->{carried_over}, JSON::PP::true,
    'failed, reloads: carried over');
is(history('fails'), 'starting failed', 'failed, reloads: history');

# overdue

$t->wait_for(sub { state('late') eq 'overdue' }, 'the deadline');
my $deadline = $t->gate('late')->{deadline_at};
$t->reload;
is(state('late'), 'overdue', 'overdue, reload: overdue');

# another deadline, which also counts from the first start

$t->reload(http => conf("deadline $soon", "deadline $later"));
is(state('late'), 'overdue',
    'overdue, later deadline that has passed: overdue');
isnt($t->gate('late')->{deadline_at}, $deadline,
    'overdue, later deadline: deadline_at');

$t->reload(http => conf("deadline $later", 'deadline 1h'));
is(state('late'), 'initializing',
    'overdue, deadline in the future: initializing');
like(history('late'), qr/initializing overdue initializing$/,
    'overdue, reloads: history');

$t->reload(http => conf('deadline 1h', "deadline $soon"));
is(state('late'), 'overdue', 'deadline passed again: overdue');
is($t->get('/late')->{status}, 503, 'overdue: refused');
is($t->gate('late')->{opened_at}, undef, 'overdue: opened_at');

$t->reload(http => conf("deadline $soon", "deadline $soon open"));
is($t->get('/late')->{status}, 200,
    'overdue, reload with "deadline open": served');
isnt($t->gate('late')->{opened_at}, undef,
    'overdue, reload with "deadline open": opened_at');

# the gate opens late; with another check it starts again, with its deadline

$t->write('late', 'here');
$t->wait_for(sub { state('late') eq 'ready' }, 'it to open');

$t->reload(http => conf('file %%DIR%%/late;', 'file %%DIR%%/late min_size=9;')
    =~ s/deadline $soon open/deadline 30s/r);
$t->wait_for(sub { state('late') eq 'initializing' }, 'it to begin again');

my ($again) = map { $_->{at} } grep { $_->{state} eq 'starting' }
    reverse @{$t->gate('late')->{history}};
my $left = $t->time_of($t->gate('late')->{deadline_at}) - $t->time_of($again);
is(sprintf('%.1f', $left), '30.0',
    'open gate starts again: deadline from then on');

# latch on to off: the gate is probed again, and closes after "fall" verdicts

$t->remove('swings');
is(state('swings'), 'ready', 'latched, marker removed: ready');
is($t->gate('swings')->{latched}, JSON::PP::true,
    'latched, marker removed: latched');
$t->reload(http => conf('latch on', 'latch off'));
is($t->gate('swings')->{carried_over}, JSON::PP::true,
    'latch on to off: carried over');
is($t->gate('swings')->{latched}, JSON::PP::false,
    'latch on to off: not latched');
$t->wait_for(sub { state('swings') eq 'initializing' }, 'it to close');
is($t->get('/swings')->{status}, 503, 'latch on to off: closes');

# off to on: unchanged until the gate opens

$t->reload(http => conf('latch off', 'latch on'));
is(state('swings'), 'initializing', 'latch off to on, closed: initializing');
$t->write('swings');
$t->wait_for(sub { state('swings') eq 'ready' }, 'it to open');
$t->remove('swings');
is($t->gate('swings')->{latched}, JSON::PP::true,
    'latch off to on, opens: latched');

# off to on while the gate is open

$t->reload(http => conf('latch on', 'latch off'));
$t->write('swings');
$t->wait_for(sub { $t->gate('swings')->{checks}[0]{carried_over} ? 0
    : $t->gate('swings')->{checks}[0]{verdict} eq 'passed' }, 'a probe');
$t->reload(http => conf('latch off', 'latch on'));
is($t->gate('swings')->{latched}, JSON::PP::true,
    'latch off to on, open: latched');
is(state('swings'), 'ready', 'latch off to on, open: ready');

only_status($load, 200, 'open gate: none refused');
counted_as_logged($t, 'done');

done_testing;
