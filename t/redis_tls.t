#!/usr/bin/perl

# The redis check over TLS.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;

my $t = InitGate->new(workers => 1);

my ($certificate, $key) = $t->certificate('cache', '127.0.0.1');
my ($client, $client_key) = $t->certificate('client');
my ($stranger, $stranger_key) = $t->certificate('stranger');

$t->write('both.pem', $t->read($client) . $t->read($client_key));
chmod 0644, $t->path('both.pem');

my @ports = map { $t->port($_) } 1, 2;

my @tls = ("tls-cert-file $certificate", "tls-key-file $key",
           "tls-ca-cert-file $client");

my $server = $t->redis(@tls, "tls-port $ports[0]", 'tls-auth-clients no');
$t->redis(@tls, "tls-port $ports[1]", 'tls-auth-clients yes');

my $redis = $server->client;
my $plain = $server->port;
$redis->rpush(n => 1 .. 7);

# sentinels and a master, each with a certificate for a name or an address

my @local = $t->certificate('localhost');
my @address = $t->certificate('127.0.0.1');

sub sentinel {
    my ($host, $master, $certificate) = @_;

    my $port = ref $master ? $master->port : $master;
    my $answer = '*2' . join('', map { "\r\n\$" . length($_) . "\r\n$_" }
        $host, $port) . "\r\n";

    return InitGate::Fake->new(sub {
        my ($c) = @_;
        $c->send($answer) while $c->read_until(qr/main\r\n/);
    }, tls => $certificate)->port;
}

my @other = $t->certificate('other');

my ($local_master, $other_master) = map { InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->send("*1\r\n\$6\r\nmaster\r\n+PONG\r\n")
        while $c->read_until(qr/PING\r\n/);
}, tls => $_) } \@local, \@other;

my $by_name = sentinel('127.0.0.1', $local_master, \@local);
my $by_address = sentinel('127.0.0.1', $ports[0], \@address);
my $by_other = sentinel('localhost', $other_master, \@other);
my $dead = $t->port('dead');

$t->write('all.pem', join '', map { $t->read($_) } $certificate, $local[0],
    $address[0], $other[0]);

my $at = "rediss://127.0.0.1:$ports[0]";
my $strict = "rediss://127.0.0.1:$ports[1]";

$t->run(http => <<"CONF");

    init_checks app {
        interval 20ms;
        timeout 1m;
        backoff 20ms;

        check file %%DIR%%/never  name=never;

        check redis $at  name=trusted     ca=$certificate;
        check redis $at  name=count       ca=$certificate  key=n  min=10;
        check redis $at  name=untrusted;
        check redis $at  name=unverified  verify=off;
        check redis $at  name=named       ca=$certificate  sni=cache;
        check redis $at  name=misnamed    ca=$certificate  sni=other;

        check redis $strict  name=unknown   ca=$certificate;
        check redis $strict  name=known     ca=$certificate  cert=$client
                                            cert_key=$client_key;
        check redis $strict  name=both      ca=$certificate  cert=both.pem;
        check redis $strict  name=stranger  ca=$certificate  cert=$stranger
                                            cert_key=$stranger_key;

        check redis rediss://localhost:$by_name  name=name
                    sentinel=main  ca=all.pem;
        check redis rediss://localhost:$dead,127.0.0.1:$by_address
                    name=address  sentinel=main  ca=all.pem;
        check redis rediss://127.0.0.1:$by_name  name=neither
                    sentinel=main  ca=all.pem;
        check redis rediss://localhost:$by_name  name=fixed
                    sentinel=main  ca=all.pem  sni=other;
        check redis rediss://localhost:$by_other  name=all
                    sentinel=main  ca=all.pem  sni=other;

        check redis redis://127.0.0.1:$ports[0]   name=clear;
        check redis rediss://127.0.0.1:$plain     name=deaf  timeout=200ms
                                                  ca=$certificate;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }

CONF

verdict($t, 'trusted', 'passed');

my $check = verdict($t, 'count', 'waiting too_few');
is($check->{observed}, 7, 'count: observed');

verdict($t, 'untrusted', 'error tls', qr/self.signed certificate/);
verdict($t, 'unverified', 'passed');
verdict($t, 'named', 'passed');
verdict($t, 'misnamed', 'error tls', qr/another name/);

verdict($t, 'known', 'passed');
verdict($t, 'both', 'passed');

verdict($t, 'unknown', 'error tls', qr/alert (?:certificate required|handshake)/);
verdict($t, 'stranger', 'error tls', qr/alert/);

# a server is verified by its own name, and a master of which only the address
# is known by the name of the sentinel; with sni= all of them by that name

verdict($t, 'name', 'passed');
verdict($t, 'address', 'passed');
verdict($t, 'neither', 'error tls', qr/another name/);
verdict($t, 'fixed', 'error tls', qr/another name/);
verdict($t, 'all', 'passed');

# TLS on one side only

my $reason = probed($t, 'clear')->{reason};
like($reason, qr/^(?:reset|protocol)$/, 'clear: error');

verdict($t, 'deaf', 'error timeout', qr/while performing the TLS handshake$/);

# connections are kept

my @clients;

$t->wait_for(sub {
    @clients = grep { / addr=127.* laddr=127\.0\.0\.1:$ports[0] .*cmd=\w/
                      && !/cmd=NULL| sub=1 / }
        split /\n/, $redis->client_list;
    return @clients == 4;
}, 'four connections');

is(scalar @clients, 4, 'TLS parameters: one connection for each set')
    or diag(join "\n", @clients);

done_testing;
