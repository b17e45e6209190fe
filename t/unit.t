#!/usr/bin/perl

# The C unit tests of t/unit, each of them a subtest.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

chdir "$FindBin::Bin/..";

my $flavour = $ENV{TEST_NGINX_MODULE} && $ENV{TEST_NGINX_MODULE}
    =~ m{/build-(\w+)/} ? $1 : InitGate::is_linked_in() ? 'sanitize'
    : 'release';

my ($status, $text) = InitGate::make("FLAVOUR=$flavour", 'units');
is($status, 0, 'make units: exit status 0') or diag $text;

my $dir = $flavour eq 'release' ? 'build' : "build-$flavour";

for my $source (glob 't/unit/*.c') {
    my ($name) = $source =~ m{/(\w+)\.c$};

    subtest $name => sub {
        my $tap = do {
            # the library is loaded before that of ASAN, which nginx is linked
            # with
            local $ENV{ASAN_OPTIONS} = "$ENV{ASAN_OPTIONS}"
                . ':verify_asan_link_order=0';
            local $ENV{LD_PRELOAD} = "$FindBin::Bin/../$dir/unit/$name.so";
            open my $fh, '-|', InitGate::binary();
            local $/;
            my $all = <$fh>;
            close $fh;
            $all;
        };

        is($?, 0, "$name: exit status 0");

        for (split /\n/, $tap) {
            if (/^(not )?ok \d+ - (.*)/) {
                ok(!$1, $2);

            } elsif (/^# (.*)/) {
                diag $1;

            } elsif (/^1\.\.(\d+)/) {
                plan(tests => $1 + 1);
            }
        }
    };
}

done_testing;
