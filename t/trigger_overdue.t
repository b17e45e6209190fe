#!/usr/bin/perl

# In a gate opened by its deadline, the trigger is still sent until it succeeds.
# With on=request, a request that passes such a gate starts it, too.

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

    init_checks asked {
        check file %%DIR%%/marker;
        interval 50ms;
        deadline 300ms open;
        trigger http://127.0.0.1:%%PORT_8080%%/asked  on=request;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /begin {
            if (!-f %%DIR%%/up) { return 503; }
            return 204;
        }
        location = /asked { return 204; }
        location / { init_gate app;  empty_gif; }
        location = /any { init_gate asked;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

$t->run;
$t->wait_state('overdue', $_) for qw(app asked);
is($t->get('/')->{status}, 200, 'trigger fails, deadline open: open');

$t->write('up');
ok($t->wait_log(qr/trigger succeeded/), 'trigger fails: sent until it succeeds');

my $trigger = $t->gate('asked')->{trigger};
is($trigger->{attempts}, 0, 'on=request: not sent without a request');

is($t->get('/any')->{status}, 200, 'on=request: overdue gate open');
$t->wait_for(sub { $t->gate('asked')->{trigger}{state} eq 'succeeded' },
    'the trigger of a request');

done_testing;
