#!/usr/bin/perl

# The wall clock is set: overrides end in time, and notices do not become
# stale; only the times shown change.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use Time::HiRes qw(time);

plan(skip_all => 'the sanitizer has to be preloaded first')
    if InitGate::is_linked_in();

my $t = InitGate->new(http => <<'CONF');
    init_checks app { check file %%DIR%%/never  name=never;  interval 20ms; }
    init_checks told { check notify import  ttl=1h;  latch off;  interval 20ms; }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
        location /control/ { init_control token_file=%%DIR%%/token; }
        location /notify/ { init_notify token_file=%%DIR%%/token; }
    }
CONF

$t->write('token', 's3cret-token');

# mapped, so it is written in place

my $clock = $t->write('clock', pack 'q', 0);

sub set {
    my ($by) = @_;

    open my $fh, '+<:raw', $clock or die "$clock: $!";
    syswrite $fh, pack 'q', $by;
    close $fh;

    $t->wait_for(sub {
        return abs($t->time_of($t->check('never')->{last_checked}) - time - $by)
            < 60;
    }, "a probe at the new time");
}

sub post {
    my ($uri) = @_;

    return $t->post($uri, headers => {
        Authorization => 'Bearer s3cret-token' })->{status};
}

sub override { ($t->gate('app')->{overrides} // [])->[0] }

{
    local @ENV{qw(LD_PRELOAD CLOCK_FILE)} = ($t->preload('wall_clock'), $clock);
    $t->run;
}

$t->wait_state('initializing', 'app');
is(post('/control/app?action=open&for=1h&reason=r'), 204, 'open: 204');
is(post('/notify/told/import?verdict=passed'), 204, 'passed: 204');

for my $by (7200, -7200, 40 * 365 * 86400) {
    set($by);

    is($t->get('/')->{status}, 200, "clock set by $by s: open");
    is($t->check('import')->{verdict}, 'passed',
        "clock set by $by s: the notice is not stale");

    my $override = override();
    ok($override, "clock set by $by s: shown") or next;
    my $left = $t->time_of($override->{until}) - time - $by;
    cmp_ok($left, '<', 3700, "clock set by $by s: not longer");
    cmp_ok($left, '>', 0, "clock set by $by s: not over");
}

# one that ends while the clock is set back

my $since = $t->clock;
is(post('/control/app?action=open&for=1s&reason=short'), 204, 'short: 204');
set(-86400);
$t->wait_for(sub { $t->get('/')->{status} == 503 }, 'the end of an override');
cmp_ok($since->elapsed, '>', 0.9, 'clock set back: not before its time');
cmp_ok($since->seconds, '<', patience(10), 'clock set back: ends in time');
is(override(), undef, 'clock set back: not shown any more');

done_testing;
