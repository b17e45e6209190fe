#!/usr/bin/perl

# What is found out at the same time is told at once and together: nobody
# reads of a check that is pending after the gate has left "starting", nor of
# one as it was before.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;

my $checks = join '', map { "check file %%DIR%%/marker$_  name=c$_;\n" }
    1 .. 20;

my $t = InitGate->new(also => InitGate::Load::BESIDE, http => <<"CONF");
    init_checks app { $checks  interval 20ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

# those who come first wait for the first verdicts, and are told these

for my $n (1 .. 5) {
    $t->run;

    my @told = map { JSON::PP::decode_json($_->{content}) }
        map { $t->get('/') } 1 .. 10;

    is_deeply([map { grep { $_->{verdict} ne 'waiting' } @{$_->{checks}} }
        @told], [], "start $n: all verdicts");

    $t->quit;
}

# and who comes later is never told less than the status had told before

$t->run;
my $beside = beside($t);

for my $n (1 .. 19) {
    $t->write("marker$n");

    $t->wait_for(sub { $t->json('/init')->{gates}[0]{checks}[$n - 1]{verdict}
        eq 'passed' }, 'a verdict');

    my ($check) = grep { $_->{name} eq "c$n" }
        @{JSON::PP::decode_json($t->get('/')->{content})->{checks}};
    is($check->{verdict}, 'passed', "check $n");
}

$t->write('marker20');
$t->wait_for(sub { $t->get('/')->{status} == 200 }, 'it to open');

undisturbed($beside);

done_testing;
