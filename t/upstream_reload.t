#!/usr/bin/perl

# The servers that are in remain in over reloads and after the death of the
# worker that probes; held requests of an old worker are passed to a server.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;
use InitGate::Servers;

my $t = InitGate->new(status => 8080, quit => 10,
    allow => [qr/"min=2" exceeds/]);
my $s = InitGate::Servers->new($t, 4);
my @line = split /(?<=;\n)/, $s->lines;

sub http {
    my (%args) = @_;

    my $lines = join '', @line[@{$args{servers} // [0, 1, 2]}];
    my $check = $args{check} // 'http=/ready';
    my $gate = $args{gate} // 'init_gate app;';
    my $checks = $args{check} ? "check upstream app $check;"
        : 'check upstream app http=/ready;';
    $checks = "check file %%DIR%%/nginx.conf;" if $args{unchecked};

    return <<"CONF";
    upstream app {
        zone app 64k;
        keepalive 4;
$lines
    }
    init_checks app { $checks  interval 50ms 200ms; @{[$args{more} // '']} }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { $gate  init_hold 60s;  proxy_pass http://app; }
        location = /init { init_status details=on; }
    }
CONF
}

sub in {
    my %in = map { $_->{address} => $_->{in} }
        @{$t->check('upstream')->{servers} // []};

    return join ' ', map { $in{$s->address($_)} // '-' } 0 .. 3;
}

sub wait_in {
    my ($in) = @_;
    $t->wait_for(sub { in() eq $in }, "servers in: $in");
}

# a request that is held over a reload

$t->run(http => http());
my @held = $t->hold(3, '/', 'app');
$t->reload;
push @held, $t->hold(3, '/', 'app');
$t->reload(http => http(more => 'fall 4;'));
push @held, $t->hold(3, '/', 'app');
$s->ready(0, 1);
is_deeply($t->statuses(@held), {200 => 9}, 'held over reloads: served');
wait_in('1 1 0 -');

is($s->requests(2), 0, 'server out: got none of them');

my $load = InitGate::Load->new($t, clients => 4, pause => 0.001);
$load->more(50);

# the same list

for (1 .. 3) {
    $t->reload;
    is(in(), '1 1 0 -', 'reload, unchanged: the same servers are in');
    $load->more(50);
}

# a longer list: new servers are out at first

$t->reload(http => http(servers => [0 .. 3]));
is(in(), '1 1 0 0', 'reload, a longer list: the new server is out');
$load->more(50);
$s->ready(3);
wait_in('1 1 0 1');
$load->more(50);

# a shorter list, and a longer one again: removed servers are forgotten

$t->reload(http => http(servers => [0, 2]));
is(in(), '1 - 0 -', 'reload, a shorter list: the others stay in');
$load->more(50);
$s->unready(3);
$t->reload(http => http(servers => [3, 0, 1]));
like(in(), qr/^1 [01] - 0$/, 'reload, other servers: all new ones are out');
wait_in('1 1 - 0');
$load->more(50);

# another check: servers stay in until it has failed

$t->reload(http => http(servers => [0 .. 2], check => 'http=/elsewhere'));
like(in(), qr/^1 1 /, 'reload, another check: the same servers are in');
wait_in('1 1 1 -');
$load->more(50);
$t->reload(http => http(servers => [0 .. 2]));
is(in(), '1 1 1 -', 'reload, the old check: the same servers are in');
wait_in('1 1 0 -');
$load->more(50);

# another capacity, another name of the check

$t->reload(http => http(check => 'http=/ready servers=2048'));
is(in(), '1 1 0 -', 'reload, another capacity: the same servers are in');
$t->reload(http => http(check => 'http=/ready name=upstream optional'));
is(in(), '1 1 0 -', 'reload, optional: the same servers are in');
$load->more(50);

# a reload that fails changes nothing

my $workers = join ' ', sort $t->workers;
$t->conf(http => http(servers => [3], check => 'http=/ready min=2'));
$t->signal('HUP');
$t->wait_log(qr/"min=2" exceeds the 1 servers of upstream "app": check /);
is(join(' ', sort $t->workers), $workers, 'reload that fails: same workers');
is(in(), '1 1 0 -', 'reload that fails: the same servers are in');
$load->more(50);
$t->reload(http => http());

# the worker that probes is killed

for (1 .. 3) {
    my $out = $s->requests(2);
    $load->stop;
    $load = InitGate::Load->new($t, clients => 2, pause => 0.001,
        keepalive => 0);
    $load->more(20);
    $t->kill_prober;
    is(in(), '1 1 0 -', 'prober killed: the same servers are in');
    is($s->requests(2), $out, 'prober killed: the server out gets nothing');
}

$s->unready(1);
wait_in('1 0 0 -');
$s->ready(1);
wait_in('1 1 0 -');
$load->stop;

# the first check of a group that is in use

$load = InitGate::Load->new($t, clients => 4, pause => 0.001);
$t->reload(http => http(unchecked => 1));
$load->more(50);
ok($s->requests(2), 'without the check: all servers get requests');
$t->reload(http => http());
like(in(), qr/^1 1 [01] -$/, 'a first check: the servers begin in');
$load->more(50);
wait_in('1 1 0 -');
only_status($load, 200, 'load: none refused, none lost');

# after a restart, all servers are out at first

$t->quit;
$s->unready(0, 1);
$t->run;
$t->wait_state('initializing');
is(in(), '0 0 0 -', 'restart: all servers begin out');

done_testing;
