#!/usr/bin/perl

# A check whose verdict changes with each probe: the lines of the log are
# limited, all changes are counted.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;

my $fake = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send('HTTP/1.1 ' . ($c->number % 2 ? 200 : 503) . " x\r\n"
        . "Content-Length: 0\r\nConnection: close\r\n\r\n");
});

my $t = InitGate->new(workers => 1, http => <<"CONF");
    init_checks app {
        check http http://127.0.0.1:@{[$fake->port]}/ name=flaps;
        check file %%DIR%%/never;
        latch off;
        interval 5ms 5ms;
        timeout 10m;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

$t->run;
$t->wait_for(sub { $t->check('flaps')->{attempts} > 100 }, 'probes');

is($t->log_count(qr/check "flaps" (?:passed|waiting)/), 10,
    'a verdict that changes: lines of the log');

done_testing;
