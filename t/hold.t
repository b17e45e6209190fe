#!/usr/bin/perl

# init_hold: requests wait in every worker, and are released together when the
# gate opens; keep-alive and pipelining afterwards; a body is not read before;
# two gates; what a hold that ends is answered.  Nobody else is disturbed.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;
use IO::Select;
use Time::HiRes qw(time sleep);

my $t = InitGate->new(also => InitGate::Load::BESIDE, http => <<'CONF');
    log_format held '$msec $pid $status $init_gate_decision $init_gate_held '
                    '$request_uri';

    init_checks app { check file %%DIR%%/app;  interval 20ms; }
    init_checks other { check file %%DIR%%/other;  interval 20ms; }
    init_checks never { check file %%DIR%%/never;  interval 20ms; }

    init_hold 30s;

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

sub gate {
    my ($name) = @_;

    return (grep { $_->{gate} eq $name } @{$t->json('/init')->{gates}})[0];
}

sub begin {
    my ($uri, $connection) = @_;

    my $socket = $t->connect;
    $socket->syswrite("GET $uri HTTP/1.1\r\nHost: a\r\nConnection: "
        . ($connection // 'close') . "\r\n\r\n");

    return $socket;
}

$t->wait_for(sub { gate('never')->{state} eq 'initializing' }, 'a verdict');
my $beside = beside($t);

# a hold that ends

my $begun = time;
my $answer = $t->get('/short');
is($answer->{status}, 503, 'a hold that ends');
cmp_ok(time - $begun, '>=', 0.29, 'not before its time');
cmp_ok(time - $begun, '<', patience(1), 'nor long after');
is($answer->{headers}{'x-init-gate'}, 'never; state=initializing', 'header');

$begun = time;
is($t->get('/off')->{status}, 503, 'no hold');
cmp_ok(time - $begun, '<', patience(0.2), 'at once');
like($t->get('/native')->{content}, qr/<h1>503/, 'nginx\'s own answer');

is_deeply([@{counters($t, 'never')}{qw(held_refused refused passed)}],
    [2, 1, 0], 'counted');

# in both workers, keep-alive, and two at once on a connection

my @waiting = map { begin("/$_", 'keep-alive') } 1 .. 40;
my $pipe = $t->connect;
$pipe->syswrite(join '', map { "GET /pipe$_ HTTP/1.1\r\nHost: a\r\n\r\n" } 1, 2);
my @both = map { begin('/both') } 1 .. 4;

# a large body: no more than the sockets' buffers is taken

my $size = 40_000_000;
my $body = $t->connect;
$body->blocking(0);
$body->syswrite("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: $size\r\n"
    . "Connection: close\r\n\r\n");
my $sent = 0;
my $select = IO::Select->new($body);
my $chunk = 'x' x 100_000;

while ($select->can_write(0.3)) {
    my $left = $size - $sent;
    $sent += $body->syswrite($chunk, $left < 100_000 ? $left : 100_000) // 0;
    last if $sent >= $size;
}

cmp_ok($sent, '<', $size / 2, 'a body is not read before');
is_deeply([glob $t->path('temp/client_body/*')], [], 'nor kept');

my $expect = $t->connect;
$expect->syswrite("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
    . "Expect: 100-continue\r\nConnection: close\r\n\r\n");

$t->wait_for(sub { gate('app')->{held} == 47 }, 'all to wait') or diag
    gate('app')->{held};
ok(!IO::Select->new($expect)->can_read(0.05), 'nobody is asked for a body');

$t->write('app');

my @answers = map { $t->http_read($_) } @waiting;
is(scalar(grep { $_->{status} == 200 } @answers), 40, 'all are served');
is(scalar(grep { $_->{headers}{connection} eq 'keep-alive' } @answers), 40,
    'connections live on');

$_->syswrite("GET /again HTTP/1.1\r\nHost: a\r\n\r\n") for @waiting;
is(scalar(grep { $_->{status} == 200 } map { $t->http_read($_) } @waiting), 40,
    'and are used again');

is($t->http_read($pipe)->{status}, 200, 'two at once: the first')
    for 1 .. 2;

while ($sent < $size && $select->can_write(5)) {
    my $left = $size - $sent;
    $sent += $body->syswrite($chunk, $left < 100_000 ? $left : 100_000) // 0;
}

$body->blocking(1);
is($t->http_read($body)->{content}, $size, 'the body has arrived whole');

is($t->http_read($expect)->{status}, 100, 'Expect: 100-continue: go on');
$expect->syswrite('body');
is($t->http_read($expect)->{content}, 4, 'and so it did');

# in every worker, within 50 ms of opening, by nginx's own clock

my ($opened) = gate('app')->{opened_at} =~ /:(\d\d\.\d{3})Z$/;
my %late;

for (split /\n/, $t->read('held.log')) {
    my ($at, $pid, $status, $decision, $held, $uri) = split ' ';
    next if $uri !~ m{^/\d+$};

    my $late = ($at * 1000 - $opened * 1000) % 60000;
    $late{$pid} = $late if $late > ($late{$pid} // -1);
    is("$status $decision", '200 held_passed', $uri) if "$status $decision"
        ne '200 held_passed';
}

is(scalar keys %late, 2, 'in both workers');
cmp_ok($late{$_}, '<=', patience(50), "worker $_: released in time")
    for keys %late;
note(join ', ', map { "$late{$_} ms" } keys %late);

# the other gate is still closed

is(gate('app')->{held}, 4, 'those who need another gate wait on');
$t->write('other');
is(scalar(grep { $_->{status} == 200 } map { $t->http_read($_) } @both), 4,
    'until that is open, too');

is(gate('app')->{held}, 0, 'nobody waits any more');
is(counters($t, 'app')->{held_passed}, 47, 'counted once each');
undisturbed($beside);

done_testing;
