#!/usr/bin/perl

# TLS of http and tcp checks: certificates are verified by default; messages.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use IO::Socket::SSL::Utils;

my $pause = patience(100);
my $t = InitGate->new(quit => 2);
my $dir = $t->dir;


sub make {
    my ($name, @args) = @_;

    my ($cert, $key) = CERT_create(not_after => time + 86400,
        subject => { commonName => $name }, @args);

    PEM_cert2file($cert, "$dir/$name.crt");
    PEM_key2file($key, "$dir/$name.key");
    chmod 0644, "$dir/$name.key";

    return [$cert, $key];
}

my $ca = make('ca', CA => 1);
my $other = make('other-ca', CA => 1);

my @localhost = (subjectAltNames => [['DNS', 'localhost']]);

make('good', issuer => $ca, subjectAltNames => [['DNS', 'localhost'],
    ['DNS', 'app.example'], ['DNS', '*.wild.example']]);
make('address', issuer => $ca, subjectAltNames => [['IP', '127.0.0.1']]);
make('name', issuer => $ca, subjectAltNames => [['DNS', 'other.example']]);
make('expired', issuer => $ca, @localhost, not_before => time - 7200,
    not_after => time - 3600);
make('future', issuer => $ca, @localhost, not_before => time + 3600);
make('self', @localhost);
make('client', issuer => $ca);

# an encrypted key is refused, without a prompt for its password
system("openssl ec -aes128 -passout pass:secret -in $dir/client.key "
    . "-out $dir/locked.key >/dev/null 2>&1")
    && system("openssl rsa -aes128 -passout pass:secret -in $dir/client.key "
    . "-out $dir/locked.key >/dev/null 2>&1");

my $plain = InitGate::Fake->new(sub {
    $_[0]->read_bytes(1);
    $_[0]->send("HTTP/1.1 400 Bad Request\r\n\r\n");
    $_[0]->hang;
});
my $greeter = InitGate::Fake->new(sub { $_[0]->send("220 hello\r\n");
                                        $_[0]->hang });
my $reset = InitGate::Fake->new(sub { $_[0]->read_bytes(5); $_[0]->reset });
my $closed = InitGate::Fake->new(sub { $_[0]->read_bytes(5) });
my $silent = InitGate::Fake->silent;
my $garbage = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until(qr/\r\n\r\n/) or return;
    open my $raw, '>&', fileno $c->socket or return;
    syswrite $raw, 'not TLS any more' x 8;
    $c->hang;
}, tls => ["$dir/good.crt", "$dir/good.key"]);

my %port = (plain => $plain->port, greeter => $greeter->port,
    reset => $reset->port, closed => $closed->port, silent => $silent->port,
    garbage => $garbage->port);

my $tls = 'ca=%%DIR%%/ca.crt';

my %case = (
    good => ['http https://localhost:%%PORT_1%%/', $tls, 'passed'],
    dir => ['http https://localhost:%%PORT_1%%/', 'ca=ca.crt', 'passed'],
    sni => ['http https://127.0.0.1:%%PORT_1%%/sni',
            "$tls sni=app.example match=^app.example\$", 'passed'],
    wildcard => ['http https://127.0.0.1:%%PORT_1%%/',
                 "$tls sni=x.wild.example", 'passed'],
    host => ['http https://localhost:%%PORT_1%%/sni',
             "$tls host=app.example match=^localhost\$", 'passed'],
    address => ['http https://127.0.0.1:%%PORT_2%%/', $tls, 'passed'],
    off => ['http https://127.0.0.1:%%PORT_6%%/', 'verify=off', 'passed'],
    pinned => ['http https://localhost:%%PORT_6%%/', 'ca=%%DIR%%/self.crt',
               'passed'],
    client => ['http https://localhost:%%PORT_7%%/',
               "$tls cert=%%DIR%%/client.crt key=%%DIR%%/client.key",
               'passed'],
    tcp => ['tcp localhost:%%PORT_1%%', "tls $tls", 'passed'],
    unix => ['tcp unix:%%DIR%%/tls.sock', "tls $tls sni=localhost", 'passed'],
    http_unix => ['http https://unix:%%DIR%%/tls.sock:/',
                  "$tls sni=localhost", 'passed'],

    system => ['tcp localhost:%%PORT_1%%', 'tls', 'error tls',
               qr/unable to get local issuer|certificate/],
    other => ['tcp localhost:%%PORT_1%%', 'tls ca=%%DIR%%/other-ca.crt',
              'error tls', qr/issuer|certificate/],
    self => ['tcp localhost:%%PORT_6%%', "tls $tls", 'error tls',
             qr/self[- ]signed/],
    expired => ['tcp localhost:%%PORT_4%%', "tls $tls", 'error tls',
                qr/has expired/],
    future => ['tcp localhost:%%PORT_5%%', "tls $tls", 'error tls',
               qr/not yet valid/],
    name => ['tcp localhost:%%PORT_3%%', "tls $tls", 'error tls',
             qr/another name/],
    no_address => ['tcp 127.0.0.1:%%PORT_1%%', "tls $tls", 'error tls',
                   qr/another name/],
    wild => ['tcp localhost:%%PORT_1%%', "tls $tls sni=a.b.wild.example",
             'error tls', qr/another name/],
    no_client => ['http https://localhost:%%PORT_7%%/', $tls,
                  'waiting bad_status', qr/HTTP 400/],

    plain => ["tcp 127.0.0.1:$port{plain}", 'tls', 'error tls',
              qr/does not use TLS/],
    greeter => ["tcp 127.0.0.1:$port{greeter}", 'tls', 'error tls',
                qr/does not use TLS/],
    reset => ["tcp 127.0.0.1:$port{reset}", 'tls', 'error reset',
              qr/closed the connection in the TLS handshake/],
    closed => ["tcp 127.0.0.1:$port{closed}", 'tls', 'error reset',
               qr/closed the connection in the TLS handshake/],
    silent => ["tcp 127.0.0.1:$port{silent}",
               'tls timeout=' . patience(1) . 's', 'error timeout',
               qr/TLS/],
    garbage => ["http https://localhost:$port{garbage}", $tls, 'error tls',
                qr/wrong version|record/],
);

my $checks = join "\n", map {
    "check $case{$_}[0] $case{$_}[1] name=$_;"
} sort keys %case;

my $servers = join "\n", map {
    my ($name, $n) = @$_;
    my $more = $n == 1 ? 'listen unix:%%DIR%%/tls.sock ssl;'
        : $n == 7 ? "ssl_verify_client on; ssl_client_certificate $dir/ca.crt;"
        : '';
    "server { listen 127.0.0.1:%%PORT_$n%% ssl;
              ssl_certificate $dir/$name.crt; ssl_certificate_key $dir/$name.key;
              error_log $dir/peer.log;
              location /sni { return 200 \$ssl_server_name; }
              location / { return 200; }
              $more }"
} ['good', 1], ['address', 2], ['name', 3], ['expired', 4], ['future', 5],
  ['self', 6], ['good', 7];

$t->run(http => <<"CONF");
    init_checks app {
$checks
        check file /no/such/file name=never;
        interval ${pause}ms;
        backoff ${pause}ms;
        timeout 1m;
    }

$servers

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
    }
CONF

my $all = sub {
    return { map { $_->{name} => $_ }
        @{$t->gate->{checks}} };
};

# the first handshakes may time out

$t->wait_for(sub {
    !grep { $_->{verdict} eq 'pending'
            || ($_->{reason} // '') eq 'timeout' && $_->{name} ne 'silent' }
        values %{$all->()};
}, 'a verdict for each');

my $now = $all->();

for my $name (sort keys %case) {
    my ($expected, $message) = @{$case{$name}}[2, 3];
    my $got = $now->{$name};
    my $verdict = join ' ', grep { $_ } @$got{qw(verdict reason)};

    is($verdict, $expected, "$name: $expected") or diag explain $got;
    like($got->{message}, $message, "$name: message") if $message;
}

# invalid configurations

my %wrong = (
    'ca=none.crt' => qr/none\.crt.*No such file|"ca=/s,
    'ca=nginx.conf' => qr/"ca=/,
    'cert=none.crt key=client.key' => qr/cannot load certificate.*none\.crt/,
    'cert=client.crt key=none.key' => qr/cannot load certificate key/,
    'cert=client.crt key=good.key' => qr/cannot use the certificate/,
    'cert=client.crt key=locked.key' => qr/cannot use the certificate/,
    'key=client.key' => qr/"key" needs "cert"/,
    'ca=ca.crt verify=off' => qr/"ca" conflicts/,
    'verify=yes' => qr/"verify".*on and off/,
);

for my $words (sort keys %wrong) {
    my $full = $words =~ s/=(\w+\.\w+)/=$dir\/$1/gr;
    my ($status, $said) = $t->conf_error(
        "init_checks app { check http https://localhost $full; }");

    isnt($status, 0, "refused: $words");
    like($said, $wrong{$words}, "message: $words");
}

# the certificates of the host

$ENV{SSL_CERT_FILE} = "$dir/ca.crt";

my $t2 = InitGate->new(quit => 2, ports => $t->{ports});

$t2->run(http => <<'CONF');
    init_checks app { check tcp localhost:%%PORT_1%% tls; }

    server {
        listen 127.0.0.1:%%PORT_9%%;
        location / { init_gate app; return 204; }
        location = /init { init_status app details=on; }
    }
CONF

$t2->wait_for(sub {
    $t2->json('/init', port => $t->port(9))->{ready}
}, 'the gate to open');
pass('certificates of the host: passed');

done_testing;
