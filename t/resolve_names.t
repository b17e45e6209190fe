#!/usr/bin/perl

# Names sent to the server: the trailing dot of an absolute name is removed in
# Host, SNI and the name to verify.  One name with different servers in
# different gates.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::DNS;
use InitGate::Fake;
use InitGate::Postgres qw(hba psql);

my $t = InitGate->new(workers => 1);

my $dns = InitGate::DNS->new(sub {
    my ($name, $type) = @_;
    return $type eq 'A' ? ['127.0.0.1'] : [];
});
my $other = InitGate::DNS->new(sub {
    my ($name, $type) = @_;
    return $type eq 'A' ? ['127.0.0.2'] : [];
});

my ($cert, $key) = $t->certificate('db.example');
my ($no, $no_key) = $t->certificate('no.example');

# the right certificate is sent only with the right SNI

my $peer = InitGate->new(workers => 1);
my ($s, $r) = ($peer->port('tls'), $t->port('redis'));

$peer->run(http => <<"CONF");
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        listen 127.0.0.1:$s ssl default_server;
        ssl_certificate $no;
        ssl_certificate_key $no_key;
        return 200;
    }
    server {
        listen 127.0.0.1:$s ssl;
        server_name db.example;
        ssl_certificate $cert;
        ssl_certificate_key $key;
        return 200;
    }
CONF

my $secure = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->send("+PONG\r\n") while $c->read_until(qr/PING\r\n/);
}, tls => [{ 'db.example' => $cert, '' => $no },
           { 'db.example' => $key, '' => $no_key }]);

my $http = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
});

my $pg = $t->postgres;
my $data = $pg->base_dir . '/data';
system("cp $cert $data/server.crt; cp $key $data/server.key;"
    . "chmod 600 $data/server.key; chown --reference=$data $data/server.*")
    == 0 or die;
psql($pg, "ALTER SYSTEM SET ssl = 'on'");
hba($pg, '');

# one port, two servers

my @says = ("+PONG\r\n", "-LOADING Redis is loading\r\n");
my @redis = map {
    my $n = $_;
    InitGate::Fake->new(sub {
        my ($c) = @_;
        $c->send($says[$n - 1]) while $c->read_until(qr/PING\r\n/);
    }, addr => "127.0.0.$n", port => $r);
} 1, 2;

my ($h, $p) = ($http->port, $pg->port);

$t->run(http => <<"CONF");
    init_checks app {
        resolver 127.0.0.1:@{[$dns->port]};
        interval 100ms;
        backoff 100ms;
        check file /no/such/file name=never;
        check tcp db.example.:$s tls ca=$cert;
        check http https://db.example.:$s/ ca=$cert name=https;
        check tcp db.example.:$s tls ca=$no sni=elsewhere. name=elsewhere;
        check tcp db.example:$s tls ca=$cert sni=db.example. name=sni;
        check http http://db.example.:$h/ name=http;
        check http http://db.example.:$h/ name=host host=db.example.;
        check redis rediss://db.example.:@{[$secure->port]} ca=$cert name=rediss;
        check postgres "host=db.example. port=$p user=postgres dbname=test
                        sslmode=verify-full sslrootcert=$cert";
        check redis redis://same.example:$r name=one;
    }
    init_checks other {
        resolver 127.0.0.1:@{[$other->port]};
        interval 100ms;
        backoff 100ms;
        check file /no/such/file name=never;
        check redis redis://same.example:$r name=two;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

settles($t, $_, 'passed') for qw(tcp https sni http rediss postgres);
settles($t, 'elsewhere', 'error tls', qr/certificate is for another name/);

settles($t, 'host', 'passed');
my @hosts = $http->received =~ /^Host: (\S+)/mg;
ok((grep { $_ eq "db.example:$h" } @hosts), 'Host: with the port');
ok((grep { $_ eq 'db.example.' } @hosts), 'host=: as given');

my @queries = grep { /^db/ } $dns->queries;
is(scalar(grep { !/^db\.example a/ } @queries), 0,
    'names with a dot at the end: no other name queried');

settles($t, 'one', 'passed');
settles($t, 'two', 'running loading');

done_testing;
