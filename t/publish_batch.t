#!/usr/bin/perl

# What is found out at the same time is told at once and together: nobody
# reads of a check that is pending after the gate has left "starting", nor of
# one as it was before.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;
use Time::HiRes ();

my $fake = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;
    Time::HiRes::sleep(0.01) until $c->word;
    $c->send("HTTP/1.1 200 x\r\nContent-Length: 0\r\n"
        . "Connection: close\r\n\r\n");
});

my $checks = join '', map {
    "check file %%DIR%%/marker$_  name=c$_  after=first;\n"
} 1 .. 20;

my $t = InitGate->new(also => InitGate::Load::BESIDE, http => <<"CONF");
    init_checks app {
        $checks
        check http http://127.0.0.1:@{[$fake->port]}/  name=first;
        interval 20ms;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

sub verdicts {
    return map { $_->{name} => $_->{verdict} }
        @{JSON::PP::decode_json($_[0]->{content})->{checks}};
}

# those who come first wait for the first verdicts, and are told all of them

$t->run;
my $beside = beside($t);

my @waiting = map {
    my $socket = $t->connect;
    $socket->syswrite("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    $socket;
} 1 .. 20;

$t->wait_for(sub { $t->json('/init')->{gates}[0]{held} == 20 }, 'all to wait');
$fake->set('go');

for (map { $t->http_read($_) } @waiting) {
    my %verdict = verdicts($_);
    is(scalar(grep { $_ eq 'waiting' } values %verdict), 20, 'all verdicts');
}

# and who comes later is never told less than the status had told before

for my $n (1 .. 19) {
    $t->write("marker$n");

    $t->wait_for(sub { $t->json('/init')->{gates}[0]{checks}[$n - 1]{verdict}
        eq 'passed' }, 'a verdict');

    my %verdict = verdicts($t->get('/'));
    is($verdict{"c$n"}, 'passed', "check $n");
}

$t->write('marker20');
$t->wait_for(sub { $t->get('/')->{status} == 200 }, 'it to open');

undisturbed($beside);

done_testing;
