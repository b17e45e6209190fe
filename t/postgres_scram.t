#!/usr/bin/perl

# SCRAM, which takes libpq milliseconds to compute, or 200 ms with the most
# iterations that are allowed: other requests do not wait, and a login that is
# canceled meanwhile ends cleanly.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Latency;
use InitGate::Fake;
use InitGate::Postgres;

my $server = InitGate::Fake->new(sub {
    my ($c) = @_;
    startup($c) or return;
    $c->send(authentication(10, "SCRAM-SHA-256\0\0"));
    my ($nonce) = ($c->read_until(qr/r=[^,]+$/) // '') =~ /r=([^,]+)$/
        or return;
    $c->send(authentication(11, "r=${nonce}x,s=c2FsdA==,i=100000"));
    $c->read_until(qr/p=[^,]+=$/) or return;
    $c->send(error('28P01', 'no'));
});

my $t = InitGate->new(workers => 1, level => 'notice');

sub conf {
    my ($n, $more) = @_;

    my $checks = join "\n", map {
        "check postgres \"host=127.0.0.1 port=@{[$server->port]} user=a"
        . " dbname=a password=secret application_name=a$_\" name=a$_;"
    } 1 .. $n;

    return InitGate::Latency::GATE . <<"CONF";
    init_checks app { $checks  interval 50ms;  backoff 50ms;  $more }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        @{[InitGate::Latency::LOCATION]}
        location = /init { init_status details=on; }
    }
CONF
}

$t->run(http => conf(3, 'timeout ' . patience(60) . 's;'));

my $latency = InitGate::Latency->new($t)->begin;

ended($t, "a$_", 'error', 'auth') for 1 .. 3;

$latency->more(300)->end('logins with 100,000 iterations');

# each is canceled while it computes, or waits for the others

sub threads { scalar @{[glob "/proc/$_[0]/task/*"]} }

sub computes {
    my ($name) = @_;

    my ($worker) = $t->workers;

    $t->wait_for(sub { threads($worker) > 1 }, $name);
    is(threads($worker), 2, "$name: one thread more");

    return $worker;
}


sub pipes {
    return scalar grep { (readlink // '') =~ /^pipe/ } glob "/proc/$_[0]/fd/*";
}

$t->reload(http => conf(3, 'timeout 40ms;'));
ended($t, "a$_", 'error', 'timeout') for 1 .. 3;

my $worker = computes('a login that is too slow');
my $attempts = $t->check('a1')->{attempts} + 10;

$t->wait_for(sub { $t->check('a1')->{attempts} >= $attempts },
    'more logins that are too slow');
cmp_ok(pipes($worker) - pipes($t->master), '<=', 2,
    'logins that are too slow: no descriptor left open');

$t->reload(http => conf(2, 'timeout ' . patience(60) . 's;'));
ended($t, 'a2', 'error', 'auth');

# the worker is killed, or exits

computes('a login before SIGKILL');
$t->kill_prober;
computes('a login of the next worker');

$attempts = $t->check('a1')->{attempts};
$t->wait_for(sub { $t->check('a1')->{attempts} > $attempts },
    'another login') && ended($t, 'a1', 'error', 'auth');

computes('a login before QUIT');

done_testing;
