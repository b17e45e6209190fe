#!/usr/bin/perl

# Requests held in old workers, over one or several reloads, with checks
# changed or not, or with the gate removed: each is released when the gate of
# its configuration opens.  A long response of an old worker is not affected.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;
use Time::HiRes qw(sleep);

my $slow = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nso");
    sleep 0.05 until $c->word;
    $c->send("on");
    $c->hang;
});

my $t = InitGate->new(http => '');
my $load;

sub conf {
    my ($app, $more, $gated) = @_;

    return InitGate::Load::LOG . InitGate::Load::HELD . <<"CONF";
    client_header_timeout 10m;

    init_checks done { check file %%DIR%%/done;  interval 20ms; }
    $app
    @{[$more // '']}

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        access_log %%DIR%%/held.log held;
        location / {
            @{[$gated // 'init_gate app;']}
            init_hold 10m;
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

sub hold { $t->hold(8, '/', 'app') }

sub served {
    my ($name, @waiting) = @_;

    my $clock = $t->clock;
    my $statuses = $t->statuses(@waiting);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply($statuses, { 200 => scalar @waiting }, "$name: served");
    cmp_ok($clock->seconds, '<', patience(1), "$name: served in time");
}

sub still_held {
    my ($name, @waiting) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    # during that many other requests
    $load->more(20);
    ok(!IO::Select->new(@waiting)->can_read(0), "$name: still held");
}

$t->write('done');
$t->run(http => conf(app('one')));
$t->wait_state('initializing', 'app');
$t->wait_ready('done');

my %first = map { $_ => 1 } $t->workers;
$load = InitGate::Load->new($t, clients => 2, uri => '/done');

# in the first workers: a long response, and partial requests

my $long = $t->send('/slow');
my @parts = map {
    my $socket = $t->connect;
    $socket->syswrite("GET /part HTTP/1.1\r\n");
    $socket;
} 1 .. 4;

$t->wait_for(sub { $slow->connections }, 'the long response to begin');

# no changes, three generations

my @all = hold();

for (1 .. 3) {
    $t->reload;
    push @all, hold();
}

is($t->gate('app')->{held}, 32, 'no changes: all counted');
still_held('no changes', @all);
ok($first{+(grep { $t->alive($_) } keys %first)[0] // 0},
    'no changes: old workers stay');

my $clock = $t->clock;
$t->write('one');
served('no changes', @all);

my $late = lateness($t, 'held.log', 'app');
my ($last) = sort { $b <=> $a } map { $_->[1] } values %$late;

note("the last request after $last ms");
cmp_ok($last, '<=', patience(50) + 1000 * $clock->delay,
    'no changes: released in time in every generation');

# the partial requests reach the same gate, in the first workers

$_->syswrite("Host: a\r\nConnection: close\r\n\r\n") for @parts;
served('partial requests', @parts);

# another gate is added and removed, so that another shared memory is used

$t->remove('one');
$t->reload(http => conf(app('two')));
$t->wait_state('initializing', 'app');

@all = hold();
my $more = 'init_checks more { check file %%DIR%%/more; }';
$t->reload(http => conf(app('two'), $more));
push @all, hold();
$t->reload(http => conf(app('two')));
push @all, hold();
still_held('another gate changed', @all);

$t->write('two');
served('another gate changed', @all);

# the check of the gate is changed: requests wait for the check of their
# configuration

$t->reload(http => conf(app('three')));
$t->wait_state('initializing', 'app');

my @three = hold();
$t->reload(http => conf(app('four')));
my @four = hold();
$t->reload(http => conf(app('five')));
my @five = hold();

$t->write('four');
served('check changed, second configuration', @four);
still_held('check changed, other configurations', @three, @five);
$t->write('five');
served('check changed, third configuration', @five);
still_held('check changed, first configuration', @three);
$t->write('three');
served('check changed, first configuration', @three);

# the gate is removed: requests wait for the gate of their configuration

$t->reload(http => conf(app('six')));
$t->wait_state('initializing', 'app');
@all = hold();
$t->reload(http => conf('', '', ''));
is($t->get('/')->{status}, 200, 'gate removed: new request served');
still_held('gate removed', @all);
$t->write('six');
served('gate removed', @all);

# the long response ends

ok((grep { $t->alive($_) } keys %first), 'long response: old worker runs');
$slow->set('end');
is($t->http_read($long)->{content}, 'soon', 'long response: complete');
$t->wait_exit(keys %first);

only_status($load, 200, 'open gate: none refused');
counted_as_logged($t, 'done');

$t->reload(http => conf(app('six')));
counted_as_logged($t, 'app');

done_testing;
