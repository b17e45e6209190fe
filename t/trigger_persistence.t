#!/usr/bin/perl

# What becomes of the trigger when nginx is reloaded, when its prober is
# killed, and in an upgrade: once it has succeeded it is not sent again, and
# never are two on their way at once.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;
use Time::HiRes qw(time sleep);

# word: seconds until the answer, and its status

sub answer {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;

    my ($seconds, $status) = split ' ', $c->word;
    my $end = time + $seconds;

    # gone before the answer: not on its way any more
    while (time < $end) {
        last if IO::Select->new($c->socket)->can_read(0.01);
    }

    $c->send("HTTP/1.1 $status x\r\nContent-Length: 0\r\n"
        . "Connection: close\r\n\r\n") if time >= $end;
}

my $fake = InitGate::Fake->new(sub {
    my ($c) = @_;

    # the other side may have been killed before it has asked
    answer($c);

    open my $log, '>>', "$c->{dir}/ends";
    print $log $c->number, ' ', time, "\n";
});

my $port = $fake->port;
my $t = InitGate->new(http => '');

sub conf {
    my ($check, $trigger) = @_;

    return InitGate::Load::LOG . <<"CONF";
    init_checks app {
        check file %%DIR%%/$check;
        interval 50ms;
        timeout 10s;
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

sub gate { $t->json('/init')->{gates}[0] }

sub trigger { gate()->{trigger} }

sub sent { $fake->connections }

# the most that were on their way at once; that one ends is seen a bit late

sub at_once {
    open my $fh, '<', "$fake->{dir}/ends" or return 0;

    my %end = map { split ' ' } <$fh>;
    my ($number, $now, $most) = (0, 0, 0);
    my @moments;

    for my $begun ($fake->times) {
        my $end = ($end{++$number} // time) - patience(0.1);
        push @moments, [$begun, 1], [$end > $begun ? $end : $begun, -1];
    }

    for (sort { $a->[0] <=> $b->[0] || $b->[1] <=> $a->[1] } @moments) {
        $now += $_->[1];
        $most = $now if $now > $most;
    }

    return $most;
}

$t->write('done');
$fake->set('0 200');
$t->run(http => conf('one', 'begin'));

my $load = InitGate::Load->new($t, clients => 2);

$t->wait_for(sub { trigger()->{state} eq 'succeeded' }, 'success');
is(sent(), 1, 'sent once');

my $first = trigger();

# neither a reload nor a crash sends it again, nor a changed check

$t->reload for 1 .. 2;
$t->reload(http => conf('one', 'begin') =~ s/interval 50ms/interval 60ms/r);
$t->reload(http => conf('two', 'begin'));

$t->allow(qr/exited on signal 9/);
my $prober = $t->prober;
$t->signal('KILL', $prober);
$t->wait_for(sub { $t->prober != $prober }, 'another prober');

my $attempts = gate()->{checks}[0]{attempts};
$t->wait_for(sub { gate()->{checks}[0]{attempts} > $attempts + 3 }, 'probes');
is_deeply(trigger(), $first, 'still known');
is(sent(), 1, 'and not sent again');

# another trigger is sent

$fake->set('0 500');
$t->reload(http => conf('two', 'again'));
$t->wait_for(sub { trigger()->{state} eq 'retrying' }, 'a failure');

# it goes on being retried, by whoever probes then

$t->reload;
is(trigger()->{state}, 'retrying', 'over a reload');
my $sent = trigger()->{attempts};
$t->wait_for(sub { trigger()->{attempts} > $sent }, 'another attempt');

# slow, and nginx is reloaded and crashes in the meantime: one at a time

$fake->set('1 500');
$t->wait_for(sub { my $n = $fake->connections;
    open my $fh, '<', "$fake->{dir}/ends"; $n > (() = <$fh>) }, 'a slow one');

$t->reload;
$t->reload(http => conf('three', 'again'));
$prober = $t->prober;
$t->signal('KILL', $prober);
$t->wait_for(sub { ($t->prober // 0) != $prober }, 'another prober');
$t->reload(http => conf('two', 'again'));

# while an old prober stays, since somebody waits for it

$t->reload(http => conf('two', 'again')
    =~ s/(init_gate app;)/$1 init_hold 30s;/r);
my $waiting = $t->connect;
$waiting->syswrite("GET /app HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
$t->wait_for(sub { gate()->{held} == 1 }, 'somebody to wait');

# with so many gates that the new workers count elsewhere

$t->reload(http => conf('three', 'again') . join '', map {
    "init_checks more$_ { check file %%DIR%%/done; }\n"
} 1 .. 20);

$sent = sent();
$t->wait_for(sub { sent() >= $sent + 3 }, 'three more', 15);
is(at_once(), 1, 'never two at once');

$t->write('two');
is($t->http_read($waiting)->{status}, 200, 'who waited is served');

$fake->set('0 204');
$t->wait_for(sub { trigger()->{state} eq 'succeeded' }, 'success at last', 15);
is(at_once(), 1, 'never two at once');

# another binary knows nothing of that: at least once

$sent = sent();
my $old = $t->{pid};
$t->signal('USR2');
$t->wait_for(sub { ($t->master // $old) != $old }, 'the new pid file');
$t->signal('QUIT', $old);
$t->wait_for(sub { !$t->alive($old) }, 'the old master to go');
$t->{pid} = $t->master;
$t->wait_for(sub { trigger()->{state} eq 'succeeded' }, 'success');
is(sent(), $sent + 1, 'an upgrade sends it once more');

only($load, 200, 'the open gate refused nobody');

done_testing;
