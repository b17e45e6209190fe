#!/usr/bin/perl

# The gate stands behind limit_conn and limit_req: a request that waits counts
# there, and one too many is refused by them and at once.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;

my $t = InitGate->new(also => InitGate::Load::BESIDE, http => <<'CONF');
    init_checks app { check file %%DIR%%/marker; interval 50ms; }

    limit_conn_zone $server_port zone=conn:1m;
    limit_req_zone $server_port zone=req:1m rate=1r/m;

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        root %%DIR%%/html;
        init_gate app;
        init_hold 20s;

        location /conn { limit_conn conn 2; limit_conn_status 429; }
        location /req { limit_req zone=req; limit_req_status 429; }
        location = /init { init_status details=on; }
    }
CONF

$t->write("html/$_", "$_\n") for qw(conn req);
$t->run;
my $beside = beside($t);
$t->wait_for(sub { $t->json('/init')->{gates}[0]{state} eq 'initializing' },
    'the first verdict');

sub ask {
    my ($uri) = @_;

    my $s = $t->connect;
    print $s "GET $uri HTTP/1.1\r\nHost: x\r\n\r\n";
    $s->flush;

    return $s;
}

sub held { $t->json('/init')->{gates}[0]{held} }

my @waiting = map { ask('/conn') } 1, 2;
$t->wait_for(sub { held() == 2 }, 'two to wait');

my $r = $t->get('/conn');
is($r->{status}, 429, 'one too many: limit_conn');
is($r->{headers}{'x-init-gate'}, undef, 'not by the gate');

push @waiting, ask('/req');
$t->wait_for(sub { held() == 3 }, 'a third to wait');
is($t->get('/req')->{status}, 429, 'one too many: limit_req');

$t->write('marker');
is($t->http_read($_)->{status}, 200, 'passed') for @waiting;
is($t->get('/conn')->{status}, 200, 'and there is room again');

undisturbed($beside);

done_testing;
