#!/usr/bin/perl

# A name with two addresses, the first of which does not respond: they share the
# time of a probe, and from then on the other one is tried first.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::DNS;
use InitGate::Fake;

my $t = InitGate->new(workers => 1);

my $dns = InitGate::DNS->new(sub {
    my ($name, $type) = @_;
    return $type ne 'A' ? [] : ['127.0.0.2', '127.0.0.1'];
});

my ($certificate, $key) = $t->certificate('two.example');

my $pg = $t->postgres;
my $redis = $t->redis->port;

my %port = (postgres => $pg->port, redis => $redis,
    map { $_ => $t->port($_) } qw(http tcp dead));

my $peer = InitGate->new(workers => 1, ports => $t->{ports});

$peer->run(http => <<"CONF");
    server {
        listen 127.0.0.1:$port{http};
        listen 127.0.0.1:$port{dead};
        listen 127.0.0.1:$port{tcp} ssl;
        ssl_certificate $certificate;
        ssl_certificate_key $key;
        location / { return 200; }
    }
CONF

my @at = (addr => '127.0.0.2');
my @holes = map { InitGate::Fake->blackhole(@at, port => $port{$_}) }
    qw(http redis postgres);

# the same for a TLS handshake without a response, and for a server that accepts
# and is silent

push @holes, map { InitGate::Fake->silent(@at, port => $port{$_}) }
    qw(tcp dead);

# half of it takes longer than any probe that does not wait

my $limit = patience(6);

$t->run(http => <<"CONF");
    init_checks app {
        resolver 127.0.0.1:@{[$dns->port]};
        interval 20ms 20ms;
        backoff 20ms;
        latch off;
        timeout ${limit}s;
        check file %%DIR%%/never name=never;
        check http http://two.example:$port{http}/ "header=Connection: close";
        check tcp two.example:$port{tcp} tls ca=$certificate;
        check redis redis://two.example:$port{redis};
        check postgres "host=two.example port=$port{postgres} user=postgres
                        dbname=test";
        check postgres "host=two.example port=$port{postgres} user=postgres
                        dbname=test application_name=next" name=next
                       after=postgres;
        check http http://two.example:$port{dead}/ name=dead;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

sub errors {
    my ($name) = @_;

    my $n = 0;
    $n += $_ for $t->get('/init?format=prometheus')->{content}
        =~ /check_failures_total\{[^}]*check="$name"[^}]*\} (\d+)/g;

    return $n;
}

# "next" has a connection of its own, later than the other one

for my $name (qw(http tcp redis postgres next)) {
    $t->wait_for(sub { $t->check($name)->{attempts} > 8 }, "probes of $name",
        3 * $limit);

    is(errors($name), 0, "$name: the other address, in the same probe");

    # of all probes, or of the last ones

    my @slow = grep { $_->[1] > 500 * $limit } @{$t->check($name)->{recent}};
    cmp_ok(scalar @slow, '<=', $name eq 'next' ? 0 : 1,
        "$name: which comes first from then on");
}

$t->wait_for(sub { $t->check('dead')->{attempts} > 8 }, 'probes of the dead one',
    3 * $limit);
is(errors('dead'), 1, 'server that accepts and is silent: one probe fails');

# the responding servers stop, and another one starts again

$peer->quit;
$_->stop for @holes;

my $back = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
}, @at, port => $port{http});

$t->wait_for(sub { $back->connections > 3 },
    'the server that was started again');
settles($t, 'http', 'passed');

done_testing;
