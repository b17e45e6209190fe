#!/usr/bin/perl

# master_process off: the process probes, holds and serves, and exits by QUIT.
# After a HUP nginx does not accept connections any more in this mode, but it
# must not crash, and held requests get a response.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;
use Time::HiRes qw(time sleep);

my $t = InitGate->new(master => 0, http => '',
    also => InitGate::Load::BACKGROUND);

sub conf {
    my ($marker) = @_;

    return InitGate::Load::LOG . <<"CONF";
    init_checks app { check file %%DIR%%/$marker;  interval 20ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app;  init_hold 10m;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
    }
CONF
}


# start, open, QUIT

$t->run(http => conf('one'));
$t->wait_for(sub { eval { $t->gate->{state} eq 'initializing' } }, 'a verdict');
is($t->gate->{prober}{pid}, $t->{pid}, 'single process: probes');

my @waiting = $t->hold(4, '/', 'app');
$t->write('one');
is_deeply($t->statuses(@waiting), { 200 => 4 }, 'gate opens: held served');
counted_as_logged($t, 'app');

my $load = InitGate::Load->new($t, clients => 2);
$load->more(20);
only_status($load, 200, 'gate open: none refused');

# QUIT, which is not graceful in this mode: held requests are refused

my $background = background($t, ends => 1);
$t->quit;
unaffected($background);
$t->remove('one');
$t->run;
$t->wait_for(sub { eval { $t->gate->{state} eq 'initializing' } }, 'a verdict');
@waiting = $t->hold(4, '/', 'app');
$background = background($t, ends => 1);
cmp_ok($t->quit, '<', patience(1), 'QUIT, requests held: quick');
is_deeply($t->statuses(@waiting), { 503 => 4 }, 'QUIT, requests held: refused');
unaffected($background);

# HUP, with the same checks and with others, while requests are held

my $reloads = 0;

for my $marker ('one', 'two') {
    $t->remove($_) for qw(one two);
    $t->run(http => conf('one'));
    $t->wait_for(sub { eval { $t->gate->{state} eq 'initializing' } },
        'a verdict');
    @waiting = $t->hold(4, '/', 'app');
    $background = background($t, ends => 1);
    my $done = $t->send('/init', keepalive => 1);
    is($t->http_read($done)->{status}, 200, 'keepalive connection: used again');
    my $pid = $t->{pid};

    $t->conf(http => conf($marker));
    $t->signal('HUP');
    $t->wait_log(qr/\[notice\].*reconfiguring/, ++$reloads);

    is_deeply($t->statuses(@waiting), { 503 => 4 }, 'HUP: held refused');

    # open connections stay

    $t->send('/', socket => $done);
    my $answer = $t->http_read($done);
    is($answer && $answer->{status}, 503,
        'HUP: request on an open connection refused');
    ok($t->alive($pid), 'HUP: no crash');

    $t->signal('QUIT');
    $t->wait_exit($pid);
    delete $t->{pid};

    # nginx has closed the log of the old configuration
    my %count = $background->stop->counts;
    is_deeply([keys %count], [200], 'HUP: other requests served');
}

done_testing;
