#!/usr/bin/perl

# The dashboard in every state, in light, dark and forced colors, on a phone:
# problems first, with their reasons, overrides, servers of an upstream, and no
# change without a connection.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Browser;

my $t = InitGate->new(http => <<'CONF');
    init_checks app {
        check file %%DIR%%/marker  name=marker  "label=Pr\xc3\xa4parat";
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
        location = /brief { init_status; }
    }
CONF

$t->run;
$t->wait_for(sub {
    $t->json('/init')->{gates}[0]{checks}[0]{verdict} eq 'waiting'
}, 'the first verdict');

like($t->get('/init?format=html')->{content},
    qr/<span>nginx-init-gate\n\d+\.\d+\.\d+<\/span>/, 'details=on: version');
like($t->get('/brief?format=html')->{content},
    qr/<span>nginx-init-gate\n<\/span>/, 'details=off: no version');

browse($t, 'dashboard_states', { url => 'http://127.0.0.1:' . $t->port });

done_testing;
