#!/usr/bin/perl

# Reloads under load with all checks as they were: an open gate refuses
# nobody, remembers that it is open, and goes on with its history.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;

my $t = InitGate->new(http => InitGate::Load::LOG . <<'CONF');
    init_checks app {
        check file %%DIR%%/one  name=one;
        check file %%DIR%%/two  name=two;
        interval 50ms;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
    }
CONF

my $http = $t->{http};
$t->write($_) for qw(one two);
$t->run;

sub gate { $t->json('/init')->{gates}[0] }

$t->wait_for(sub { gate()->{ready} }, 'the gate to open');

my $first = gate();
my $descriptors = () = $t->descriptors($t->prober);

is($first->{carried_over}, JSON::PP::false, 'a first start carries nothing');

# a gate that asked again would find it gone

$t->remove('one');

my $load = InitGate::Load->new($t);

sub carried {
    my ($name) = @_;

    my $gate = gate();

    is_deeply([@$gate{qw(state latched carried_over started_at opened_at)}],
        ['ready', JSON::PP::true, JSON::PP::true,
         @$first{qw(started_at opened_at)}], "$name: the same gate");

    is_deeply([map { $_->{state} } @{$gate->{history}}],
        [qw(starting ready)], "$name: its history");

    is_deeply([map { [@$_{qw(name verdict carried_over attempts)}] }
               sort { $a->{name} cmp $b->{name} } @{$gate->{checks}}],
        [map { [$_, 'passed', JSON::PP::true, 1] } qw(one two)],
        "$name: its checks");
}

for (1 .. 5) {
    $t->reload;
}

carried('nothing changed');

# two at once, and more before the first is done

$t->signal('HUP') for 1 .. 2;
$t->wait_log(qr/reconfiguring/, 6);
$t->signal('HUP');
$t->reload;
carried('at once');

for my $workers (1, 4, 2) {
    $t->reload(workers => $workers);
    carried("$workers workers");
}

$t->reload(http => $http =~ s/interval 50ms/interval 60ms 2s/r);
carried('another interval');

(my $turned = $http) =~ s/^(\s+check .*one;\n)(\s+check .*two;\n)/$2$1/m;
isnt($turned, $http, 'checks turned round');
$t->reload(http => $turned);
carried('another order');

$t->reload(http => $http =~ s/name=one/name=one interval=1s timeout=1s/r);
carried('a time of one check');

$t->reload(http => $http =~ s/interval 50ms/interval 50ms; deadline 5m/r);
carried('a deadline');

# a configuration that nginx refuses, before and after it has seen the gate

my $prober = $t->prober;

for my $broken ('nonsense;', 'init_gate nowhere;',
    'init_checks app { check file /x; }', 'server { listen 192.0.2.1:80; }')
{
    $t->conf(http => $http . $broken);
    my $errors = $t->log_count(qr/\[emerg\]/);
    $t->signal('HUP');
    $t->wait_for(sub { $t->log_count(qr/\[emerg\]/) > $errors }, 'refusal');
    $load->more(20);
    carried($broken);
}

is($t->prober, $prober, 'a failed reload leaves the prober alone');
$t->allow(qr/\[emerg\]/);
$t->reload(http => $http);

$load->more(50);
only($load, 200, 'nobody was refused');
balanced($t, 'app');

$t->wait_for(sub { 2 == $t->workers }, 'two workers');
is(scalar(() = $t->descriptors($t->prober)), $descriptors,
    'as many descriptors as in the beginning');

done_testing;
