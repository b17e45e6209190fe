#!/usr/bin/perl

# http: a real application server as the peer, which starts late, warms up, is
# stopped and started again; and a second nginx in front of it.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use Time::HiRes qw(sleep);

plan(skip_all => 'no starman')
    if !grep { -x "$_/starman" } split /:/, $ENV{PATH};

my $t = InitGate->new(quit => 2, workers => 1);
my $dir = $t->dir;
my $port = $t->port(1);

$t->write('app.psgi', <<'APP');
my $dir = '%%DIR%%';

sub {
    my ($env) = @_;

    return [503, ['Content-Type' => 'text/plain'], ["warming up\n"]]
        if !-e "$dir/warm";

    # in pieces, without a length
    return sub {
        my $writer = $_[0]->([200, ['Content-Type' => 'application/json']]);
        $writer->write('{"status":');
        $writer->write("\"ready\",\"method\":\"$env->{REQUEST_METHOD}\"}");
        $writer->close;
    } if $env->{PATH_INFO} eq '/json';

    return [200, ['Content-Type' => 'text/plain', 'Content-Length' => 3],
        ["ok\n"]];
};
APP

my $app;


sub start {
    $app = fork // die "fork: $!";

    if ($app == 0) {
        open STDOUT, '>>', "$dir/starman.log";
        open STDERR, '>&', \*STDOUT;
        exec 'starman', '--listen', "127.0.0.1:$port", '--workers', 5,
            '--keepalive-timeout', 1, "$dir/app.psgi" or POSIX::_exit(127);
    }
}


sub stop {
    local $?;
    kill 'TERM', $app if $app;
    waitpid $app, 0 if $app;
    undef $app;
}

END { stop() }

$t->run(http => <<"CONF");
    init_checks app {
        check http http://127.0.0.1:$port/          name=plain
            "header=Connection: close";
        check http http://127.0.0.1:$port/json      name=chunked
            "match=\\"status\\":\\"ready\\"";
        check http http://127.0.0.1:$port/json      name=head  method=HEAD;
        check http http://127.0.0.1:%%PORT_2%%/json name=proxied
            "match=\\"method\\":\\"GET\\"";
        interval 50ms 50ms;
        backoff 50ms;
        timeout 1m;
        latch off;
    }

    server {
        listen 127.0.0.1:%%PORT_2%%;
        location / { proxy_pass http://127.0.0.1:$port; }
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status app details=on; }
    }
CONF

my $verdicts = sub {
    return join ' ', map { $_->{verdict} . ($_->{reason} ? "/$_->{reason}"
        : '') } @{$t->gate->{checks}};
};

my $is = sub {
    my ($expected, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $t->wait_for(sub { $verdicts->() eq $expected }, $name)
        or diag $verdicts->();
    is($verdicts->(), $expected, $name);
};

my $down = 'error/refused error/refused error/refused waiting/bad_status';

$is->($down, 'not started: error');

start();
$is->(join(' ', ('waiting/bad_status') x 4), 'warming up: waiting');
is($t->get('/')->{status}, 503, 'warming up: refused');

$t->write('warm');
$is->(join(' ', ('passed') x 4), 'warm: passed');
$t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the gate to open');

# longer than the server keeps a connection
my $checks = sub { $t->gate->{checks} };
my %attempts = map { $_->{name} => $_->{attempts} } @{$checks->()};
$t->wait_for(sub {
    !grep { $_->{attempts} <= $attempts{$_->{name}} + 30 } @{$checks->()};
}, 'probes');
is(join(' ', grep { $_ ne 'passed' } map { $_->[0] }
    map { @{$_->{recent}}[-25 .. -1] } @{$checks->()}), '',
    'longer than the keepalive timeout: no other verdicts');

stop();
$is->($down, 'stopped: error');
$t->wait_for(sub { $t->get('/')->{status} == 503 }, 'the gate to close');

start();
$is->(join(' ', ('passed') x 4), 'started again: passed');
$t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the gate to open');

done_testing;
