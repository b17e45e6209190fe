#!/usr/bin/perl

# latch on: once open the gate stays open and is not probed any more.  latch
# off: it closes after "fall" verdicts other than passed, and opens after
# "rise" passed ones.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;
use Time::HiRes qw(time);

# its responses, with their times: "seconds URI status"

my $fake = InitGate::Fake->new(sub {
    my ($c) = @_;

    my ($uri) = ($c->read_until(qr/\r\n\r\n/) // return) =~ m{^GET (\S+)};
    my $status = $c->word || 503;

    open my $log, '>>', "$c->{dir}/responses";
    syswrite $log, time . " $uri $status\n";

    $c->send("HTTP/1.1 $status x\r\nContent-Length: 0\r\n"
        . "Connection: close\r\n\r\n");
});

my $t = InitGate->new(also => InitGate::Load::BACKGROUND, http => <<'CONF');
    init_checks on {
        check file %%DIR%%/marker;
        interval 50ms 50ms;
    }
    init_checks swings {
        check http http://127.0.0.1:FAKE/swings;
        latch off;
        interval 50ms 50ms;
        timeout 1m;
        fall 4;
    }
    init_checks slow {
        check http http://127.0.0.1:FAKE/slow;
        latch off;
        interval 50ms;
        timeout 1m;
        rise 6;
        fall 1;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        root %%DIR%%/html;
        location /on { init_gate on; }
        location /off { init_gate swings; }
        location = /init { init_status details=on; }
    }
CONF

$t->{http} =~ s/FAKE/$fake->port/eg;
$t->write("html/$_", 'here') for qw(on off);

$t->run;
my $background = background($t);

# the number of equal responses in a row when the gate changed its state

sub responses {
    my ($uri, $ok, $state) = @_;

    my ($change) = grep { $_->{state} eq $state }
        reverse @{$t->gate($uri =~ s{/}{}r)->{history}};
    my $at = $t->time_of($change->{at}) + 0.001;
    my $n = 0;

    for (split /\n/, $t->read("$fake->{dir}/responses")) {
        my ($time, $of, $status) = split ' ';

        $n = ($status == 200 ? 1 : 0) == $ok ? $n + 1 : 0
            if $of eq $uri && $time <= $at;
    }

    return $n;
}


# rise: six in a row

$t->wait_state('initializing', 'slow');
$t->write('marker');
$fake->set(200);
$t->wait_ready($_) for qw(slow on swings);

is(responses('/slow', 1, 'ready'), 6, 'rise 6: opened after six');
is($t->get("/$_")->{status}, 200, "$_: served") for qw(on off);

# fall: one for slow, four for swings; the first gate is latched

my $asked = $t->check('file', 'on')->{attempts};
$t->remove('marker');
$fake->set(503);

$t->wait_state('initializing', $_) for qw(slow swings);

is(responses('/slow', 0, 'initializing'), 1, 'fall 1: closed after one');
is(responses('/swings', 0, 'initializing'), 4, 'fall 4: closed after four');
is($t->get('/off')->{status}, 503, 'fall 4: refused');

is($t->get('/on')->{status}, 200, 'latched: served');
is($t->check('file', 'on')->{attempts}, $asked, 'latched: no further probe');
is($t->gate('on')->{state}, 'ready', 'latched: ready');
is($t->check('file', 'on')->{next_check}, undef, 'latched: no next probe');

$fake->set(200);
$t->wait_ready('swings');

is_deeply([map { $_->{state} } @{$t->gate('swings')->{history}}],
    [qw(starting initializing ready initializing ready)],
    'opened and closed: history');

unaffected($background);

done_testing;
