#!/usr/bin/perl

# What the module takes of a worker's memory over plain nginx: little, when it
# is loaded and when it looks at files.  PostgreSQL's library, and all that it
# brings, comes with the first check that needs it.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

plan skip_all => 'the ordinary build is measured'
    if $ENV{TEST_NGINX_VALGRIND} || $ENV{TEST_NGINX_BINARY}
       || $ENV{TEST_NGINX_MODULE};

my $most = 512;    # KiB

# of a worker that has answered some requests, in KiB: the median of several

sub resident {
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

        my ($worker) = $t->workers;
        my ($rss) = $t->read("/proc/$worker/smaps_rollup") =~ /^Rss:\s+(\d+)/m;

        $libpq = $t->read("/proc/$worker/maps") =~ m{/libpq\.so};
        $t->quit;
        $rss;
    } 1 .. 3;

    return ((sort { $a <=> $b } @taken)[1], $libpq);
}

my ($plain) = resident(module => 0);

for (
    ['loaded, and not used'],
    ['a check of a file', location => 'init_gate app;',
     checks => 'init_checks app { check file %%DIR%%/marker; }'],
) {
    my ($name, %args) = @$_;
    my ($with, $libpq) = resident(%args);

    note sprintf '%s: %d KiB, plain nginx %d', $name, $with, $plain;

    cmp_ok($with - $plain, '<=', $most, "$name: KiB over plain nginx");
    ok(!$libpq, "$name: without PostgreSQL's library");
}

done_testing;
