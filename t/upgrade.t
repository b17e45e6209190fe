#!/usr/bin/perl

# Binary upgrade and restart under load.  In front of what is initialised
# they refuse nobody: requests wait for the first verdicts.  In front of what
# is not, the first verdict answers at once.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;
use Time::HiRes qw(time sleep);

# takes a while to answer, as a database that is asked over the network may

my $fake = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;
    sleep 0.2;
    $c->send("HTTP/1.1 " . ($c->word || 200) . " x\r\nContent-Length: 0\r\n"
        . "Connection: close\r\n\r\n");
});

my $t = InitGate->new(http => InitGate::Load::LOG . <<"CONF");
    init_checks app {
        check http http://127.0.0.1:@{[$fake->port]}/;
        interval 50ms;
        timeout 10s;
    }
    init_checks late { check file %%DIR%%/late;  interval 20ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app;  empty_gif; }
        location = /late { init_gate late;  init_hold 30s;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
    }
CONF

sub gate {
    my ($name) = @_;

    return (grep { $_->{gate} eq $name } @{$t->json('/init')->{gates}})[0];
}

sub upgraded {
    my $old = $t->{pid};

    $t->signal('USR2');
    $t->wait_for(sub { -e $t->path('nginx.pid.oldbin') }, 'the old pid file');
    $t->wait_for(sub { ($t->master // $old) != $old }, 'the new pid file');

    my $new = $t->master;
    $t->wait_for(sub { $t->workers($new) == 2 }, 'new workers');

    return ($old, $new);
}

sub gone {
    my ($pid, $what) = @_;

    return $t->wait_for(sub { !$t->alive($pid) }, $what);
}

$t->run;
is($t->get('/')->{status}, 200, 'the first request waits');
$t->wait_for(sub { gate('app')->{ready} }, 'the gate to open');
is(gate('app')->{held_passed}, 1, 'and that is counted');

# forward

my $load = InitGate::Load->new($t);
$load->more(20);

my ($old, $new) = upgraded();

$load->more(20);
$t->signal('WINCH', $old);
$t->wait_for(sub { !$t->workers($old) }, 'the old workers to go');
$load->more(20);
$t->signal('QUIT', $old);
gone($old, 'the old master to go');
$t->{pid} = $new;

$load->more(20);
is(gate('app')->{carried_over}, JSON::PP::false, 'another memory');
is_deeply([map { $_->{state} } @{gate('app')->{history}}],
    ['starting', 'ready'], 'it has asked again');

# and back: the old workers start again, and know what they knew

my $first = gate('app');
my $asked = $fake->connections;

($old, $new) = upgraded();
$load->more(20);

$t->signal('WINCH', $old);
$t->wait_for(sub { !$t->workers($old) }, 'the old workers to go');
$load->more(20);

$t->signal('HUP', $old);
$t->wait_for(sub { $t->workers($old) == 2 }, 'the old workers to come back');
$t->signal('QUIT', $new);
gone($new, 'the new master to go');

$load->more(20);
only($load, 200, 'nobody was refused');
cmp_ok($load->slowest, '<', patience(3), 'nor held longer than the start');

is_deeply([@{gate('app')}{qw(state started_at opened_at)}],
    [@$first{qw(state started_at opened_at)}], 'back where it was');
is($fake->connections, $asked + 1, 'only the other binary has asked');

# requests that wait when old workers are told to go, and come back: somebody
# probes all the time

$load = InitGate::Load->new($t, clients => 2);

my @waiting = map {
    my $socket = $t->connect;
    $socket->syswrite("GET /late HTTP/1.1\r\nHost: a\r\n"
        . "Connection: close\r\n\r\n");
    $socket;
} 1 .. 8;

$t->wait_for(sub { gate('late')->{held} == 8 }, 'all to wait');

my @before = $t->workers;
$t->{pid} = $old;
($old, $new) = upgraded();
$t->signal('WINCH', $old);
$t->wait_for(sub { !$t->workers($old) }, 'the old workers to shut down');
$t->signal('HUP', $old);
$t->wait_for(sub { $t->workers($old) == 2 }, 'the old workers to come back');
$t->signal('QUIT', $new);
gone($new, 'the new master to go');

is(gate('late')->{held}, 8, 'they wait still');
my $prober = $t->prober;
ok((grep { $_ == $prober } @before), 'an old worker probes for them');

my $begun = time;
$t->write('late');
my @answers = grep { $_ && $_->{status} == 200 }
    map { $t->http_read($_) } @waiting;
is(scalar @answers, 8, 'all are served');
cmp_ok(time - $begun, '<', patience(1), 'at once');

gone($_, 'an old worker to go') for @before;
$t->wait_for(sub {
    my $now = $t->prober;
    return $now && $now != $prober && $t->alive($now);
}, 'a new prober');

only($load, 200, 'nobody else was refused');

# restart

$t->quit;
$t->{pid} = undef;
$t->run;
$load = InitGate::Load->new($t);
$load->more(20);
only($load, 200, 'restart: nobody was refused');
cmp_ok($load->slowest, '>=', 0.1, 'but waited');

# what is not initialised: the first verdict answers all of them

$fake->set(503);
$t->quit;
$t->{pid} = undef;
$t->run;

$load = InitGate::Load->new($t);
$load->more(10);
only($load, 503, 'restart: refused');
cmp_ok($load->slowest, '<', patience(1.5), 'by the first verdict');
is(counters($t, 'app')->{held_passed}, 0, 'nobody passed');
cmp_ok(counters($t, 'app')->{held_refused}, '>', 0, 'some waited for it');

($old, $new) = upgraded();
$load = InitGate::Load->new($t);
$t->signal('QUIT', $old);
gone($old, 'the old master to go');
$t->{pid} = $new;
$load->more(10);
only($load, 503, 'upgrade: refused');
cmp_ok($load->slowest, '<', patience(1.5), 'by the first verdict');

done_testing;
