#!/usr/bin/perl

# init_ready with "Prefer: wait=N": the answer comes with the change, after N
# seconds, or at once when the worker exits; a budget limits how many wait.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::HTTP2 ();
use InitGate::Load;

my $t = InitGate->new(workers => 2, status => 8081, http => '');

my ($listen, $on) = $t->version >= 1.025001 ? ('', 'http2 on;') : ('http2', '');

my $conf = <<"CONF";
    init_checks app {
        check file %%DIR%%/marker  name=marker  failed=%%DIR%%/failed
                                                progress=%%DIR%%/progress;
        check file %%DIR%%/nice    name=nice    optional;
        interval 50ms;
        latch off;
        fall 1;
    }
    init_checks other { check file %%DIR%%/other;  interval 50ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location /ready { init_ready app; }
        location = /all { init_ready; }
        location = /sub { auth_request /ready;  empty_gif; }
        location = /hold { init_gate app;  init_hold 1h max=1;  empty_gif; }
        keepalive_timeout 1h;
    }
    server {
        listen 127.0.0.1:%%PORT_8082%% $listen;
        $on
        location /ready { init_ready app; }
    }
    server {
        listen 127.0.0.1:%%PORT_8081%%;
        location = /init { init_status details=on;  keepalive_timeout 0; }
    }
CONF

sub waiting {
    my ($n, $label) = @_;

    return $t->wait_for(sub { $t->gate('app')->{waited} == $n }, $label);
}

sub is_quick {
    my ($clock, $label) = @_;

    cmp_ok($clock->seconds, '<', patience(4), $label);
}

$t->run(http => $conf);
$t->wait_state('initializing', 'app');

# what is asked for, and what is applied

my $r = $t->get('/ready', headers => { Prefer => 'wait=0' });
is($r->{status}, 503, 'wait=0: answered');
is($r->{headers}{'preference-applied'}, 'wait=0', 'wait=0: applied');
like($r->{headers}{etag}, qr{^W/"[0-9a-f]{8}"$}, 'response: ETag');
is($t->get('/ready')->{headers}{'preference-applied'}, undef,
    'no Prefer: no Preference-Applied');
is($t->get('/ready')->{headers}{etag}, $r->{headers}{etag},
    'ETag: the same without a change');

my $clock = $t->clock;
$r = $t->get('/ready', headers => { Prefer => 'wait=1' });
is($r->{status}, 503, 'wait=1: answered after a second');
is($r->{headers}{'preference-applied'}, 'wait=1', 'wait=1: applied');
cmp_ok($clock->seconds, '>', 0.9, 'wait=1: not before');

is($t->get('/ready', headers => { Prefer => 'wait=x' })
    ->{headers}{'preference-applied'}, undef, 'wait=x: ignored');

# until the gate opens, whatever else changes

my $socket = $t->send('/ready', headers => "Prefer: wait=3600\r\n");
my $json = $t->send('/ready', headers => "Prefer: wait=50\r\n"
    . "Accept: application/json\r\n");
my $head = $t->send('/ready', method => 'HEAD',
    headers => "Prefer: wait=50\r\n");
my $check = $t->send('/ready/marker', headers => "Prefer: wait=50\r\n");
my $all = $t->send('/all', headers => "Prefer: wait=50\r\n");
waiting(6, 'requests to wait');

$t->write('progress', '1/2');
$t->wait_for(sub { $t->gate('app')->{checks}[0]{verdict} eq 'running' },
    'progress');
ok(!IO::Select->new($socket, $json, $head, $check, $all)->can_read(0.1),
    'another verdict: they wait');

$clock = $t->clock;
$t->write('marker');
$r = $t->http_read($socket);
is($r->{status}, 200, 'gate opens: 200');
is($r->{headers}{'preference-applied'}, 'wait=55', 'gate opens: at most 55 s');
like($r->{content}, qr/^readyz check passed$/m, 'gate opens: text');
$r = $t->http_read($json);
like($r->{content}, qr/^\{"ready":true,/, 'gate opens: JSON');
is($t->http_read($head, 'HEAD')->{status}, 200, 'gate opens: HEAD');
is($t->http_read($check)->{status}, 200, 'gate opens: one check');
$t->write('other');
is($t->http_read($all)->{status}, 200, 'all gates open: 200');
is_quick($clock, 'gate opens: at once');
is($t->get('/ready', headers => { Prefer => 'wait=50' })->{status}, 200,
    'open: at once');

# until it fails

unlink $t->path('marker');
$t->wait_state('initializing', 'app');
$socket = $t->send('/ready', headers => "Prefer: wait=50\r\n");
waiting(7, 'a request to wait');
$t->write('failed', 'no space');
$r = $t->http_read($socket);
is($r->{status}, 503, 'gate fails: 503');
like($r->{content}, qr/^\[-\]marker failed: reported$/m, 'gate fails: why');

# with a tag: until anything changes

sub tag { $t->get('/ready')->{headers}{etag} }

my $tag = tag();
$socket = $t->send('/ready', headers => "Prefer: wait=50\r\n"
    . "If-None-Match: $tag\r\n");
waiting(8, 'a request with a tag to wait');
$t->write('nice');
$r = $t->http_read($socket);
is($r->{status}, 503, 'with a tag, another verdict: 503');
isnt($r->{headers}{etag}, $tag, 'with a tag, another verdict: another tag');
like($r->{content}, qr/^\[\+\]nice ok/m, 'with a tag: the verdict');

$clock = $t->clock;
$r = $t->get('/ready', headers => { Prefer => 'wait=50',
    'If-None-Match' => $tag });
is($r->{headers}{'preference-applied'}, 'wait=50', 'with an old tag: applied');
is_quick($clock, 'with an old tag: at once');

$tag = tag();
$r = $t->get('/ready', headers => { Prefer => 'wait=1',
    'If-None-Match' => "\"x\", $tag" });
is("$r->{status} $r->{headers}{etag}", "503 $tag",
    'with a tag, no change: the same after a second');

$t->remove('failed');
$t->write('marker');
$t->wait_state('ready', 'app');
$tag = tag();
is($t->get('/ready', headers => { 'If-None-Match' => $tag })->{status}, 200,
    'open, with its tag: 200');
my $waited = $t->gate('app')->{waited};
$socket = $t->send('/ready', headers => "Prefer: wait=50\r\n"
    . "If-None-Match: $tag\r\n");
waiting($waited + 1, 'a request at the open gate to wait');
unlink $t->path('marker');
is($t->http_read($socket)->{status}, 503, 'with a tag, gate closes: 503');

# a client that leaves; a subrequest; the budget of held requests

$t->send('/ready', headers => "Prefer: wait=50\r\n")->close;
$t->wait_log(qr/client has gone while it waited/);

$clock = $t->clock;
is($t->get('/sub', headers => { Prefer => 'wait=50' })->{status}, 500,
    'subrequest: answered');
is_quick($clock, 'subrequest: does not wait');

my @waiting = map { $t->send('/ready', headers => "Prefer: wait=50\r\n") } 1 .. 8;
my ($held) = $t->hold(1, '/hold', 'app');
$held->close;
$t->wait_held(0, 'app');
$_->close for @waiting;

# a reload answers at once, of either configuration

for my $change ('', "\n    init_checks more { check file %%DIR%%/more; }\n") {
    my $before = $t->gate('app')->{waited};
    my @sockets = map {
        $t->send('/ready', keepalive => 1, headers => "Prefer: wait=50\r\n")
    } 1 .. 8;
    waiting($before + 8, 'requests to wait');

    $clock = $t->clock;
    $t->reload(http => $conf . $change);
    my @got = map { $t->http_read($_) } @sockets;
    is_quick($clock, 'reload: at once');
    is_deeply([map { "$_->{status} $_->{headers}{'preference-applied'}" } @got],
        [('503 wait=50') x 8], 'reload: all are answered');
}

# a request that an exiting worker receives: its client may ask again

$socket = $t->connect;
$socket->syswrite("GET /ready HTTP/1.1\r\nHost: a\r\nPrefer: wait=50\r\n"
    . "Test: exiting\r\n");
$t->wait_log(qr/http header: "Test: exiting"/);
my $exiting = $t->log_count(qr/gracefully shutting down/);
$t->signal('HUP');
$t->wait_log(qr/gracefully shutting down/, $exiting + 2);
$clock = $t->clock;
$socket->syswrite("\r\n");
$r = $t->http_read($socket);
is($r->{headers}{'preference-applied'}, 'wait=50', 'exiting worker: applied');
is($r->{headers}{connection}, 'close', 'exiting worker: connection is closed');
is_quick($clock, 'exiting worker: at once');

$t->wait_state('initializing', 'app');
my $before = $t->gate('app')->{waited};
@waiting = map { $t->send('/ready', headers => "Prefer: wait=50\r\n") } 1 .. 8;
waiting($before + 8, 'requests to wait');
cmp_ok($t->quit, '<', patience(1), 'QUIT: quick');
is_deeply($t->statuses(@waiting), { 503 => 8 }, 'QUIT: all are answered');

# the budget: an eighth of the connections

$t->{workers} = 1;
$t->run(http => $conf, events => 'worker_connections 128;');
$t->wait_state('initializing', 'app');
$before = $t->gate('app')->{waited};
@waiting = map {
    $t->send('/ready', headers => "Prefer: wait=50\r\n")
} 1 .. 16;
waiting($before + 16, '16 of 128 to wait');
$clock = $t->clock;
$r = $t->get('/ready', headers => { Prefer => 'wait=50' });
is("$r->{status} " . ($r->{headers}{'preference-applied'} // 'no'), '503 no',
    'budget used up: answered, not applied');
is_quick($clock, 'budget used up: at once');
$_->close for @waiting;
$t->wait_log(qr/client has gone while it waited/, 17);

# HTTP/2: eight on a connection

sub request {
    my ($stream) = @_;

    return InitGate::HTTP2::end($stream, ':method' => 'GET',
        ':scheme' => 'http', ':authority' => 'a', ':path' => '/ready',
        prefer => 'wait=50');
}

$before = $t->gate('app')->{waited};
$socket = $t->connect($t->port(8082));
$socket->syswrite("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    . InitGate::HTTP2::settings() . join '', map { request(2 * $_ + 1) } 0 .. 9);
waiting($before + 8, 'eight streams to wait');

my $got = '';
$t->wait_for(sub {
    IO::Select->new($socket)->can_read(0)
        and sysread $socket, $got, 65536, length $got;
    return 2 == (() = $got =~ /readyz check failed/g);
}, 'two answers');
is($t->gate('app')->{waited}, $before + 8, 'a ninth stream: answered at once');

$t->write('marker');
$t->wait_for(sub {
    IO::Select->new($socket)->can_read(0)
        and sysread $socket, $got, 65536, length $got;
    return 8 == (() = $got =~ /readyz check passed/g);
}, 'eight more answers');
$socket->close;

# a single process

$t->quit;
$t->{master} = 0;
unlink $t->path('marker');
$t->run(http => $conf);
$t->wait_for(sub { eval { $t->gate('app')->{state} eq 'initializing' } },
    'a verdict');
$socket = $t->send('/ready', headers => "Prefer: wait=50\r\n");
$t->wait_for(sub { $t->gate('app')->{waited} == 1 }, 'a request to wait');
$clock = $t->clock;
$t->signal('HUP');
is($t->http_read($socket)->{status}, 503, 'single process, reload: answered');
is_quick($clock, 'single process, reload: at once');

done_testing;
