#!/usr/bin/perl

# Notices during reloads, with the prober stopped or killed: 204 means in force
# in every worker, 202 that it will be.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $one = 'check notify import;';

my $t = InitGate->new(workers => 3, http => conf($one));

sub conf {
    my ($checks) = @_;

    return <<"CONF";
    init_checks app { $checks  latch off;  interval 20ms; }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
        location /notify/ { init_notify token_file=%%DIR%%/token; }
    }
CONF
}

$t->write('token', 's3cret-token');
$t->run;

my $headers = { Authorization => 'Bearer s3cret-token',
    'Content-Type' => 'application/x-www-form-urlencoded' };

sub told {
    my ($check, $verdict, $message) = @_;

    return $t->post("/notify/app/$check", headers => $headers,
        content => "verdict=$verdict&message=" . ($message // ''))->{status};
}

is(told('import', 'passed'), 204, 'passed: 204');

# a reload keeps the notice: the same configuration, and a changed one

$t->reload;
is($t->get('/')->{status}, 200, 'reload: the gate is open');
is(told('import', 'waiting'), 204, 'after a reload: 204');
is($t->get('/')->{status}, 503, 'after a reload: in force');
is(told('import', 'passed'), 204, 'after a reload: 204');

my $more = "$one  check notify other  optional;";

$t->reload(http => conf($more));
$t->wait_for(sub { $t->check('import')->{verdict} eq 'passed' },
    'a changed gate');
is(told('other', 'failed', 'why'), 204, 'new check: 204');
is($t->check('other')->{message}, 'why', 'new check: in force');

# more checks than there was room for

my $many = join ' ', $more, map { "check notify n$_  optional;" } 1 .. 20;

$t->reload(http => conf($many));
$t->wait_for(sub { $t->check('other')->{verdict} eq 'failed' },
    'the notices of before');
is($t->check('other')->{message}, 'why', 'larger zone: the notice is kept');
is(told('n20', 'passed'), 204, 'larger zone: 204');
is(told('other', 'passed'), 204, 'larger zone, older check: 204');
is($t->check('n20')->{verdict}, 'passed', 'larger zone: in force');

# one that was removed begins anew

$t->reload(http => conf($one));
$t->reload(http => conf($more));
$t->wait_for(sub { $t->check('other')->{verdict} eq 'waiting' },
    'a check that was removed');
is($t->check('other')->{reason}, 'not_notified', 'removed check: forgotten');
is($t->check('import')->{verdict}, 'passed', 'kept check: not forgotten');

# notices while nginx reloads: each is in force when it is answered by 204

my $n = 0;
my %seen;

for my $round (1 .. 4) {
    my $reloaded = $t->log_count(qr/gracefully shutting down/);

    $t->conf(http => conf($round % 2 ? $more : "$one  check notify third  optional;"))
        if $round > 2;
    $t->signal('HUP');

    for (1 .. 30) {
        my $verdict = $n++ % 2 ? 'passed' : 'waiting';
        my $status = told('import', $verdict);
        $seen{$status}++;

        if ($status == 204) {
            my $got = $t->get('/')->{status};
            my $want = $verdict eq 'passed' ? 200 : 503;
            is($got, $want, "reload, $verdict: in force") if $got != $want;
        }
    }

    $t->wait_for(sub {
        $t->log_count(qr/gracefully shutting down/) > $reloaded
    }, 'the old workers');
    $t->wait_for(sub { $t->workers == 3 }, 'three workers');
}

is_deeply([grep { $_ ne 204 && $_ ne 202 } keys %seen], [],
    'notices during reloads: 204 or 202');
cmp_ok($seen{204} // 0, '>', 60, 'notices during reloads: mostly 204');

is(told('import', 'waiting'), 204, 'after the reloads: 204');
is($t->get('/')->{status}, 503, 'after the reloads: in force');

# the prober is stopped: 202, and in force when it goes on

my $prober = $t->prober;
$t->signal('STOP', $prober);

# some connections are accepted by the stopped worker and wait there

my @sockets = map { $t->send('/notify/app/import?verdict=running&observed=7',
    method => 'POST', headers => "Authorization: Bearer s3cret-token\r\n") }
    1 .. 12;
my %status;

$t->wait_for(sub {
    for my $socket (splice @sockets) {
        my $ready = IO::Select->new($socket)->can_read(0.1);
        $ready ? $status{$t->http_read($socket)->{status}}++
            : push @sockets, $socket;
    }
    return $status{202};
}, 'an answer of another worker');

is_deeply([keys %status], [202], 'prober stopped: 202');
$t->signal('CONT', $prober);
$t->wait_for(sub { ($t->check('import')->{observed} // 0) == 7 },
    'the notice to come into force');
is($t->check('import')->{verdict}, 'running', 'prober goes on: in force');
$t->statuses(@sockets);

# killed

for my $verdict (qw(passed waiting passed)) {
    $t->kill_prober;
    my $status = told('import', $verdict);
    ok($status == 204 || $status == 202, 'prober killed: 204 or 202');
    $t->wait_for(sub { $t->check('import')->{verdict} eq $verdict },
        'the notice to come into force');
    is(told('import', $verdict, 'again'), 204, 'next prober: 204');
    is($t->get('/')->{status}, $verdict eq 'passed' ? 200 : 503,
        'next prober: in force');
}

# a notice that was put while there was no prober

my @killed = $t->workers;
my $before = $t->log_count(qr/exited on signal 9/);

$t->signal('KILL', $_) for @killed;
$t->wait_log(qr/exited on signal 9/, $before + 3);
is(told('import', 'running'), 204, 'all workers killed: 204');
is($t->check('import')->{verdict}, 'running', 'all workers killed: in force');

done_testing;
