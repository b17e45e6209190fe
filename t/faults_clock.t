#!/usr/bin/perl

# The wall clock is set, forward and back: intervals, timeouts, deadlines and
# holds are not affected, nor is the latency of ordinary requests; only the
# times shown change.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Latency;
use InitGate::Fake;
use Time::HiRes qw(time);

plan(skip_all => 'the sanitizer has to be preloaded first')
    if InitGate::is_linked_in();

my $t = InitGate->new(workers => 1);
my $library = $t->preload('wall_clock');

# mapped, so it is written in place

my $clock = $t->write('clock', pack 'q', 0);
my $set = 0;

sub set {
    my ($by) = @_;

    $set += $by;
    open my $fh, '+<:raw', $clock or die "$clock: $!";
    syswrite $fh, pack 'q', $set;
}

my $steady = InitGate::Fake->http(503);
my $silent = InitGate::Fake->new(sub { $_[0]->hang });

my $http = InitGate::Latency::GATE . <<"CONF";
    init_checks app {
        check http http://127.0.0.1:@{[$steady->port]}/  name=steady;
        check http http://127.0.0.1:@{[$silent->port]}/  name=silent;
        check file %%DIR%%/app;
        interval 300ms;  backoff 300ms;  timeout 300ms;
        deadline 1h;
    }
    init_checks late {
        check file %%DIR%%/never;
        deadline 4s;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
@{[InitGate::Latency::LOCATION]}
        location / { init_gate app;  init_hold 1500ms;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

my $started = time;
my $since_start = $t->clock;

{
    local @ENV{qw(LD_PRELOAD CLOCK_FILE)} = ($library, $clock);
    $t->run(http => $http);
}

my $latency = InitGate::Latency->new($t);

sub attempts { map { $t->check($_)->{attempts} } qw(steady silent) }
sub today { substr $t->check('steady')->{last_checked}, 0, 10 }

# probes continue, whatever the time

sub goes_on {
    my ($name) = @_;

    my ($steady, $silent) = attempts();

    $t->wait_for(sub {
        my @now = attempts();
        return $now[0] > $steady + 2 && $now[1] > $silent + 1;
    }, "$name: more probes");
}

my $day = 86400;

$t->wait_for(sub { (attempts())[1] > 1 }, 'the first probes');
my $first = today();
my $begun = time;
my $since_hold = $t->clock;
my ($waiting) = $t->hold(1, '/', 'app');

$latency->begin;
set($day);
$t->wait_for(sub { today() ne $first }, 'another day');
is($t->gate('late')->{state}, 'initializing', 'a day ahead: not overdue');
set(-2 * $day);
$t->wait_for(sub { today() lt $first }, 'the day before');

my $answer = $t->http_read($waiting);
my $waited = time - $begun;
is($answer->{status}, 503, 'clock set: held request refused');
cmp_ok($waited, '>', 1.4, 'clock set: held request not answered too early');
cmp_ok($since_hold->seconds, '<', patience(3),
    'clock set: held request not answered too late');
cmp_ok($answer->{headers}{'retry-after'}, '<=', 120, 'clock set: Retry-After');

$t->wait_state('overdue', 'late');
cmp_ok(time - $started, '>', 3.9, 'clock set: overdue not too early');
cmp_ok($since_start->seconds, '<', patience(7),
    'clock set: overdue not too late');

goes_on('back');
set(366 * $day);
goes_on('a year ahead');
set(-300 * $day);
goes_on('back again');
$latency->end('the clock is set');

# the interval is 270 ms at least

cmp_ok($steady->connections, '<=', 1 + (time - $started) / 0.27,
    'clock set: no probe too early');

my ($took) = $t->get('/init?format=prometheus')->{content}
    =~ /^nginx_init_gate_startup_duration_seconds\{gate="app"\} (\S+)/m;
cmp_ok(abs($took - $since_start->elapsed), '<',
    patience(2) + $since_start->delay, 'clock set: duration');

done_testing;
