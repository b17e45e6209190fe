#!/usr/bin/perl

# The remote check: fifty nginx follow two behind one name, one of which is
# killed; servers that are silent, or send without end.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::DNS;
use InitGate::Fake;

my $followers = $ENV{TEST_NGINX_VALGRIND} || InitGate::is_linked_in() ? 5 : 50;

my $dns = InitGate::DNS->new(sub {
    my ($name, $type) = @_;
    return $name ne 'gate.example' ? 'NXDOMAIN'
        : $type eq 'A' ? ['127.0.0.1', '127.0.0.2'] : [];
});

# both on one port, of two addresses

my $port = InitGate::Port::claim();

my @origin = map {
    InitGate->new(workers => 1, http => <<"CONF")
    init_checks app { check file %%DIR%%/marker;  interval 1h;  latch off;  fall 1; }
    server {
        listen 127.0.0.$_:$port;
        location = /ready { init_ready app;  keepalive_timeout 1h; }
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF
} 1, 2;

$_->run for @origin;
$_->wait_state('initializing') for @origin;

my @t = map {
    InitGate->new(workers => 1, master => 0, level => 'info', http => <<"CONF")
    init_checks app {
        check remote http://gate.example:$port/ready;
        resolver 127.0.0.1:@{[$dns->port]};
        interval 1s;
        latch off;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF
} 1 .. $followers;

$_->run for @t;

sub all_are {
    my ($verdict, $label) = @_;

    my @other = @t;

    ok($t[0]->wait_for(sub {
        @other = grep {
            ((eval { $_->check('remote') } // {})->{verdict} // '') ne $verdict
        } @other;
        return !@other;
    }, $label), "$label: all are $verdict");
}

all_are('waiting', 'closed');

my $waiting = sub {
    my $n = 0;
    $n += $_->gate->{waited} for grep { $_->{pid} } @origin;
    return $n;
};

$t[0]->wait_for(sub { $waiting->() >= $followers }, 'all to wait');

my $clock = $t[0]->clock;
$_->write('marker') for @origin;
all_are('passed', 'open');
cmp_ok($clock->seconds, '<', patience(5), 'open: at once');

is($origin[0]->check('file')->{attempts} + $origin[1]->check('file')->{attempts}
    < 10, 1, 'origins: few probes, however many follow');

# one of the two is killed, the other one is followed

kill 'KILL', $_ for $origin[0]->master, $origin[0]->workers;
delete $origin[0]{pid};
$origin[1]->remove('marker');
all_are('waiting', 'one killed, the other closes');
$origin[1]->write('marker');
all_are('passed', 'one killed, the other opens');

# servers that misbehave

my $silent = InitGate::Fake->new(sub { $_[0]->read_until(qr/nothing/) });
my $endless = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");

    for (1 .. 100) {
        $c->send('x' x 2048) or return;
        select undef, undef, undef, 0.002;
    }
});
my $plain = InitGate::Fake->http(503, body =>
    '{"ready":false,"gates":[{"gate":"a","state":"initializing","ready":false,'
    . '"progress":0.5,"eta_ms":60000,"checks":[]}]}');

my $t = InitGate->new(workers => 1, http => <<"CONF");
    init_checks app {
        check remote http://127.0.0.1:@{[$silent->port]}/   name=silent;
        check remote http://127.0.0.1:@{[$endless->port]}/  name=endless;
        check remote http://127.0.0.1:@{[$plain->port]}/    name=plain;
        interval 50ms;
        timeout 2s;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

$t->run;

sub becomes {
    my ($name, $expected) = @_;

    my $is = '';

    ok($t->wait_for(sub {
        my $check = $t->check($name);
        $is = join ' ', grep { defined } @$check{qw(verdict reason)};
        return $is eq $expected;
    }, "$name: $expected"), "$name: $expected") or diag($is);
}

becomes('plain', 'running in_progress');
becomes('endless', 'error too_large');
becomes('silent', 'error timeout');

# a server that knows no waiting is asked at the interval

my $attempts = $t->check('plain')->{attempts};
$t->wait_for(sub { $t->check('plain')->{attempts} > $attempts + 3 }, 'probes');
is($t->check('plain')->{observed}, 500, 'plain: progress');
cmp_ok($t->gate->{eta_ms}, '>', 50000, 'plain: its estimate');

done_testing;
