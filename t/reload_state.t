#!/usr/bin/perl

# What state a gate is in after a reload: starting, failed, overdue, latched or
# not, and its deadline, which counts from the first start, and anew only when
# a gate that has been open begins again.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;
use Time::HiRes qw(time sleep);

my $fake = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;
    sleep 0.05 until $c->word;
    $c->send("HTTP/1.1 200 x\r\nContent-Length: 0\r\n"
        . "Connection: close\r\n\r\n");
});

my $t = InitGate->new(http => '');

my ($soon, $later) = map { patience($_) . 'ms' } 500, 600;

my $gates = <<"CONF";
    init_checks slow {
        check http http://127.0.0.1:@{[$fake->port]}/;
        interval 50ms;
        timeout 10s;
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

sub gate {
    my ($name) = @_;

    return (grep { $_->{gate} eq $name } @{$t->json('/init')->{gates}})[0];
}

sub state { gate($_[0])->{state} }

sub history { join ' ', map { $_->{state} } @{gate($_[0])->{history}} }

$t->write($_, 'here') for qw(done swings failed);
$t->run(http => conf());

$t->wait_for(sub { state('done') eq 'ready' }, 'the open gate');
my $load = InitGate::Load->new($t, clients => 2);

# starting: those who came before a reload wait, and those who come after it,
# for the three seconds of a start, in which valgrind does not get through two

my @waiting;
my $n = $ENV{TEST_NGINX_VALGRIND} ? 1 : 3;

for (1 .. $n) {
    my $socket = $t->connect;
    $socket->syswrite("GET /slow HTTP/1.1\r\nHost: a\r\n"
        . "Connection: close\r\n\r\n");
    push @waiting, $socket;
    $t->wait_for(sub { gate('slow')->{held} == @waiting }, 'it to wait');
    last if @waiting == $n;

    # the second time with another gate changed: another memory
    $t->reload(http => @waiting == 1 ? conf() : conf('check file %%DIR%%/done;',
        'check file %%DIR%%/done name=done;'));
    is(state('slow'), 'starting', 'starting over a reload');
}

$fake->set('go');
is(scalar(grep { $_ && $_->{status} == 200 } map { $t->http_read($_) }
    @waiting), $n, 'all are served');
is(history('slow'), 'starting ready', 'history');

# failed

$t->wait_for(sub { state('fails') eq 'failed' }, 'the failure');
$t->reload;
is(state('fails'), 'failed', 'failed over a reload');
$t->reload(http => conf('interval 50ms', 'interval 60ms'));
is(state('fails'), 'failed', 'and in another memory');
is(gate('fails')->{carried_over}, JSON::PP::true, 'carried over');
is(history('fails'), 'starting failed', 'history');

# overdue

$t->wait_for(sub { state('late') eq 'overdue' }, 'the deadline');
my $deadline = gate('late')->{deadline_at};
$t->reload;
is(state('late'), 'overdue', 'overdue over a reload');

# as many minutes as you like from now on do not help, unless they are more

$t->reload(http => conf("deadline $soon", "deadline $later"));
is(state('late'), 'overdue', 'counted from the first start');
isnt(gate('late')->{deadline_at}, $deadline, 'another deadline');

$t->reload(http => conf("deadline $later", 'deadline 1h'));
is(state('late'), 'initializing', 'a longer one');
like(history('late'), qr/initializing overdue initializing$/, 'history');

$t->reload(http => conf('deadline 1h', "deadline $soon"));
is(state('late'), 'overdue', 'and a shorter one');
is($t->get('/late')->{status}, 503, 'closed');
is(gate('late')->{opened_at}, undef, 'never open');

$t->reload(http => conf("deadline $soon", "deadline $soon open"));
is($t->get('/late')->{status}, 200, 'open all the same');
isnt(gate('late')->{opened_at}, undef, 'since then');

# it opens, late; with another check it begins again, and so does the clock

$t->write('late', 'here');
$t->wait_for(sub { state('late') eq 'ready' }, 'it to open');

$t->reload(http => conf('file %%DIR%%/late;', 'file %%DIR%%/late min_size=9;')
    =~ s/deadline $soon open/deadline 30s/r);
$t->wait_for(sub { state('late') eq 'initializing' }, 'it to begin again');

sub seconds { $_[0] =~ /:(\d\d):(\d\d\.\d+)Z$/ ? $1 * 60 + $2 : undef }

my ($again) = map { $_->{at} } grep { $_->{state} eq 'starting' }
    reverse @{gate('late')->{history}};
my $left = seconds(gate('late')->{deadline_at}) - seconds($again);
is(sprintf('%.1f', $left < 0 ? $left + 3600 : $left), '30.0',
    'and the clock with it');

# latch on to off: it is asked again, and closes by "fall"

$t->remove('swings');
is(state('swings'), 'ready', 'latched');
is(gate('swings')->{latched}, JSON::PP::true, 'indeed');
$t->reload(http => conf('latch on', 'latch off'));
is(gate('swings')->{carried_over}, JSON::PP::true, 'carried over');
is(gate('swings')->{latched}, JSON::PP::false, 'no latch any more');
$t->wait_for(sub { state('swings') eq 'initializing' }, 'it to close');
is($t->get('/swings')->{status}, 503, 'closed');

# off to on: as it is, until it opens

$t->reload(http => conf('latch off', 'latch on'));
is(state('swings'), 'initializing', 'a latch does not open');
$t->write('swings');
$t->wait_for(sub { state('swings') eq 'ready' }, 'it to open');
$t->remove('swings');
is(gate('swings')->{latched}, JSON::PP::true, 'latched again');

# off to on while it is open

$t->reload(http => conf('latch on', 'latch off'));
$t->write('swings');
$t->wait_for(sub { gate('swings')->{checks}[0]{carried_over} ? 0
    : gate('swings')->{checks}[0]{verdict} eq 'passed' }, 'a probe');
$t->reload(http => conf('latch off', 'latch on'));
is(gate('swings')->{latched}, JSON::PP::true, 'open, so it is latched');
is(state('swings'), 'ready', 'and ready');

only($load, 200, 'the open gate refused nobody');
balanced($t, 'done');

done_testing;
