#!/usr/bin/perl

# Requests that wait in old workers, over one or several reloads, with checks
# changed or not, with the gate itself gone: each is released when the gate
# that it met opens.  What takes long in an old worker is none of its business.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;
use Time::HiRes qw(time sleep);

my $slow = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nso");
    sleep 0.05 until $c->word;
    $c->send("on");
    $c->hang;
});

my $t = InitGate->new(http => '');

sub conf {
    my ($app, $more, $gated) = @_;

    return InitGate::Load::LOG . <<"CONF";
    log_format held '\$msec \$pid \$init_gate_decision \$request_uri';

    init_checks done { check file %%DIR%%/done;  interval 20ms; }
    $app
    @{[$more // '']}

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        access_log %%DIR%%/held.log held;
        location / {
            @{[$gated // 'init_gate app;']}
            init_hold 30s;
            empty_gif;
        }
        location = /done { init_gate done;  empty_gif; }
        location = /slow {
            init_gate done;
            proxy_pass http://127.0.0.1:@{[$slow->port]};
        }
        location = /init { init_status details=on;  access_log off; }
    }
CONF
}

sub app { "init_checks app { check file %%DIR%%/$_[0];  interval 20ms; }" }

sub gate {
    my ($name) = @_;

    return (grep { $_->{gate} eq ($name // 'app') }
        @{$t->json('/init')->{gates}})[0];
}

my $number = 0;

sub wait_here {
    my ($n) = @_;

    my $held = gate()->{held};

    my @waiting = map {
        my $socket = $t->connect;
        $number++;
        $socket->syswrite("GET /$number HTTP/1.1\r\nHost: a\r\n"
            . "Connection: close\r\n\r\n");
        $socket;
    } 1 .. $n;

    $t->wait_for(sub { gate()->{held} == $held + $n }, "$n more to wait");

    return @waiting;
}

sub served {
    my ($name, @waiting) = @_;

    my $begun = time;
    my @served = grep { $_ && $_->{status} == 200 }
        map { $t->http_read($_) } @waiting;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is(scalar @served, scalar @waiting, "$name: served");
    cmp_ok(time - $begun, '<', patience(1), "$name: at once");
}

sub silent {
    my ($name, @waiting) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok(!IO::Select->new(@waiting)->can_read(0.1), "$name: still waiting");
}

$t->write('done');
$t->run(http => conf(app('one')));
$t->wait_for(sub { gate()->{state} eq 'initializing'
    && gate('done')->{ready} }, 'verdicts');

my %first = map { $_ => 1 } $t->workers;
my $load = InitGate::Load->new($t, clients => 2, uri => '/done');

# in the first workers: a long answer, and a request of which a part is here

my $long = $t->connect;
$long->syswrite("GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
my @parts = map {
    my $socket = $t->connect;
    $socket->syswrite("GET /part HTTP/1.1\r\n");
    $socket;
} 1 .. 4;

$t->wait_for(sub { $slow->connections }, 'the long answer to begin');

# nothing changed, three generations

my @all = wait_here(8);

for (1 .. 3) {
    $t->reload;
    push @all, wait_here(8);
}

is(gate()->{held}, 32, 'all counted');
silent('nothing changed', @all);
ok($first{+(grep { $t->alive($_) } keys %first)[0] // 0}, 'old workers stay');

$t->write('one');
served('nothing changed', @all);

my ($opened) = gate()->{opened_at} =~ /:(\d\d\.\d{3})Z$/;
my %late;

for (split /\n/, $t->read('held.log')) {
    my ($at, $pid, $decision) = split ' ';
    next if $decision ne 'held_passed';

    my $late = ($at * 1000 - $opened * 1000) % 60000;
    $late{$pid} = $late if $late > ($late{$pid} // -1);
}

note(join ', ', map { "worker $_: $late{$_} ms" } sort keys %late);
cmp_ok((sort { $b <=> $a } values %late)[0], '<=', patience(50),
    'in every generation, in time');

# what came in parts meets the same gate, in the first workers

$_->syswrite("Host: a\r\nConnection: close\r\n\r\n") for @parts;
served('in parts', @parts);

# another gate changed, so that the memory is another

$t->remove('one');
$t->reload(http => conf(app('two')));
$t->wait_for(sub { gate()->{state} eq 'initializing' }, 'closed again');

@all = wait_here(8);
my $more = 'init_checks more { check file %%DIR%%/more; }';
$t->reload(http => conf(app('two'), $more));
push @all, wait_here(8);
$t->reload(http => conf(app('two')));
push @all, wait_here(8);
silent('another gate changed', @all);

$t->write('two');
served('another gate changed', @all);

# its own check changed: each waits for the check that it met

$t->reload(http => conf(app('three')));
$t->wait_for(sub { gate()->{state} eq 'initializing' }, 'closed again');

my @three = wait_here(8);
$t->reload(http => conf(app('four')));
my @four = wait_here(8);
$t->reload(http => conf(app('five')));
my @five = wait_here(8);

$t->write('four');
served('its check changed', @four);
silent('the other ones', @three, @five);
$t->write('five');
served('and again', @five);
silent('the first ones', @three);
$t->write('three');
served('and the first ones', @three);

# the gate is gone: those who met it wait for it all the same

$t->reload(http => conf(app('six')));
$t->wait_for(sub { gate()->{state} eq 'initializing' }, 'closed again');
@all = wait_here(8);
$t->reload(http => conf('', '', ''));
is($t->get('/')->{status}, 200, 'no gate any more');
silent('the gate is gone', @all);
$t->write('six');
served('the gate is gone', @all);

# the long answer ends as if nothing had been

ok((grep { $t->alive($_) } keys %first), 'an old worker is at it');
$slow->set('end');
is($t->http_read($long)->{content}, 'soon', 'the long answer');
$t->wait_for(sub { !grep { $t->alive($_) } keys %first }, 'the old to go');

only($load, 200, 'the open gate refused nobody');
balanced($t, 'done');

$t->reload(http => conf(app('six')));
balanced($t, 'app');

done_testing;
