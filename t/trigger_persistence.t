#!/usr/bin/perl

# The trigger over reloads, after the prober was killed, and over an upgrade:
# once it has succeeded it is not sent again, and there is never more than one
# request at a time.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;
use Time::HiRes qw(time);

# word: seconds until the response, and its status

sub answer {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;

    my ($seconds, $status) = split ' ', $c->word;
    my $end = time + $seconds;

    # the client has closed the connection: the request has ended
    while (time < $end) {
        last if IO::Select->new($c->socket)->can_read(0.01);
    }

    $c->send("HTTP/1.1 $status x\r\nContent-Length: 0\r\n"
        . "Connection: close\r\n\r\n") if time >= $end;
}

my $fake = InitGate::Fake->new(\&answer, established => 1);

my $port = $fake->port;
my $t = InitGate->new(http => '');

sub conf {
    my ($check, $trigger) = @_;

    return InitGate::Load::LOG . <<"CONF";
    init_checks app {
        check file %%DIR%%/$check;
        interval 50ms;
        timeout 1m;
        backoff 300ms;
        trigger http://127.0.0.1:$port/$trigger;
    }
    init_checks done { check file %%DIR%%/done;  interval 50ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate done;  empty_gif; }
        location = /app { init_gate app;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
    }
CONF
}

sub trigger { $t->gate->{trigger} }

sub sent { $fake->connections }

$t->write('done');
$fake->set('0 200');
$t->run(http => conf('one', 'begin'));

my $load = InitGate::Load->new($t, clients => 2);

$t->wait_for(sub { trigger()->{state} eq 'succeeded' }, 'success');
is(sent(), 1, 'trigger succeeded: sent once');

my $first = trigger();

# reloads, a changed check and a killed prober do not send it again

$t->reload for 1 .. 2;
$t->reload(http => conf('one', 'begin') =~ s/interval 50ms/interval 60ms/r);
$t->reload(http => conf('two', 'begin'));

$t->kill_prober;

my $attempts = $t->gate->{checks}[0]{attempts};
$t->wait_for(sub { $t->gate->{checks}[0]{attempts} > $attempts + 3 }, 'probes');
is_deeply(trigger(), $first,
    'trigger succeeded, reloads and a killed prober: kept');
is(sent(), 1, 'trigger succeeded, reloads and a killed prober: not sent again');

# another trigger

$fake->set('0 500');
$t->reload(http => conf('two', 'again'));
$t->wait_for(sub { trigger()->{state} eq 'retrying' }, 'a failure');

# a failed trigger is retried after a reload

$t->reload;
is(trigger()->{state}, 'retrying', 'trigger failed, reload: retrying');
my $sent = trigger()->{attempts};
$t->wait_for(sub { trigger()->{attempts} > $sent }, 'another attempt');

# a slow response, during which nginx is reloaded and its prober killed

$fake->set('1 500');
$t->wait_for(sub { $fake->established }, 'a request with a slow response');

$t->reload;
$t->reload(http => conf('three', 'again'));
$t->kill_prober;
$t->reload(http => conf('two', 'again'));

# an old prober stays, since it holds a request

$t->reload(http => conf('two', 'again')
    =~ s/(init_gate app;)/$1 init_hold 10m;/r);
my ($waiting) = $t->hold(1, '/app', 'app');

# so many gates that the new workers have another shared memory

$t->reload(http => conf('three', 'again') . join '', map {
    "init_checks more$_ { check file %%DIR%%/done; }\n"
} 1 .. 20);

$sent = sent();
$t->wait_for(sub { sent() >= $sent + 3 }, 'three more requests');
is($fake->most_established, 1, 'slow trigger, reloads and a killed prober: one at a time');

$t->write('two');
is($t->http_read($waiting)->{status}, 200,
    'held request: served when the gate opens');

$fake->set('0 204');
$t->wait_for(sub { trigger()->{state} eq 'succeeded' }, 'success');
is($fake->most_established, 1, 'trigger succeeded: one at a time');

# another binary sends it again: at least once

$sent = sent();
(my $old, $t->{pid}) = $t->upgrade;
$t->signal('QUIT', $old);
$t->wait_exit($old);
$t->wait_for(sub { trigger()->{state} eq 'succeeded' }, 'success');
is(sent(), $sent + 1, 'upgrade: sent once more');

only_status($load, 200, 'open gate: none refused');

done_testing;
