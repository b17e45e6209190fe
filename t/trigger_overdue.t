#!/usr/bin/perl

# A gate that its deadline has opened still waits for what the trigger begins:
# it is sent until it succeeds.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new(http => <<'CONF');
    init_checks app {
        check file %%DIR%%/marker;
        interval 50ms;
        backoff 100ms;
        deadline 300ms open;
        trigger http://127.0.0.1:%%PORT_8080%%/begin;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /begin {
            if (!-f %%DIR%%/up) { return 503; }
            return 204;
        }
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

$t->run;
$t->wait_for(sub { $t->json('/init')->{gates}[0]{state} eq 'overdue' },
    'overdue');
is($t->get('/')->{status}, 200, 'open all the same');

$t->write('up');
ok($t->wait_log(qr/trigger succeeded/), 'sent until it succeeds');

done_testing;
