package InitGate::Etc;

# A network and files of the test's own: port 53 is free, nobody else hears
# what is said, and /etc/hosts and /etc/resolv.conf are the test's.
#
#     use InitGate::Etc;          # ahead of all that starts something
#
#     etc('resolv.conf', "nameserver 127.0.0.1\n");
#
# use           begins the test again, in namespaces of its own; where there
#               are none, it is skipped.  There is a loopback interface.
# etc(NAME, TEXT)   what is in /etc/NAME from now on, changed in its place, as
#               what is mounted elsewhere has to be

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
