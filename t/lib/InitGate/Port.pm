package InitGate::Port;

# TCP ports that are reserved until the test ends.
#
#     my $port = InitGate::Port::claim();
#
# A port is outside the range of the kernel for clients, so that no connection
# takes it while nothing listens there.  The UDP port of the same number stays
# bound, so that no other test takes it.

use strict;
use warnings;

use IO::Socket::INET;

# in forked children, too, so that they do not end the claim

my @locks;


sub claim {
    my ($low, $high) = range();

    for (1 .. 1000) {
        my $port = $low + int rand $high - $low;

        my $lock = IO::Socket::INET->new(Proto => 'udp',
            LocalAddr => "127.0.0.1:$port") or next;

        IO::Socket::INET->new(Proto => 'tcp', Listen => 1, ReuseAddr => 1,
            LocalAddr => "127.0.0.1:$port") or next;

        push @locks, $lock;

        return $port;
    }

    die "no free port";
}


sub range {
    my ($low, $high) = (10000, 30000);

    open my $fh, '<', '/proc/sys/net/ipv4/ip_local_port_range'
        or return ($low, $high);
    my ($first, $last) = split ' ', <$fh>;

    return $first >= $high || $last <= $low ? ($low, $high)
        : $first > 4000 ? (2000, $first)
        : $last < 64000 ? ($last + 1, 65536) : ($low, $high);
}


1;
