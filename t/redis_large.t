#!/usr/bin/perl

# A field that is too large to be read, for which two checks have asked at the
# same time: they report its size, and other checks at the same server, which
# share their connection, do not fail.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use IO::Socket::INET;

my $t = InitGate->new(workers => 1);
my $server = $t->redis;
my $redis = $server->client;
my $url = 'redis://127.0.0.1:' . $server->port;

$redis->hset(h => f => 'small');
$redis->hset(large => f => 'x' x 100_000);

$t->run(http => <<"CONF");
    init_checks app {
        interval 300ms;
        timeout 1m;

        check file %%DIR%%/never  name=never;
        check redis $url  name=a  key=h  field=f  value=ready;
        check redis $url  name=b  key=h  field=f  value=ready;
        check redis $url  name=c  key=h  field=f  value=ready;
        check redis $url  name=ping;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

verdict($t, $_, 'waiting mismatch', qr/^field "f" of key "h" is "small"/)
    for qw(a b c);

# the bytes that the server has not read

sub unread {
    my $local = sprintf '0100007F:%04X', $server->port;
    my $bytes = 0;

    open my $fh, '<', '/proc/net/tcp' or die "tcp: $!";

    while (<$fh>) {
        my @word = split;
        $bytes += hex((split /:/, $word[4])[1]) if $word[1] eq $local;
    }

    return $bytes;
}

# a server that reads, first, that the field has become large, then the
# requests of all checks

my $socket = IO::Socket::INET->new(PeerAddr => $server->at) or die $!;
print $socket "PING\r\n";
is(scalar <$socket>, "+PONG\r\n", 'connected');

$t->wait_for(sub { unread() == 0 }, 'no request');
$server->freeze;
print $socket "RENAME large h\r\n";

my ($last, $same) = (0, 0);

$t->wait_for(sub {
    my $unread = unread();
    $same = $unread == $last ? $same + 1 : 0;
    $last = $unread;
    return $unread > 100 && $same > 9;
}, 'requests of all checks');
note "$last bytes";

$server->thaw;

verdict($t, $_, 'waiting mismatch',
    qr/^field "f" of key "h" has 100000 bytes, more than the 65536 that/)
    for qw(a b c);
verdict($t, 'ping', 'passed');
is(join('', $t->log =~ /^.* error: .*\n/mg), '', 'no check failed');

done_testing;
