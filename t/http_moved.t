#!/usr/bin/perl

# http: a server that is not ready is replaced by one that is, behind the same
# name or address, while the old one goes on answering over connections that it
# has accepted.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::DNS;
use InitGate::Fake;

my $t = InitGate->new(quit => 2, workers => 1);

sub peer {
    my ($status, %args) = @_;

    return InitGate::Fake->new(sub {
        my ($c) = @_;
        my $said = $status->($c);
        $c->send("HTTP/1.1 $said x\r\nContent-Length: 2\r\n\r\n{}") or return
            while $c->read_until(qr/\r\n\r\n/);
    }, %args);
}

# an address behind which connections go to another server from now on

my $address = peer(sub { $_[0]->word || 503 });

# a name that moves from one address to another

my $old = peer(sub { 503 }, addr => '127.0.0.1');
my $new = peer(sub { 200 }, addr => '127.0.0.2', port => $old->port);
my $dns = InitGate::DNS->new(sub {
    my ($name, $type, $address) = @_;
    return $type eq 'A' ? [$address || '127.0.0.1'] : [];
});

$t->run(http => <<"CONF");
    init_checks app {
        check http http://127.0.0.1:@{[$address->port]}/  name=address;
        check http http://app.example:@{[$old->port]}/    name=name;
        interval 100ms;
        timeout 1m;
        resolver 127.0.0.1:@{[$dns->port]};
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

settles($t, $_, 'waiting bad_status') for qw(address name);

$address->set(200);
$dns->set('127.0.0.2');

settles($t, $_, 'passed') for qw(address name);

done_testing;
