#!/usr/bin/perl

# grpc: the health service of a real server, and one connection for many
# probes.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Grpc;

my $t = InitGate->new(quit => 2, workers => 1);

my $server = InitGate::Grpc->new;
my $other = InitGate::Grpc->new(health => 0);
my ($certificate, $key) = $t->certificate('localhost');
my $secure = InitGate::Grpc->new(tls => [$certificate, $key]);

my ($port, $other_port, $secure_port) = map { $_->port } $server, $other,
    $secure;

my %state = (
    serving => ['SERVING', 'passed'],
    not_serving => ['NOT_SERVING', 'waiting not_serving', qr/NOT_SERVING/],
    unknown => ['UNKNOWN', 'waiting not_serving', qr/UNKNOWN/],
    service_unknown => ['SERVICE_UNKNOWN', 'waiting not_serving',
        qr/SERVICE_UNKNOWN/],
    later => [9, 'waiting not_serving', qr/9/],
    not_found => [['NOT_FOUND', 'no such service'], 'waiting not_serving',
        qr/grpc-status 5 \(NOT_FOUND\): no such service/],
    unavailable => [['UNAVAILABLE', "starting 100%, \x{e4}"],
        'waiting not_serving',
        qr/grpc-status 14 \(UNAVAILABLE\): starting 100%, \x{e4}$/],
    unimplemented => [['UNIMPLEMENTED', 'x'], 'error unimplemented', qr/12/],
    unauthenticated => [['UNAUTHENTICATED', 'x'], 'error auth', qr/16/],
    denied => [['PERMISSION_DENIED', 'x'], 'error denied', qr/7/],
    exhausted => [['RESOURCE_EXHAUSTED', 'x'], 'error too_many_connections',
        qr/8/],
    deadline => [['DEADLINE_EXCEEDED', 'x'], 'error timeout', qr/4/],
    internal => [['INTERNAL', ''], 'error query',
        qr/grpc-status 13 \(INTERNAL\)$/],
    long => [['ABORTED', 'x' x 5000], 'error query', qr/ABORTED\): x{100}/],
);

$server->set('' => 'NOT_SERVING', 'later' => 'NOT_SERVING',
    map { ("shop.$_" => $state{$_}[0]) } keys %state);
$secure->set('' => 'SERVING');

my $checks = join "\n", map {
    "check grpc 127.0.0.1:$port service=shop.$_ name=$_;"
} sort keys %state;

my $long = 'x' x 300;

$t->run(http => <<"CONF");
    init_checks app {
        check grpc localhost:$port  service=later  interval=50ms;
    }

    init_checks other {
        check file %%DIR%%/never  name=never;
$checks
        check grpc 127.0.0.1:$port  name=whole  timeout=7s;
        check grpc 127.0.0.1:$port  name=long_name  service=$long;
        check grpc 127.0.0.1:$other_port  name=no_health;

        check grpc localhost:$secure_port  name=secure  tls  ca=$certificate;
        check grpc 127.0.0.1:$secure_port  name=sni  tls  ca=$certificate
                   sni=localhost;
        check grpc 127.0.0.1:$secure_port  name=unverified  tls  verify=off;
        check grpc localhost:$secure_port  name=untrusted  tls;
        check grpc localhost:$port         name=plain  tls  ca=$certificate;
        check grpc localhost:$secure_port  name=encrypted;

        interval 50ms;
        backoff 50ms;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

settles($t, $_, @{$state{$_}}[1, 2]) for sort keys %state;

settles($t, 'no_health', 'error unimplemented',
    qr/grpc-status 12 \(UNIMPLEMENTED\)/);
settles($t, 'long_name', 'waiting not_serving', qr/NOT_FOUND/);

settles($t, $_, 'passed') for qw(secure sni unverified);
settles($t, 'untrusted', 'error tls', qr/self.signed certificate/);
settles($t, 'plain', 'error tls', qr/does not use TLS/);
settles($t, 'encrypted', qr/^error (?:protocol|reset)$/);

# the server as a whole, then one of its services

settles($t, 'whole', 'waiting not_serving');
$server->set('' => 'SERVING');
settles($t, 'whole', 'passed');
$server->set('' => 'NOT_SERVING');
settles($t, 'whole', 'waiting not_serving');

is($t->get('/')->{status}, 503, 'later: not serving');
$server->set(later => 'SERVING');
$t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the gate to open');

# the request

my @calls = $server->calls;
my ($whole) = grep { $_->{service} eq '' } @calls;

cmp_ok($whole->{left}, '>', 0, 'grpc-timeout: the remaining time');
cmp_ok($whole->{left}, '<=', 7, 'grpc-timeout: at most timeout=');
like($whole->{agent}, qr{^nginx-init-gate/\d}, 'request: user agent');

ok((grep { $_->{service} eq $long } @calls), 'long_name: complete');

# kept only after a probe that passed

my $peers = sub {
    my ($service) = @_;
    my (%peers, $n);
    $peers{$_->{peer}}++, $n++ for grep { $_->{service} eq $service }
        $server->calls;
    return ($n, scalar keys %peers);
};

$t->wait_for(sub { ($peers->('shop.serving'))[0] > 20
    && ($peers->('shop.not_serving'))[0] > 20 }, 'many calls');

# kept for 30 s; a port may be reused

my ($n, $connections) = $peers->('shop.serving');
cmp_ok($connections, '<', $n / 4, "passed: few connections for $n calls");

($n, $connections) = $peers->('shop.not_serving');
cmp_ok($connections, '>', $n / 2, "not passed: a connection for each of $n calls");

# the server stops, starts, does not respond

$server->stop;
settles($t, 'serving', 'error refused');
$server->start;
settles($t, 'serving', 'passed');

$server->freeze;
settles($t, 'serving', 'error timeout', qr/waiting for the response/);
$server->thaw;
settles($t, 'serving', 'passed');

done_testing;
