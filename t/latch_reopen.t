#!/usr/bin/perl

# latch off: a gate that has closed opens when each of its checks has passed
# since then.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;

my $slow = InitGate::Fake->http(200);

my $t = InitGate->new(http => <<"CONF");
    init_checks app {
        check file %%DIR%%/marker name=marker interval=20ms;
        check http http://127.0.0.1:@{[$slow->port]}/ name=slow;
        latch off;
        fall 1;
        interval 3s 1h;
        timeout 10m;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

$t->write('marker');
$t->run;
$t->wait_ready;

my $probes = $slow->connections;

$t->remove('marker');
$t->wait_state('initializing');
$t->write('marker');

# the marker has passed again long before the other check is due

$t->wait_for(sub {
    my ($marker) = grep { $_->{name} eq 'marker' } @{$t->gate->{checks}};
    $marker->{verdict} eq 'passed' && $marker->{consecutive} > 3;
}, 'the marker');
$t->wait_ready;

cmp_ok($slow->connections, '>', $probes, 'gate open: both checks have passed');

done_testing;
