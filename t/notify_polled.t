#!/usr/bin/perl

# Without eventfd: notices and orders are received with the heartbeat of the
# prober, and the requests that wait for them, or for a gate, poll.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

plan(skip_all => 'the sanitizer has to be preloaded first')
    if InitGate::is_linked_in();

my $t = InitGate->new(workers => 2, http => <<'CONF');
    init_checks app { check notify import;  latch off;  interval 10m; }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /held { init_gate app;  init_hold 10m;  empty_gif; }
        location = /init { init_status details=on; }
        location /notify/ { init_notify token_file=%%DIR%%/token; }
        location /control/ { init_control token_file=%%DIR%%/token; }
    }
CONF

$t->write('token', 's3cret-token');

{
    local $ENV{LD_PRELOAD} = $t->preload('eventfd');
    $t->run;
}

$t->wait_log(qr/\[warn\].*eventfd\(\) failed, requests held at init gates are resumed by polling \(38:/);

# a heartbeat comes each second, so the answer is in time, unless the machine
# is very slow

sub sent {
    my ($uri) = @_;

    my $status;

    for (1 .. 20) {
        $status = $t->post($uri, headers => {
            Authorization => 'Bearer s3cret-token' })->{status};
        last if $status != 202;
    }

    return $status;
}

$t->wait_for(sub { $t->check('import')->{verdict} eq 'waiting' }, 'a verdict');
is($t->get('/')->{status}, 503, 'no notice: refused');

my @held = $t->hold(4, '/held', 'app');

is(sent('/notify/app/import?verdict=passed'), 204, 'passed: 204');
is($t->get('/')->{status}, 200, 'passed: in force') for 1 .. 4;
is_deeply($t->statuses(@held), { 200 => 4 }, 'held requests: served');

is(sent('/notify/app/import?verdict=failed'), 204, 'failed: 204');
is($t->get('/')->{status}, 503, 'failed: in force') for 1 .. 4;

is(sent('/control/app?action=open&for=1h&reason=r'), 204, 'open: 204');
is($t->get('/')->{status}, 200, 'open: in force') for 1 .. 4;

done_testing;
