#!/usr/bin/perl

# Resource limits: no free descriptors, no free connections of the worker, a
# full disk for the log.  Probes end with errors ignored by rise and fall, and
# continue when resources are available again; an open gate stays open, and the latency
# of requests on open connections is not affected.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Latency;
use InitGate::Fake;

my $http = InitGate::Fake->http(200)->port;

sub server {
    my ($name, %args) = @_;

    my $t = InitGate->new(workers => 1, %args);

    $t->write('marker');
    $t->write('slow', 'x' x 9999);
    $t->run(http => InitGate::Latency::GATE . <<"CONF");
    init_checks app {
        check http http://127.0.0.1:$http/;
        check file %%DIR%%/marker  contains=x;
        interval 30ms 30ms;
        timeout 1m;  backoff 30ms;  latch off;  fall 1;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
@{[InitGate::Latency::LOCATION]}
        location / { init_gate app;  empty_gif; }
        location = /slow { limit_rate 10;  alias %%DIR%%/slow; }
        location = /init { init_status details=on;  keepalive_timeout 300s; }
    }
CONF

    $t->write('marker', 'x');
    $t->wait_for(sub { $t->get('/')->{status} == 200 }, "$name: gate to open");

    return $t;
}

# As many clients as necessary, each with a request in progress, since idle
# connections would be closed.  While a probe has the last connection, one
# more client is closed, and tries again.

sub fill {
    my ($t, $name) = @_;

    my @history = map { $_->{state} } @{$t->gate('app')->{history}};
    my $errors = $t->log_count(qr/check "http" error/);

    my $latency = InitGate::Latency->new($t)->begin;
    my @others;

    $t->wait_for(sub {
        push @others, my $socket = $t->connect;
        syswrite $socket, "GET /slow HTTP/1.0\r\n\r\n";

        return 0 if IO::Select->new($socket)->can_read(patience(0.5))
            && sysread $socket, my $got, 1;

        return $t->log_count(qr/check "http" error/) > $errors;
    }, "$name: a probe without resources");

    note("$name: clients: " . $#others);

    my ($said) = $t->log =~ /check "http" (error: .*)/;
    note("$name: $said");

    $latency->more(200);
    @others = ();

    $t->wait_for(sub {
        2 == grep { $t->check($_)->{verdict} eq 'passed' } qw(http file);
    }, "$name: probes to pass again");

    $latency->end("$name exhausted");

    is_deeply([map { $_->{state} } @{$t->gate('app')->{history}}], \@history,
        "$name exhausted: no change of state");
    is($t->get('/')->{status}, 200, "$name exhausted: gate open afterwards");
}

my $few = server('connections', events => 'worker_connections 32;',
    allow => [qr/worker_connections are not enough/]);
fill($few, 'connections');

# valgrind has a limit of its own

if (!$ENV{TEST_NGINX_VALGRIND}) {
    my $files = server('descriptors', main => 'worker_rlimit_nofile 24;',
        allow => [qr/Too many open files/]);
    fill($files, 'descriptors');
}

# the log cannot be written

my $full = server('a full disk', main => 'error_log /dev/full debug;');
$full->remove('marker');
$full->wait_for(sub { $full->get('/')->{status} == 503 },
    'a full disk: gate to close');
$full->write('marker', 'x');
$full->wait_for(sub { $full->get('/')->{status} == 200 },
    'a full disk: gate to open');

done_testing;
