#!/usr/bin/perl

# conf-examples/servers: servers that initialize one after the other, and a
# rolling restart under load.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;
use InitGate::Load;
use InitGate::Servers;

my $s = InitGate::Servers->new(InitGate->new, 3);

my $t = InitGate::Example->new('servers/nginx.conf',
    'listen 8080;' => 'listen 127.0.0.1:%%PORT_8080%%;',
    map {; "10.0.0.$_:8000" => $s->address($_ - 1) } 1 .. 3);

sub wait_in {
    my ($in) = @_;

    $t->wait_for(sub {
        join(' ', map { $_->{in} ? 1 : 0 } @{$t->check('upstream')->{servers}})
            eq $in
    }, "servers in: $in");
}

$t->run;
$t->wait_state('initializing');
is($t->get('/')->{status}, 503, 'no server has initialized: refused');

$s->ready(1);
$t->wait_ready;
is_deeply([$s->balance($t, 6)], [0, 6, 0], 'one has initialized: gets all');

$s->ready(0, 2);
wait_in('1 1 1');

# a rolling restart: each is out before it stops

my $load = InitGate::Load->new($t, clients => 2);

for my $server (0 .. 2) {
    $s->unready($server);
    wait_in(join ' ', map { $_ == $server ? 0 : 1 } 0 .. 2);

    # requests that were passed to it before it was out end

    $load->more(20);
    $s->stop($server);
    $s->start($server);
    $s->ready($server);
    wait_in('1 1 1');
}

$load->more(20);
only_status($load, 200, 'rolling restart: no request lost');

$t->restricted_ok('/init');

done_testing;
