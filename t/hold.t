#!/usr/bin/perl

# init_hold: requests are held in every worker, and released together when the
# gate opens; keep-alive and pipelining afterwards; a body is not read before;
# two gates; the response when the hold time is over.  Other requests are not
# affected.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;
use IO::Select;
use Time::HiRes qw(time sleep);

my $t = InitGate->new(also => InitGate::Load::BACKGROUND, http => InitGate::Load::HELD . <<'CONF');
    init_checks app { check file %%DIR%%/app;  interval 20ms; }
    init_checks other { check file %%DIR%%/other;  interval 20ms; }
    init_checks never { check file %%DIR%%/never;  interval 20ms; }

    init_hold 10m;

    server {
        listen 127.0.0.1:%%PORT_8080%% reuseport;
        access_log %%DIR%%/held.log held;
        client_max_body_size 100m;

        location / { init_gate app;  empty_gif; }
        location = /body {
            init_gate app;
            proxy_pass http://127.0.0.1:%%PORT_8081%%;
        }
        location = /both { init_gate app other;  empty_gif; }
        location = /short { init_gate never;  init_hold 300ms;  empty_gif; }
        location = /off { init_gate never;  init_hold off;  empty_gif; }
        location = /native {
            init_gate never;
            init_hold 200ms;
            init_response off;
        }
        location = /init { init_status details=on;  access_log off; }
    }
    server {
        listen 127.0.0.1:%%PORT_8081%%;
        client_max_body_size 100m;
        location / { return 200 "$http_content_length"; }
    }
CONF

$t->run;

$t->wait_state('initializing', 'never');
my $background = background($t);

# the hold time is over

my $begun = time;
my $clock = $t->clock;
my $answer = $t->get('/short');
is($answer->{status}, 503, 'hold of 300 ms: refused');
cmp_ok(time - $begun, '>=', 0.29, 'hold of 300 ms: not too early');
cmp_ok($clock->seconds, '<', patience(1), 'hold of 300 ms: not too late');
is($answer->{headers}{'x-init-gate'}, 'never; state=initializing',
    'hold of 300 ms: X-Init-Gate');

$clock = $t->clock;
is($t->get('/off')->{status}, 503, 'init_hold off: refused');
cmp_ok($clock->seconds, '<', patience(0.2), 'init_hold off: not held');
like($t->get('/native')->{content}, qr/<h1>503/,
    'hold, init_response off: page of nginx');

is_deeply([@{counters($t, 'never')}{qw(held_refused refused passed)}],
    [2, 1, 0], 'refused requests: counted');

# in both workers, keep-alive, and two at once on a connection

my @waiting = map { $t->send("/$_", keepalive => 1) } 1 .. 40;
my $pipe = $t->connect;
$pipe->syswrite(join '', map { "GET /pipe$_ HTTP/1.1\r\nHost: a\r\n\r\n" } 1, 2);
my @both = map { $t->send('/both') } 1 .. 4;
$t->wait_held(45, 'app');

# a large body: only the buffers of the sockets take some of it

my $size = 40_000_000;
my ($body) = $t->hold(1, '/body', 'app', method => 'POST',
    headers => "Content-Length: $size\r\n");
my $select = IO::Select->new($body);
my $sent = 0;

sub fill {
    my ($seconds) = @_;

    my $chunk = 'x' x 100_000;

    while ($sent < $size && $select->can_write($seconds)) {
        my $left = $size - $sent;
        $sent += $body->syswrite($chunk, $left < 100_000 ? $left : 100_000)
            // 0;
    }
}

# enough for several in each worker

sub some_requests { $t->get('/init') for 1 .. 20 }

$body->blocking(0);

# until nothing more is accepted during that many requests

my $before;

do {
    $before = $sent;
    fill(0);
    some_requests();

} until $sent == $before;

cmp_ok($sent, '<', $size / 2, 'held POST: body not read');
is_deeply([glob $t->path('temp/client_body/*')], [],
    'held POST: no temporary file');

my ($expect) = $t->hold(1, '/body', 'app', method => 'POST',
    headers => "Content-Length: 4\r\nExpect: 100-continue\r\n");

some_requests();
ok(!IO::Select->new($expect)->can_read(0),
    'held, Expect: 100-continue: no response');

$t->wait_held(47, 'app');
$clock = $t->clock;
$t->write('app');

my @answers = map { $t->http_read($_) } @waiting;
my $delay = 1000 * $clock->delay;
is(scalar(grep { $_->{status} == 200 } @answers), 40, 'held: served');
is(scalar(grep { $_->{headers}{connection} eq 'keep-alive' } @answers), 40,
    'held: keep-alive');

$t->send('/again', socket => $_, keepalive => 1) for @waiting;
is_deeply($t->statuses(@waiting), { 200 => 40 },
    'second request on a connection: served');

is($t->http_read($pipe)->{status}, 200, 'pipelined requests: served')
    for 1 .. 2;

fill(patience(60));
$body->blocking(1);
is($t->http_read($body)->{content}, $size, 'held POST: whole body passed on');

is($t->http_read($expect)->{status}, 100, 'Expect: 100-continue, open: 100');
$expect->syswrite('body');
is($t->http_read($expect)->{content}, 4,
    'Expect: 100-continue, open: body passed on');

# in every worker, within 50 ms of the opening, by the clock of nginx

my $late = lateness($t, 'held.log', 'app', qr{^/\d+$});

is(scalar keys %$late, 2, 'held: in both workers');
cmp_ok($_->[1], '<=', patience(50) + $delay, 'worker: released in time')
    for values %$late;
note(join ', ', map { "$_->[1] ms" } values %$late);

# the other gate is still closed

is($t->gate('app')->{held}, 4, 'two gates, one open: still held');
$t->write('other');
is_deeply($t->statuses(@both), { 200 => 4 }, 'two gates, both open: served');

is($t->gate('app')->{held}, 0, 'all served: none held');
is(counters($t, 'app')->{held_passed}, 47, 'all served: each counted once');
unaffected($background);

done_testing;
