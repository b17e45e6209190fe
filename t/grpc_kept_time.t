#!/usr/bin/perl

# grpc: a connection is kept for at most 30 seconds, in use or idle.  The clock
# of nginx is put forward.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::HTTP2;

plan(skip_all => 'the module has to be loaded, without valgrind')
    if InitGate::is_linked_in() || $ENV{TEST_NGINX_VALGRIND};

my $t = InitGate->new(workers => 1, main => 'env LATER;');

my @fakes = map { InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->send(settings());

    for (my $stream = 1; $c->read_until(qr/\x0a\x01x/); $stream += 2) {
        $c->send(headers($stream, ':status' => 200,
            'content-type' => 'application/grpc')
            . data($stream, message("\x08\x01"))
            . end($stream, 'grpc-status' => 0));
    }

    $t->write('closed.' . $c->socket->sockport);
}) } 1, 2;

my ($busy, $idle) = map { $_->port } @fakes;

$t->conf(http => <<"CONF");
    init_checks app {
        check file %%DIR%%/never  name=never;
        check grpc 127.0.0.1:$busy  name=busy  service=x;
        check grpc 127.0.0.1:$idle  name=idle  service=x  interval=1h;
        interval 100ms;
        backoff 100ms;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

my $library = $t->preload('monotonic_clock');

$t->write('later');

{
    local $ENV{LD_PRELOAD} = $library;
    local $ENV{LATER} = $t->path('later');
    $t->run;
}

# on a busy machine, the real time counts, too

my $now = 0;

sub later {
    my ($seconds) = @_;

    $now += $seconds;
    $t->write('later', 'x' x $now);
}

sub probes {
    my $attempts = $t->check('busy')->{attempts};

    $t->wait_for(sub { $t->check('busy')->{attempts} > $attempts + 5 },
        'more probes');
}

$t->wait_for(sub { ($t->check('idle')->{verdict} // '') eq 'passed' },
    'both to be probed');
probes();

my $connections = $fakes[0]->connections;

later(10);
probes();
cmp_ok($fakes[0]->connections, '<=', $connections + 1, 'after 10 s: kept');

later(25);
probes();
cmp_ok($fakes[0]->connections, '>', $connections,
    'after 35 s: a new connection');

$t->wait_for(sub { -e $t->path("closed.$idle") },
    'the idle connection to be closed');
ok(-e $t->path("closed.$idle"), 'after 35 s: an idle connection closed');
is($t->check('idle')->{attempts}, 1, 'idle: one probe');

done_testing;
