package Bench;

# Used by all parts: statistics, the processor time of a process, a port, a
# directory, one request.

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();
use Test::TCP ();
use Time::HiRes qw(time sleep);


sub quantile {
    my ($q, @n) = @_;

    @n = sort { $a <=> $b } @n;

    return $n[0] if @n == 1;

    my $at = $q * $#n;
    my $low = int $at;

    return $n[-1] if $low == $#n;
    return $n[$low] + ($at - $low) * ($n[$low + 1] - $n[$low]);
}


sub median { quantile(0.5, @_) }


sub load {
    open my $file, '<', '/proc/loadavg' or die $!;
    return (split ' ', <$file>)[0 .. 2];
}


# nanoseconds on a processor, of all threads

sub cpu {
    my $sum = 0;

    for my $path (map { glob "/proc/$_/task/*/schedstat" } @_) {
        open my $file, '<', $path or next;
        $sum += (split ' ', <$file> // '0')[0];
    }

    return $sum;
}


# bytes: all, those of this process alone, and with its share of those that
# other processes map, too

sub resident {
    my ($rss, $own, $share) = (0, 0, 0);

    for my $pid (@_) {
        open my $file, '<', "/proc/$pid/smaps_rollup" or die "$pid: $!";

        while (<$file>) {
            $rss += $1 * 1024 if /^Rss:\s+(\d+)/;
            $own += $1 * 1024 if /^Private_\w+:\s+(\d+)/;
            $share += $1 * 1024 if /^Pss:\s+(\d+)/;
        }
    }

    return ($rss, $own, $share);
}


sub directory {
    my $dir = File::Temp::tempdir('init-gate-bench-XXXXXX', TMPDIR => 1,
                                  CLEANUP => 1);
    chmod 0755, $dir or die $!;

    return $dir;
}


sub port { Test::TCP::empty_port() }


sub touch {
    for my $path (@_) {
        open my $file, '>', $path or die "$path: $!";
    }
}


sub connected {
    my ($port) = @_;

    my $until = time + 30;

    while (time < $until) {
        my $socket = IO::Socket::INET->new("127.0.0.1:$port");
        return $socket if $socket;
        sleep 0.02;
    }

    die "nothing listens on port $port";
}


# one request on a connection that is kept

sub ask {
    my ($socket, $uri, $accept) = @_;

    my $answer = '';
    $accept = defined $accept ? "Accept: $accept\r\n" : '';

    syswrite $socket, "GET $uri HTTP/1.1\r\nHost: localhost\r\n$accept\r\n"
        or die "write: $!";

    until ($answer =~ /\r\n\r\n/) {
        sysread $socket, $answer, 65536, length $answer or die "read: $!";
    }

    my $head = index($answer, "\r\n\r\n") + 4;
    my ($length) = substr($answer, 0, $head) =~ /^Content-Length: (\d+)/mi;

    if (!defined $length) {
        until ($answer =~ /\r\n0\r\n\r\n\z/) {
            sysread $socket, $answer, 65536, length $answer
                or die "read: $!";
        }

        return $answer;
    }

    while (length $answer < $head + $length) {
        sysread $socket, $answer, 65536, length $answer or die "read: $!";
    }

    return $answer;
}


sub status { $_[0] =~ m{^HTTP/1\.\d (\d+)} ? $1 : 0 }


sub json {
    my ($answer) = @_;

    my $body = substr $answer, index($answer, "\r\n\r\n") + 4;
    $body =~ s/^[0-9a-f]+\r\n|\r\n[0-9a-f]+\r\n(?:\r\n)?//g
        if $answer =~ /^Transfer-Encoding: chunked/mi;

    return JSON::PP::decode_json($body);
}


sub wait_for {
    my ($true, $what, $seconds) = @_;

    my $until = time + ($seconds // 60);

    while (time < $until) {
        my $value = $true->();
        return $value if $value;
        sleep 0.02;
    }

    die "$what did not come";
}


sub save {
    my ($path, $result) = @_;

    open my $file, '>', $path or die "$path: $!";
    print $file JSON::PP->new->utf8->canonical->pretty->encode($result);
    close $file or die $!;
}


sub restore {
    my ($path) = @_;

    open my $file, '<', $path or return;
    local $/;

    return JSON::PP->new->utf8->decode(<$file>);
}


# numbers for people

sub thousands {
    my $n = sprintf '%.0f', $_[0];

    1 while $n =~ s/^(-?\d+)(\d{3})/$1,$2/;

    return $n;
}


sub signed { ($_[0] >= 0 ? '+' : '') . thousands($_[0]) }

1;
