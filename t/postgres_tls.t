#!/usr/bin/perl

# The postgres check over TLS by libpq: up to verify-full, with the client's
# certificates, and together with TLS of nginx in the same process.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Postgres;

use IO::Socket::SSL;

my $t = InitGate->new(workers => 1);

my ($cert, $key) = $t->certificate('db.example');
my ($other, undef) = $t->certificate('other.example');
my ($client, $client_key) = $t->certificate('app');
my ($site, $site_key) = $t->certificate('127.0.0.1');

my $pg = $t->postgres;
my $plain = $t->postgres;

my $data = $pg->base_dir . '/data';
system("cp $cert $data/server.crt; cp $key $data/server.key;"
    . "cp $client $data/root.crt; chmod 600 $data/server.key;"
    . "chown --reference=$data $data/server.* $data/root.crt") == 0 or die;

psql($pg, "ALTER SYSTEM SET $_") for q(ssl = 'on'),
    q(ssl_cert_file = 'server.crt'), q(ssl_key_file = 'server.key'),
    q(ssl_ca_file = 'root.crt');
psql($pg, "CREATE ROLE $_ LOGIN") for qw(secure clear app);
psql($pg, q(ALTER ROLE secure PASSWORD 'quiet'));
psql($plain, 'CREATE ROLE secure LOGIN');
hba($plain, '');

hba($pg, <<'HBA');
hostssl all secure 127.0.0.1/32 scram-sha-256
hostssl all app 127.0.0.1/32 cert
hostnossl all clear 127.0.0.1/32 trust
HBA

# libpq requires the worker's user or root as the owner
my $uid = getpwnam 'www-data';
chmod 0600, $client_key;
chown $uid, -1, $client_key;

my $never = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_bytes(8);
    $c->send('S');
    $c->hang;
});

my $garbage = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_bytes(8);
    $c->send('S');
    $c->read_bytes(10);
    $c->send('this is no handshake');
    $c->hang;
});

my $closes = InitGate::Fake->new(sub { $_[0]->read_bytes(8);
    $_[0]->send('S'); $_[0]->read_bytes(8) });
my $refuses = InitGate::Fake->new(sub { $_[0]->read_bytes(8);
    $_[0]->send('N'); $_[0]->hang });
my $strange = InitGate::Fake->new(sub { $_[0]->read_bytes(8);
    $_[0]->send('H'); $_[0]->hang });

my $port = $pg->port;
my $plain_port = $plain->port;
my $db = "hostaddr=127.0.0.1 port=$port dbname=test";
my $secure = "$db user=secure password=quiet";

sub fake { 'hostaddr=127.0.0.1 user=a sslmode=require port=' . $_[0]->port }

$t->run(main => 'user www-data;', http => <<"CONF");
    init_checks app {
        interval 50ms;
        backoff 50ms;
        timeout 2s;

        check file %%DIR%%/never name=never;

        check postgres "$secure sslmode=require" name=require;
        check postgres "$secure sslmode=verify-ca sslrootcert=$cert" name=ca;
        check postgres "$secure host=db.example sslmode=verify-full
                        sslrootcert=$cert" name=full;
        check postgres "postgresql://secure:quiet\@db.example:$port/test?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert=$cert"
                       name=uri "query=SELECT ssl FROM pg_stat_ssl
                                 WHERE pid = pg_backend_pid()";
        check postgres "$db host=db.example user=app sslmode=verify-full
                        sslrootcert=$cert sslcert=$client sslkey=$client_key"
                       name=client;
        check postgres "$secure sslmode=prefer" name=prefer
                       "query=SELECT ssl FROM pg_stat_ssl
                        WHERE pid = pg_backend_pid()";
        check postgres "$db user=clear sslmode=prefer" name=fallback
                       "query=SELECT NOT ssl FROM pg_stat_ssl
                        WHERE pid = pg_backend_pid()";
        check postgres "$secure sslmode=allow" name=allow;
        check postgres "$secure sslmode=require" name=listen interval=1h
                       listen=changes tables=later;
        check postgres "$db user=clear" name=default;
        check postgres "hostaddr=127.0.0.1 port=$plain_port dbname=test
                        user=postgres sslmode=prefer" name=prefer_plain;

        check postgres "$secure host=other.example sslmode=verify-full
                        sslrootcert=$cert" name=misnamed;
        check postgres "$secure host=db.example sslmode=verify-full
                        sslrootcert=$other" name=stranger;
        check postgres "$secure host=db.example sslmode=verify-full
                        sslrootcert=/not/there" name=no_root;
        check postgres "$db user=app sslmode=require" name=no_client;
        check postgres "$secure" name=required;
        check postgres "$secure" name=required_tables tables=none;
        check postgres "$secure application_name=kept" name=kept keepalive
                       "query=SELECT ssl FROM pg_stat_ssl
                        WHERE pid = pg_backend_pid()";
        check postgres "$db user=secure password=mistaken" name=wrong;
        check postgres "$secure sslmode=disable" name=unencrypted;
        check postgres "hostaddr=127.0.0.1 port=$plain_port dbname=test
                        user=secure" name=unlisted;
        check postgres "hostaddr=127.0.0.1 port=$plain_port user=postgres
                        sslmode=require" name=plain;
        check postgres "@{[fake($never)]}" name=handshake timeout=300ms;
        check postgres "@{[fake($garbage)]}" name=garbage;
        check postgres "@{[fake($closes)]}" name=closes;
        check postgres "@{[fake($refuses)]}" name=refuses;
        check postgres "@{[fake($strange)]}" name=strange;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        listen 127.0.0.1:%%PORT_8443%% ssl;
        ssl_certificate $site;
        ssl_certificate_key $site_key;
        location / { return 200 here; }
        location = /init { init_status details=on; }
    }
CONF

is_check($t, $_, 'passed')
    for qw(require ca full uri client prefer fallback allow default
           prefer_plain);

is_check($t, 'misnamed', 'error', 'tls',
    qr/certificate for "db\.example" does not match host name "other/);
is_check($t, 'stranger', 'error', 'tls', qr/certificate verify failed/);
is_check($t, 'no_root', 'error', 'tls',
    qr{root certificate file "/not/there" does not exist});
is_check($t, 'no_client', 'error', 'auth', qr/valid client certificate/);
is_check($t, 'unencrypted', 'error', 'auth', qr/no encryption/);

# by default TLS is used if the server requires it

is_check($t, $_, 'passed', undef,
    qr/^the server requires TLS: sslmode=require, or verify-full with/)
    for qw(required kept);
is_check($t, 'required_tables', 'waiting', 'missing');
is_check($t, 'wrong', 'error', 'auth', qr/password authentication failed/);
is_check($t, 'unlisted', 'error', 'auth',
    qr/^no pg_hba\.conf entry .*(?:no encryption|SSL off)/);
is($t->check('default')->{message}, undef,
    'TLS not required: no message');

is_check($t, 'plain', 'error', 'tls', qr/server does not support SSL/);
is_check($t, 'handshake', 'error', 'timeout',
    qr/performing the TLS handshake with PostgreSQL/);
is_check($t, 'garbage', 'error', 'tls');
is_check($t, 'closes', 'error', 'reset');
is_check($t, 'refuses', 'error', 'tls', qr/does not support SSL/);
is_check($t, 'strange', 'error', 'protocol',
    qr/invalid response to SSL negotiation: H/);

# notifications

is_check($t, 'listen', 'waiting', 'missing', qr/later$/);
psql($pg, 'CREATE TABLE later (i int); NOTIFY changes');
is_check($t, 'listen', 'passed');

# handshakes of nginx continue, and see no errors of libpq

my $good = 0;

for (1 .. 20) {
    my $socket = IO::Socket::SSL->new(PeerAddr => '127.0.0.1',
        PeerPort => $t->port(8443), SSL_ca_file => $site) or next;
    print $socket "GET / HTTP/1.0\r\n\r\n";
    $good++ if join('', <$socket>) =~ /here$/;
}

is($good, 20, 'TLS of nginx: all requests succeed');

done_testing;
