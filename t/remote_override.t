#!/usr/bin/perl

# The remote check and an override of the gate that it follows: the state
# counts, or with "follow_override" whether requests pass there.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;

my $origin = InitGate->new(status => 8081, http => <<'CONF');
    init_checks app {
        check file %%DIR%%/one  name=one;
        check file %%DIR%%/two  name=two;
        interval 20ms;
        latch off;
        fall 1;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /ready { init_ready app; }
        location /control/ { init_control token_file=%%DIR%%/token; }
    }
    server {
        listen 127.0.0.1:%%PORT_8081%%;
        location = /init { init_status details=on; }
    }
CONF

$origin->write('token', 's3cret-token');
$origin->write('one');
$origin->run;

# nothing is polled

my $t = InitGate->new(http => <<"CONF");
    init_checks app {
        check remote http://127.0.0.1:@{[$origin->port]}/ready name=state
            optional;
        check remote http://127.0.0.1:@{[$origin->port]}/ready name=follow
            follow_override;
        interval 1h 1h;
        latch off;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

$t->run;

sub order {
    my ($form) = @_;

    my $response = $origin->post('/control/app', content => $form, headers => {
        'Authorization' => 'Bearer s3cret-token',
        'Content-Type' => 'application/x-www-form-urlencoded' });

    is($response->{status}, 204, "order: $form");
}

my $closed = qr/^gate "app" is initializing: two waiting missing$/;

sub both {
    my ($label, $state, $follow, $message) = @_;

    note($label);
    settles($t, 'state', $state, $state eq 'passed' ? qr/^$/ : $closed);
    settles($t, 'follow', $follow, $follow eq 'passed' ? qr/^$/
        : $message // $closed);
}

my ($waits, $passed) = ('running in_progress', 'passed');

both('no override', $waits, $waits);

order('action=open&for=1h&reason=test');
both('opened', $waits, $passed);
$t->wait_ready;
is($t->get('/')->{status}, 200, 'opened: requests pass');

order('action=clear');
both('cleared', $waits, $waits);

order('action=ignore&check=two&for=1h&reason=test');
both('ignored', $waits, $passed);

order('action=clear');
$origin->write('two');
both('passed', $passed, $passed);

order('action=close&for=1h&reason=test');
both('closed', $passed, 'waiting not_ready',
    qr/^gate "app" is closed by an operator$/);
ok($t->wait_for(sub { $t->get('/')->{status} == 503 }, 'the gate'),
    'closed: requests are refused');

# the last one ends by itself

order('action=close&for=1s&reason=test');
both('over', $passed, $passed);
is_deeply($origin->gate('app')->{overrides} // [], [], 'over: none there');

done_testing;
