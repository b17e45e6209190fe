#!/usr/bin/perl

# worker_connections exhausted by clients: a probe without a connection ends with
# an error ignored by rise and fall, no process crashes, and probes continue
# afterwards.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;

my $fake = InitGate::Fake->http(200);

my $t = InitGate->new(workers => 1, events => 'worker_connections 32;',
    http => InitGate::Load::LOG . <<"CONF");

    init_checks app {
        check http http://127.0.0.1:@{[$fake->port]}/;
        interval 50ms 50ms;
        timeout 1m;
        latch off;
        fall 1;
    }
    init_checks closed {
        check http http://127.0.0.1:@{[$fake->port]}/ status=404;
        interval 50ms;
        timeout 1m;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        client_header_timeout 10m;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app;  empty_gif; }
        location = /closed { init_gate closed;  init_hold 10m;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
    }
CONF

# of those that nginx accepts

$t->allow(qr/\[alert\].*worker_connections are not enough$/);
$t->run;
$t->wait_ready('app');

sub failures {
    return $t->get('/init?format=prometheus')->{content}
        =~ /^nginx_init_gate_check_failures_total\{gate="app".*no_connections"\} (\d+)/m
        ? $1 : 0;
}

my ($waiting) = $t->hold(1, '/closed', 'closed');
is(failures(), 0, 'free connections: no such failure');

# A connection with a partial request is not closed to reuse it, one without
# may be.  A probe may have the last connection, and give it back.

my $load = InitGate::Load->new($t, clients => 2);
my @others;

$t->wait_for(sub {
    @others = grep { !IO::Select->new($_)->can_read(0) } @others;

    while (@others < 64) {
        push @others, $t->connect;
        $others[-1]->syswrite("GET / HTTP/1.1\r\n");
    }

    return !grep { !$t->log_count(qr/init gate "$_": check "http" error/) }
        qw(app closed);
}, 'connections to be exhausted');

# connections are free again

@others = ();
$t->wait_for(sub { $t->gate('app')->{checks}[0]{verdict} eq 'passed' },
    'a probe that passes');

cmp_ok(failures(), '>', 0, 'connections exhausted: failures counted');
is($t->gate('app')->{state}, 'ready', 'connections exhausted: gate ready');
is_deeply([map { $_->{state} } @{$t->gate('app')->{history}}],
    ['starting', 'ready'], 'connections exhausted: no change of state');
is($t->gate('closed')->{state}, 'initializing',
    'connections exhausted: closed gate unchanged');
is($t->gate('closed')->{held}, 1, 'connections exhausted: request still held');

# a request without a connection is lost, the others are served

$load->more(20, 200);
my %count = $load->stop->counts;
delete $count{lost};
is_deeply([keys %count], [200],
    'connections exhausted: no request refused');
counted_as_logged($t, 'app');

# verdicts are counted again

$load = InitGate::Load->new($t, clients => 2);
$load->more(20);
only_status($load, 200, 'free connections again: none refused');

$fake->set(404);
$t->wait_state('initializing', 'app');
is($t->http_read($waiting)->{status}, 200,
    'held request: served when the gate opens');
is($t->gate('closed')->{held_passed}, 1, 'held request: counted');

done_testing;
