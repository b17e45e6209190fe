#!/usr/bin/perl

# Limits of the system: no more descriptors, no more connections of nginx's,
# a full disk for the log.  Probes say so, count neither way, and go on when
# there is room again; nobody is turned away by an open gate, and who has a
# connection is served as fast as ever.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Latency;
use InitGate::Checks 'check';
use InitGate::Fake;

my $http = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
})->port;

sub server {
    my ($name, %args) = @_;

    my $t = InitGate->new(workers => 1, %args);

    $t->write('marker');
    $t->write('slow', 'x' x 9999);
    $t->run(http => InitGate::Latency::GATE . <<"CONF");
    init_checks app {
        check http http://127.0.0.1:$http/;
        check file %%DIR%%/marker  contains=x;
        interval 30ms 30ms;  backoff 30ms;  latch off;  fall 1;
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
    $t->wait_for(sub { $t->get('/')->{status} == 200 }, "$name: open");

    return $t;
}

# as many clients as it takes, each in the middle of its request: others would
# be closed to make room; one more may be sent away while a probe has the last
# connection, and then comes again

sub fill {
    my ($t, $name) = @_;

    my @history = map { $_->{state} } @{$t->json('/init')->{gates}[1]{history}};
    my $errors = $t->log_count(qr/check "http" error/);

    my $beside = InitGate::Latency->new($t)->begin;
    my @others;

    $t->wait_for(sub {
        push @others, my $socket = $t->connect;
        syswrite $socket, "GET /slow HTTP/1.0\r\n\r\n";

        return 0 if IO::Select->new($socket)->can_read(patience(0.5))
            && sysread $socket, my $got, 1;

        return $t->log_count(qr/check "http" error/) > $errors;
    }, "$name: no room for a probe", 30);

    note("$name: enough for " . $#others);

    my ($said) = $t->log =~ /check "http" (error: .*)/;
    note("$name: $said");

    $beside->more(200);
    @others = ();

    $t->wait_for(sub {
        2 == grep { check($t, $_)->{verdict} eq 'passed' } qw(http file);
    }, "$name: well again");

    $beside->end("$name exhausted");

    is_deeply([map { $_->{state} } @{$t->json('/init')->{gates}[1]{history}}],
        \@history, "$name: the gate has not moved");
    is($t->get('/')->{status}, 200, "$name: and is open");
}

my $few = server('connections', events => 'worker_connections 32;',
    allow => [qr/worker_connections are not enough/]);
fill($few, 'connections');

# valgrind's own limit is another one

if (!$ENV{TEST_NGINX_VALGRIND}) {
    my $files = server('descriptors', main => 'worker_rlimit_nofile 24;',
        allow => [qr/Too many open files/]);
    fill($files, 'descriptors');
}

# nobody reads what it says, and it says it all the same

my $full = server('a full disk', main => 'error_log /dev/full debug;');
$full->remove('marker');
$full->wait_for(sub { $full->get('/')->{status} == 503 }, 'closed');
$full->write('marker', 'x');
$full->wait_for(sub { $full->get('/')->{status} == 200 }, 'and open');

done_testing;
