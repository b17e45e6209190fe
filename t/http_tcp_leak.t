#!/usr/bin/perl

# Thousands of http, tcp and grpc probes that fail in all ways: no descriptor,
# connection of the worker or memory is leaked.  That requests are not delayed
# is tested by faults_http.t, faults_tcp.t and faults_grpc.t.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;

my $t = InitGate->new(quit => 2, workers => 1,
    events => 'worker_connections 48;');
my $dir = $t->dir;

my ($cert, $key) = $t->certificate('localhost');

# accepts connections and never responds
my $silent = InitGate::Fake->silent(backlog => 4096)->port;
my $blackhole = InitGate::Fake->blackhole->port;

my @checks = (
    'tcp 127.0.0.1:%%PORT_1%%',                 # refused
    "tcp unix:$dir/none.sock",
    'tcp localhost:%%PORT_2%% tls',             # not trusted
    'tcp localhost:%%PORT_3%% tls',             # not TLS
    'http http://127.0.0.1:%%PORT_1%%/',
    'http http://127.0.0.1:%%PORT_3%%/bad',
    'http http://127.0.0.1:%%PORT_3%%/body match=x',
    'http http://127.0.0.1:%%PORT_3%%/gone',    # closed without a response
    'http https://localhost:%%PORT_2%%/bad verify=off',
    'http https://localhost:%%PORT_2%%/gone verify=off',
    'http http://127.0.0.1:%%PORT_2%%/',        # TLS
    "tcp 127.0.0.1:$silent tls timeout=20ms",
    "http http://127.0.0.1:$silent/ timeout=20ms",
    "tcp 127.0.0.1:$blackhole timeout=20ms",
    'tcp 127.0.0.1:%%PORT_3%% "send=GET\\r\\n\\r\\n" contains=no',
    "tcp 127.0.0.1:$silent contains=x timeout=20ms",
    'grpc localhost:%%PORT_3%%',                # HTTP/1
    'grpc 127.0.0.1:%%PORT_2%% tls verify=off',
    'grpc localhost:%%PORT_4%%',                # not gRPC
    "grpc 127.0.0.1:$silent timeout=20ms",
);

my $n = 0;
my $checks = join "\n", map { 'check ' . $_ . ' name=c' . $n++ . ';' } @checks;

$t->write('body', 'y' x 100000);

# the peers are another nginx, whose descriptors do not count

$t->port($_) for 1 .. 4;

my @http2 = $t->version >= 1.025001 ? ('', 'http2 on;') : ('http2', '');

my $peer = InitGate->new(workers => 1, ports => $t->{ports});

$peer->run(http => <<"CONF");
    server {
        listen 127.0.0.1:%%PORT_4%% $http2[0];
        $http2[1]
        return 404;
    }

    server {
        listen 127.0.0.1:%%PORT_3%%;
        listen 127.0.0.1:%%PORT_2%% ssl;
        ssl_certificate $cert;
        ssl_certificate_key $key;
        error_log $dir/peer.log;
        root $dir;
        location /bad { return 500; }
        location /gone { return 444; }
    }
CONF

$t->run(level => 'notice', http => <<"CONF");
    init_checks app {
$checks
        interval 10ms;
        backoff 10ms;
        timeout 3s;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
    }
CONF

my ($worker) = $t->workers;

my $probes = sub {
    my $all = 0;
    my $least = 1e9;

    for (@{$t->gate('app')->{checks}}) {
        $all += $_->{attempts};
        $least = $_->{attempts} if $least > $_->{attempts};
    }

    return ($all, $least);
};

my $some = sub {
    my ($more) = @_;
    my ($from) = $probes->();
    $t->wait_for(sub { ($probes->())[0] > $from + $more }, "$more probes");
};

$some->(500);

my $memory = $t->memory($worker);
my $descriptors = () = $t->descriptors($worker);

$some->(2500);

cmp_ok(($probes->())[1], '>', 20, 'probes: many of each check');

SKIP: {
    skip $t->hidden, 1 if $t->hidden;
    # a probe may have a connection now that it had not before
    cmp_ok(scalar(() = $t->descriptors($worker)), '<=', $descriptors + @checks,
        'many probes: descriptors');
}

SKIP: {
    skip 'memory is counted otherwise', 1 if !$t->memory_counts;
    cmp_ok($t->memory($worker), '<', $memory + 1024, 'many probes: memory');
}

my %reasons = map { $_->{name} => "$_->{verdict} $_->{reason}" }
    @{$t->gate('app')->{checks}};

is(join(', ', map { $reasons{"c$_"} } 0 .. $#checks), join(', ',
    'error refused', 'error refused', 'error tls', 'error tls',
    'error refused', 'waiting bad_status', 'waiting mismatch', 'error reset',
    'waiting bad_status', 'error reset', 'waiting bad_status',
    'error timeout', 'error timeout', 'error timeout',
    'waiting mismatch', 'error timeout', 'error protocol', 'error protocol',
    'error protocol', 'error timeout'),
        'many probes: verdicts');

done_testing;
