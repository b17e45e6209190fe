#!/usr/bin/perl

# The redis check: when the server does not report changes of keys, or not any
# more, since it is not there yet, a connection is lost, or the server restarts
# or hangs, it is asked again within seconds.  The interval of the checks is an
# hour.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::MonotonicClock;
use InitGate::RedisServers;

my $t = InitGate->new(workers => 1);
my $server = InitGate::RedisServers->new($t)->start;
my $redis;

$t->conf(http => <<"CONF");

    init_checks app {
        interval 1h;
        timeout 1s;

        check file %%DIR%%/never  name=never;
        check redis redis://@{[$server->at]}  name=key    key=k;
        check redis redis://@{[$server->at]}  name=other  key=o;
        check redis redis://@{[$server->at]}  name=ping;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app; }
        location = /init { init_status details=on; }
    }

CONF

my $clock = InitGate::MonotonicClock::is_available()
    && InitGate::MonotonicClock->new($t);

$server->stop;

($clock || $t)->run;

sub subscriber {
    return map { /^id=(\d+) .*sub=1 / } split /\n/, $redis->client_list;
}

# of connections whose keys are reported to the subscriber

sub redirected {
    my ($id) = subscriber() or return 0;

    return $redis->client_list =~ / flags=\w*t.* redir=$id /;
}

# a change is noticed

sub tracked {
    my ($what) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $t->wait_for(\&redirected, "$what: the keys to be tracked");

    $redis->set(k => 1);
    settles($t, 'key', 'passed');
    $redis->del('k');
    settles($t, 'key', 'waiting missing');
}

# it is started after nginx

settles($t, $_, 'error refused') for qw(key other);
$server->run;
$redis = $server->client;
settles($t, $_, 'waiting missing') for qw(key other);
tracked('start');

# the second connection, as soon as it has been opened

for (1 .. 3) {
    my ($id) = subscriber();

    $redis->client('KILL', 'ID', $id);
    $t->wait_for(sub { my ($new) = subscriber(); $new && $new ne $id },
        'another subscriber') && pass('second connection lost: another one');
}

tracked('second connection lost');

# the server is killed, and started again

$server->stop;
settles($t, $_, qr/^error (?:refused|reset)$/) for qw(key other);
$server->run;
$redis = $server->client;
tracked('server started');

# it hangs when the connections are renewed

SKIP: {
    skip 'no clock that can be put forward', 4 if !$clock;

    $server->freeze;
    $clock->forward(31);
    settles($t, $_, 'error timeout') for qw(key other);
    $server->thaw;
    tracked('server hung');
}

is($t->check('ping')->{attempts}, 1, 'no key: one probe');

done_testing;
