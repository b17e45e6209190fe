#!/usr/bin/perl

# limit_conn and limit_req run before the gate: a held request counts, and they
# refuse those above the limit.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;

my $t = InitGate->new(also => InitGate::Load::BACKGROUND, http => <<'CONF');
    init_checks app { check file %%DIR%%/marker; interval 50ms; }

    limit_conn_zone $server_port zone=conn:1m;
    limit_req_zone $server_port zone=req:1m rate=1r/m;

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        root %%DIR%%/html;
        init_gate app;
        init_hold 10m;

        location /conn { limit_conn conn 2; limit_conn_status 429; }
        location /req { limit_req zone=req; limit_req_status 429; }
        location = /init { init_status details=on; }
    }
CONF

$t->write("html/$_", "$_\n") for qw(conn req);
$t->run;
my $background = background($t);
$t->wait_state('initializing');

my @waiting = $t->hold(2, '/conn');

my $r = $t->get('/conn');
is($r->{status}, 429, 'two held, limit_conn 2: third refused');
is($r->{headers}{'x-init-gate'}, undef,
    'refused by limit_conn: no X-Init-Gate');

push @waiting, $t->hold(1, '/req');
is($t->get('/req')->{status}, 429, 'one held, limit_req: second refused');

$t->write('marker');
is_deeply($t->statuses(@waiting), { 200 => 3 }, 'gate opens: held served');
is($t->get('/conn')->{status}, 200, 'gate open: limit_conn not reached');

unaffected($background);

done_testing;
