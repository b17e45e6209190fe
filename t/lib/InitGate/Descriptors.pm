package InitGate::Descriptors;

# The unexpected descriptors of the processes of nginx, once nothing is
# running:
#
#     is(join("\n", left($t)), '', 'no descriptor left open');
#
# left($t)      waits up to 30 s until there are none, and returns those that
#               are left, a line for each.  Expected are, in a worker:
#               - the files of its master, once each;
#               - the listening sockets of its master;
#               - the channels: one for each other process, and its own;
#               - the same event queues and the like as in other workers;
#               - in one of them, an inotify instance;
#               - at most two connections for each check (to a sentinel and
#                 to its server), and a few to name servers;
#               - connections of clients that have not closed theirs;
#               and in the master two channels for each worker.

use strict;
use warnings;

use Time::HiRes qw(time sleep);

use Exporter 'import';
our @EXPORT_OK = qw(left);

my ($LISTEN, $CLOSE_WAIT) = ('0A', '08');


sub left {
    my ($t) = @_;

    my $end = time + InitGate::patience(30);
    my @left;

    while (@left = look($t)) {
        last if time > $end;
        sleep 0.02;
    }

    return @left;
}


sub look {
    my ($t) = @_;

    my $pid = $t->{pid};
    my @workers = $t->workers;
    my $has = kinds($t, $pid);

    return connections($t, $has, 0) if !$t->{master};

    my $children = $t->children($pid);
    my @left;

    push @left, "master: $has->{unnamed} channels, $children processes"
        if $has->{unnamed} != 2 * $children;

    push @left, map { "master: $_ is open $has->{files}{$_} times" }
        grep { $_ ne '/dev/null'
               && $has->{files}{$_} > (/error\.log$/ ? 2 : 1) }
        sort keys %{$has->{files}};

    my $first;
    my $inotify = 0;

    for my $worker (@workers) {
        my $is = kinds($t, $worker);
        $inotify += $is->{inotify};
        my @of = connections($t, $is, $children);

        push @of, difference('files', $has->{files}, $is->{files});
        push @of, difference('of the kernel', ($first //= $is)->{kernel},
            $is->{kernel});
        push @of, "$is->{listening} listening sockets, and $has->{listening}"
            . ' in the master' if $is->{listening} != $has->{listening};

        push @left, map { "worker $worker: $_" } @of;
    }

    push @left, "$inotify inotify instances" if $inotify > 1;

    return @left;
}


sub connections {
    my ($t, $is, $channels) = @_;

    my @left;
    my $checks = () = $t->read('nginx.conf') =~ /\b(?:check|trigger)\s+\S/g;
    my $connections = $is->{connections} + $is->{unnamed} - $channels;

    push @left, "$connections connections for $checks checks"
        if $connections > 2 * $checks || $connections < 0;
    push @left, "$is->{datagrams} sockets for datagrams"
        if $is->{datagrams} > 8;
    push @left, "$is->{abandoned} connections closed by the peer"
        if $is->{abandoned};

    return @left;
}


sub difference {
    my ($what, $ought, $is) = @_;

    my %all = (%$ought, %$is);

    return map { "$what: $_: " . ($is->{$_} // 0) . ', not '
                 . ($ought->{$_} // 0) }
        grep { ($is->{$_} // 0) != ($ought->{$_} // 0) } sort keys %all;
}


# the number of each kind in a process

sub kinds {
    my ($t, $pid) = @_;

    my %is = (files => {}, kernel => {}, listening => 0, unnamed => 0,
              connections => 0, clients => 0, abandoned => 0, datagrams => 0,
              inotify => 0);

    my @open = $t->descriptors($pid);
    my $sockets = sockets($t, $pid);
    my @tcp;

    for (@open) {
        if (/^anon_inode:inotify/) {
            $is{inotify}++;

        } elsif (/^anon_inode:(.*)/) {
            $is{kernel}{$1}++;

        } elsif (!/^socket:\[(\d+)\]/) {
            $is{files}{$_}++;

        } elsif (my $tcp = $sockets->{tcp}{$1}) {
            push @tcp, $tcp;

        } elsif (my $kind = $sockets->{other}{$1}) {
            $is{$kind}++;

        } else {
            # of another protocol, not connected yet, or closed
            $is{connections}++;
        }
    }

    my %port = map { $_->{port} => 1 } grep { $_->{state} eq $LISTEN } @tcp;

    for (@tcp) {
        $is{$_->{state} eq $LISTEN ? 'listening'
            : $_->{state} eq $CLOSE_WAIT ? 'abandoned'
            : $port{$_->{port}} ? 'clients' : 'connections'}++;
    }

    return \%is;
}


# by inode

sub sockets {
    my ($t, $pid) = @_;

    my (%tcp, %other);

    for (map { split /\n/, $t->read("/proc/$pid/net/$_") } qw(tcp tcp6)) {
        my ($address, $state, $inode) = (split)[1, 3, 9];

        $tcp{$inode} = { port => hex $1, state => $state }
            if $address =~ /:([0-9A-F]{4})$/;
    }

    for (split /\n/, $t->read("/proc/$pid/net/unix")) {
        my ($flags, $inode, $path) = (split)[3, 6, 7];

        $other{$inode} = hex $flags & 0x10000 ? 'listening'
            : defined $path ? 'clients' : 'unnamed' if $flags !~ /[^0-9A-F]/;
    }

    for (map { split /\n/, $t->read("/proc/$pid/net/$_") } qw(udp udp6)) {
        $other{(split)[9]} = 'datagrams';
    }

    return { tcp => \%tcp, other => \%other };
}


1;
