#!/usr/bin/perl

# More checks of a server that does not respond than nginx has connections:
# probes wait for each other, and clients are served meanwhile.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;

my $n = 300;
my $budget = 32;

my $fake = InitGate::Fake->http(200, wait => 1);
my $port = $fake->port;

my $checks = join "\n",
    map { "check http http://127.0.0.1:$port/ name=c$_;" } 1 .. $n;

my $t = InitGate->new(workers => 1, events => 'worker_connections 128;',
    http => <<"CONF");
    init_checks app {
        $checks
        check file %%DIR%%/marker name=marker;
        interval 50ms;
        timeout 10m;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { empty_gif; }
        location = /gated { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

$t->conf;
like($t->nginx('-t'), qr/\[warn\] $n probes open connections, but at most $budget/,
    'nginx -t: warning');

$t->run;
$t->wait_for(sub { $fake->connections >= $budget }, 'probes in flight');

my $load = InitGate::Load->new($t, clients => 60);
$load->more(2000);
only_status($load, 200, 'probes in flight: other requests are served');

# a check that needs no connection does not wait

$t->write('marker');
$t->wait_for(sub { $t->check('marker')->{verdict} eq 'passed' },
    'a check of a file');
is($fake->connections, $budget, 'probes in flight: a quarter of connections');

# the other probes follow

$fake->set(200);
$t->wait_ready;
is($t->get('/gated')->{status}, 200, 'server responds: gate open');

done_testing;
