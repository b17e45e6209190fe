#!/usr/bin/perl

# A Unix socket with a full listen queue: the server is busy, not gone, so it
# is out after "fall" probes, not at once.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new;
my $path = $t->path('server.sock');

my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 1)
    or die "$path: $!";
$listener->blocking(0);
chmod 0777, $path;

$t->run(http => <<"CONF");
    upstream app { zone app 64k;  server unix:$path; }
    init_checks app {
        check upstream app  tcp;
        interval 50ms 50ms;
        fall 1000000;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  proxy_pass http://app; }
        location = /init { init_status details=on; }
    }
CONF

sub server { $t->check('upstream')->{servers}[0] }

# the queue has the probes since the last call

sub accept_all { 1 while $listener->accept }

$t->wait_for(sub { accept_all(); server()->{in} }, 'the server to be in');

# these probes and clients are not accepted

my @clients;

$t->wait_for(sub {
    push @clients, IO::Socket::UNIX->new(Peer => $path, Blocking => 0);
    server()->{verdict} eq 'error';
}, 'a probe to fail');

my $server = server();
is($server->{reason}, 'unreachable', 'full queue: reason');
like($server->{message}, qr/connect\(\) to unix:\Q$path\E failed \(11: /,
    'full queue: message');
ok($server->{in}, 'full queue: the server is still in');

undef @clients;
$t->wait_for(sub { accept_all(); server()->{verdict} eq 'passed' },
    'a probe to pass');
ok(server()->{in}, 'queue accepted: the server is in');

# without a listener, it is out at once

$listener->close;
$t->wait_for(sub { !server()->{in} }, 'the server to be out');
is(server()->{reason}, 'refused', 'no listener: reason');

done_testing;
