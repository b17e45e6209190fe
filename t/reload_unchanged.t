#!/usr/bin/perl

# Reloads under load with all checks unchanged: an open gate refuses no
# request, stays open, and keeps its history.

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

$t->wait_ready;

my $first = $t->gate;
my $descriptors = () = $t->descriptors($t->prober);

is($first->{carried_over}, JSON::PP::false, 'first start: not carried over');

# a gate that is probed again would close

$t->remove('one');

my $load = InitGate::Load->new($t);

sub carried {
    my ($name) = @_;

    my $gate = $t->gate;

    is_deeply([@$gate{qw(state latched carried_over started_at opened_at)}],
        ['ready', JSON::PP::true, JSON::PP::true,
         @$first{qw(started_at opened_at)}], "$name: gate unchanged");

    is_deeply([map { $_->{state} } @{$gate->{history}}],
        [qw(starting ready)], "$name: history unchanged");

    is_deeply([map { [@$_{qw(name verdict carried_over attempts)}] }
               sort { $a->{name} cmp $b->{name} } @{$gate->{checks}}],
        [map { [$_, 'passed', JSON::PP::true, 1] } qw(one two)],
        "$name: checks unchanged");
}

for (1 .. 5) {
    $t->reload;
}

carried('five reloads');

# two reloads at once, and more before the first is complete

$t->signal('HUP') for 1 .. 2;
$t->wait_log(qr/reconfiguring/, 6);
$t->signal('HUP');
$t->reload;
carried('reloads at once');

for my $workers (1, 4, 2) {
    $t->reload(workers => $workers);
    carried("$workers workers");
}

$t->reload(http => $http =~ s/interval 50ms/interval 60ms 2s/r);
carried('other interval');

(my $turned = $http) =~ s/^(\s+check .*one;\n)(\s+check .*two;\n)/$2$1/m;
isnt($turned, $http, 'configuration: other order of checks');
$t->reload(http => $turned);
carried('other order');

$t->reload(http => $http =~ s/name=one/name=one interval=1s timeout=1s/r);
carried('interval of one check');

$t->reload(http => $http =~ s/interval 50ms/interval 50ms; deadline 5m/r);
carried('deadline');

# an invalid configuration, with the error before and after the gate

my $prober = $t->prober;

for my $broken ('nonsense;', 'init_gate nowhere;',
    'init_checks app { check file /x; }', 'server { listen 192.0.2.1:80; }')
{
    $t->conf(http => $http . $broken);
    my $errors = $t->log_count(qr/\[emerg\]/);
    $t->signal('HUP');
    $t->wait_for(sub { $t->log_count(qr/\[emerg\]/) > $errors },
        'an error in the log');
    $load->more(20);
    carried($broken);
}

is($t->prober, $prober, 'failed reloads: same prober');
$t->allow(qr/\[emerg\]/);
$t->reload(http => $http);

$load->more(50);
only_status($load, 200, 'reloads: none refused');
counted_as_logged($t, 'app');

$t->wait_for(sub { 2 == $t->workers }, 'two workers');

SKIP: {
    skip $t->hidden, 1 if $t->hidden;
    is(scalar(() = $t->descriptors($t->prober)), $descriptors,
        'reloads: as many descriptors as before');
}

done_testing;
