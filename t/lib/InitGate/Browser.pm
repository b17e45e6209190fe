package InitGate::Browser;

# A real browser: runs a script of t/pages, which controls Chromium and prints
# TAP.
#
#     use InitGate::Browser;
#
#     browse($t, 'waiting', { url => ... },
#            open => sub { $t->write('marker') });
#
# The script gets the hash (see t/pages/browser.js) and calls the subs by their
# names: "await act('open')".
#
# TEST_NGINX_BROWSER=no skips the whole file.

use strict;
use warnings;

use Cwd ();
use Fcntl ':flock';
use File::Basename ();
use IPC::Open2 ();
use InitGate;
use JSON::PP ();

use Exporter ();
our @EXPORT = qw(browse);

my $top = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../..');


sub import {
    if (($ENV{TEST_NGINX_BROWSER} // '') eq 'no') {
        plan(skip_all => 'no browser');
    }

    goto &Exporter::import;
}


sub browse {
    my ($t, $script, $args, %do) = @_;

    install();

    my $pid = IPC::Open2::open2(my $from, my $to, 'node',
        "$top/t/pages/$script.js", JSON::PP->new->ascii->encode({ %$args,
            dir => $t->dir, patience => patience(1) }));

    local $SIG{ALRM} = sub { kill 'TERM', $pid };
    alarm patience(600);

    $to->autoflush(1);
    my ($ended, $said) = (0, '');

    while (my $line = <$from>) {
        if ($line =~ /^(not )?ok \d+ - (.*)/) {
            ok(!$1, $2);

        } elsif ($line =~ /^act (\w+)(?: (.*))?/) {
            $do{$1}->($2);
            print $to "done\n";

        } elsif ($line =~ /^1\.\.\d+/) {
            $ended = 1;

        } else {
            chomp $line;
            diag($line);
        }
    }

    alarm 0;
    waitpid $pid, 0;

    ok($ended && $? == 0, "$script.js: exit status 0");
}


sub install {
    open my $lock, '>', "$top/t/pages/.lock" or die "t/pages/.lock: $!";
    flock $lock, LOCK_EX;

    my $said = `$top/tools/browser 2>&1`;
    die "tools/browser: $said" if $?;
}


1;
