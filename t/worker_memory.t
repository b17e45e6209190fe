#!/usr/bin/perl

# The memory of a worker with the module compared with plain nginx: little more
# when it is loaded, and with a file check.  libpq and its libraries
# are loaded only for a check that needs them.
#
# Pages that were written are counted: how much of a file that was only read is
# resident depends on the page cache.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use List::Util qw(sum);

plan skip_all => 'the ordinary build is measured'
    if $ENV{TEST_NGINX_VALGRIND} || $ENV{TEST_NGINX_BINARY}
       || $ENV{TEST_NGINX_MODULE};

my $most = 300;    # KiB

# what a worker has written to after some requests, in KiB: median of three

sub written {
    my (%args) = @_;

    my $location = delete $args{location} // '';
    my $checks = delete $args{checks} // '';
    my $libpq;

    my @taken = map {
        my $t = InitGate->new(workers => 1, level => 'error', %args,
            http => <<"CONF");
    $checks
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { $location  empty_gif; }
    }
CONF
        $t->write('marker');
        $t->run;
        $t->wait_for(sub { $t->get('/')->{status} == 200 }, 'a request');
        $t->get('/') for 1 .. 5;

        plan(skip_all => $t->hidden) if $t->hidden;

        my ($worker) = $t->workers;
        my $written = sum($t->read("/proc/$worker/smaps_rollup")
            =~ /^(?:Shared|Private)_Dirty:\s+(\d+)/mg);

        $libpq = $t->read("/proc/$worker/maps") =~ m{/libpq\.so};
        $t->quit;
        $written;
    } 1 .. 3;

    return ((sort { $a <=> $b } @taken)[1], $libpq);
}

my ($plain) = written(module => 0);

for (
    ['loaded, and not used'],
    ['a check of a file', location => 'init_gate app;',
     checks => 'init_checks app { check file %%DIR%%/marker; }'],
) {
    my ($name, %args) = @$_;
    my ($with, $libpq) = written(%args);

    note sprintf '%s: %d KiB, plain nginx %d', $name, $with, $plain;

    cmp_ok($with - $plain, '<=', $most,
        "$name: memory in KiB above plain nginx");
    ok(!$libpq, "$name: libpq not loaded");
}

done_testing;
