package InitGate::Etc;

# A private network and private files: port 53 is free, no other process gets
# the packets, and the test can change /etc/hosts and /etc/resolv.conf.
#
#     use InitGate::Etc;          # before any process is started
#
#     etc('resolv.conf', "nameserver 127.0.0.1\n");
#
# use           starts the test again, in namespaces of its own; it is skipped
#               if there are none.  There is a loopback interface.
# etc(NAME, TEXT)   sets the content of /etc/NAME, in place, since it is a mount

use strict;
use warnings;

use File::Temp ();
use Test::More ();

use Exporter 'import';
our @EXPORT = qw(etc);

my $dir;


BEGIN {
    if (!$ENV{INIT_GATE_ALONE}) {
        $ENV{INIT_GATE_ALONE} = 1;

        if ($> || system('unshare -m -n true 2>/dev/null')) {
            Test::More::plan(skip_all => 'no namespaces here');
        }

        exec 'unshare', '-m', '-n', '--propagation', 'private', $^X, $0
            or die "unshare: $!";
    }

    delete $ENV{INIT_GATE_ALONE};

    system('ip link set lo up') == 0 or die 'no loopback';

    $dir = File::Temp->newdir;
    chmod 0755, $dir;
}


sub etc {
    my ($name, $text) = @_;

    my $new = !-e "$dir/$name";

    open my $fh, '>', "$dir/$name" or die "$dir/$name: $!";
    print $fh $text;
    close $fh;

    if ($new) {
        chmod 0644, "$dir/$name";
        system('mount', '--bind', "$dir/$name", "/etc/$name") == 0
            or die "mount: $!";
    }
}


1;
