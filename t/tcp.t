#!/usr/bin/perl

# tcp: a connection is accepted, or the reason of the failure.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;
use IO::Socket::IP;
use IO::Socket::UNIX;

my $t = InitGate->new(quit => 2);
my $dir = $t->dir;

my $port = $t->port(2);

# a listening socket with a full queue
my $queue = InitGate::Fake->silent(unix => "$dir/full.sock", backlog => 0);
my @waiting = map { IO::Socket::UNIX->new(Peer => "$dir/full.sock",
    Blocking => 0) } 1 .. 3;

my $v6 = IO::Socket::IP->new(LocalHost => '::1', Proto => 'udp');
my $listen6 = $v6 ? "listen [::1]:$port;" : '';

chmod 0666, $t->write('a_file', 'text');

my $closed = InitGate::Fake->silent(unix => "$dir/closed.sock");
chmod 0600, "$dir/closed.sock";

$t->run(http => <<"CONF");
    init_checks open {
        check tcp 127.0.0.1:$port;
        interval 50ms;
    }

    init_checks app {
        check tcp 127.0.0.1:$port           name=address;
        check tcp localhost:$port           name=localhost;
        check tcp 127.0.0.1:%%PORT_3%%      name=once interval=1h;
        check tcp unix:$dir/server.sock     name=socket;
        check tcp [::1]:$port               name=v6;

        check tcp 127.0.0.1:%%PORT_1%%      name=refused;
        check tcp unix:$dir/no.sock         name=no_socket;
        check tcp unix:$dir/a_file          name=a_file;
        check tcp unix:$dir/full.sock       name=full;
        check tcp unix:$dir/closed.sock     name=closed;

        interval 50ms;
        backoff 50ms;
    }

    server {
        listen 127.0.0.1:$port;
        listen unix:$dir/server.sock;
        $listen6
        return 204;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate open;  empty_gif; }
        location = /init { init_status app details=on; }
    }
CONF

$t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the gate to open');

for my $name (qw(address localhost socket v6)) {
    SKIP: {
        skip 'no IPv6 here', 1 if $name eq 'v6' && !$v6;

        settles($t, $name, 'passed');
    }
}

my %why = (
    refused => ['refused', qr/127\.0\.0\.1:\d+ failed.*refused/],
    no_socket => ['refused',
        qr{connect\(\) to unix:\Q$dir\E/no\.sock failed .*No such}],
    a_file => ['refused', qr/refused/],
    full => ['unreachable', qr/temporarily unavailable/],
    closed => ['denied', qr/Permission denied/],
);

# if the test does not run as root, workers may enter the directory
delete $why{closed} if $>;

for my $name (sort keys %why) {
    my ($reason, $message) = @{$why{$name}};

    settles($t, $name, "error $reason", $message);
}

# the connection is closed after the probe

my $asked = InitGate::Fake->new(sub { $_[0]->hang }, port => $t->port(3));
$t->reload;
settles($t, 'once', 'passed');

my $hex = sprintf ':%04X', $t->port(3);

$t->wait_for(sub {
    open my $tcp, '<', '/proc/net/tcp' or die;
    return !grep { /^\s*\d+: \S+ \S+$hex 01 / } <$tcp>;
}, 'the connection to be closed');

is($asked->connections, 1, 'once: one connection, closed after the probe');

# no connection stays open

$t->wait_for(sub { $t->check('address')->{attempts} > 5 }, 'some probes');

my ($worker) = $t->workers;
my $before = () = $t->descriptors($worker);
my $attempts = $t->check('refused')->{attempts};

$t->wait_for(sub { $t->check('refused')->{attempts} > $attempts + 20 },
    'more probes');

SKIP: {
    skip $t->hidden, 1 if $t->hidden;
    my $after = () = $t->descriptors($worker);
    cmp_ok($after, '<=', $before + 2, 'more probes: no descriptor left open');
}

# the server starts late

my $late = InitGate::Fake->silent(port => $t->port(1));
settles($t, 'refused', 'passed');

# invalid configurations

my %wrong = (
    'localhost' => qr/has no port/,
    ':80' => qr/has no host/,
    'localhost:' => qr/has no port/,
    'localhost:http' => qr/invalid port/,
    'localhost:65536' => qr/invalid port/,
    'localhost:0' => qr/invalid port/,
    '::1:80' => qr/brackets/,
    '[::1]' => qr/has no port/,
    '[::1:80' => qr/no closing bracket/,
    '[127.0.0.1]:80' => qr/invalid IPv6 address/,
    'a_host/x:80' => qr/invalid character/,
    'unix:' => qr/no absolute path/,
    'unix:a.sock' => qr/no absolute path/,
    'unix:/' . 'x' x 108 => qr/too long/,
    '127.0.0.1:80 verify=off' => qr/"verify" needs "tls"/,
    '127.0.0.1:80 sni=x' => qr/"sni" needs "tls"/,
    '127.0.0.1:80 tls=on' => qr/takes no value/,
    '127.0.0.1:80 tls verify=maybe' => qr/"verify".*on and off/,
    '127.0.0.1:80 value=x' => qr/unknown parameter "value"/,
    "unix:$dir/x tls" => qr/"sni" is missing/,
);

for my $words (sort keys %wrong) {
    my ($status, $said) =
        $t->conf_error("init_checks app { check tcp $words; }");

    isnt($status, 0, "refused: $words");
    like($said, $wrong{$words}, "message: $words");
}

my ($status, $said) = $t->conf_error(
    'init_checks app { check tcp no-such-host.invalid:80; }');
is($status, 0, 'host that does not resolve: valid') or diag $said;

done_testing;
