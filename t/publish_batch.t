#!/usr/bin/perl

# Verdicts of the same iteration of the event loop are published together and at
# once: no response shows a pending check after the gate has left "starting",
# nor the previous verdict of a check.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;

my $fake = InitGate::Fake->http(200, wait => 1);

my $checks = join '', map {
    "check file %%DIR%%/marker$_  name=c$_  after=first;\n"
} 1 .. 20;

my $t = InitGate->new(also => InitGate::Load::BACKGROUND, http => <<"CONF");
    init_checks app {
        $checks
        check http http://127.0.0.1:@{[$fake->port]}/  name=first;
        interval 20ms;
        timeout 1m;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

sub verdicts_of {
    return map { $_->{name} => $_->{verdict} }
        @{JSON::PP::decode_json($_[0]->{content})->{checks}};
}

# the first requests wait for the first verdicts, and get all of them

$t->run;
my $background = background($t);

my @waiting = $t->hold(20, '/');
$fake->set(200);

for (map { $t->http_read($_) } @waiting) {
    my %verdict = verdicts_of($_);
    is(scalar(grep { $_ eq 'waiting' } values %verdict), 20,
        'held while starting: all verdicts');
}

# a later response is never older than the status

for my $n (1 .. 19) {
    $t->write("marker$n");

    $t->wait_for(sub { $t->check("c$n")->{verdict} eq 'passed' },
        "c$n to pass");

    my %verdict = verdicts_of($t->get('/'));
    is($verdict{"c$n"}, 'passed', "response after the status: c$n passed");
}

$t->write('marker20');
$t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the gate to open');

unaffected($background);

done_testing;
