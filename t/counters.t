#!/usr/bin/perl

# The counters of gates over reloads that add and remove many gates: they
# include requests counted and held by old workers, even if more shared memory
# is needed, and a new gate has none of the counts of a removed one.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;

my $t = InitGate->new(http => '');

sub conf {
    my (@names) = @_;

    my $gates = join '', map {
        "init_checks $_ { check file %%DIR%%/$_;  interval 20ms; }\n"
    } 'done', @names;

    my $locations = join '', map {
        "location = /$_ { init_gate $_;  init_hold 10m;  empty_gif; }\n"
    } @names;

    return InitGate::Load::LOG . <<"CONF";
    $gates
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate done;  empty_gif; }
        $locations
        location = /init { init_status details=on;  access_log off; }
    }
CONF
}

sub gates { map { $_->{gate} => $_ } $t->gates }

# mappings of shared memory

sub zones { scalar(() = $t->read("/proc/$_[0]/maps") =~ m{/dev/zero}g) }

$t->write('done');
$t->run(http => conf('stays', 'goes', map { "first$_" } 1 .. 10));
$t->wait_ready('done');

my $load = InitGate::Load->new($t, clients => 2);
$load->more(20);

my @stays = $t->hold(6, '/stays', 'stays');
my @goes = $t->hold(6, '/goes', 'goes');
my @old = $t->workers;

# as many gates, most of them new: the old workers continue to count

$t->reload(http => conf('stays', map { "second$_" } 1 .. 11));
$load->more(20);

is($t->gate('stays')->{held}, 6, 'held in old workers: counted');

$t->write('goes');
is_deeply($t->statuses(@goes), { 200 => 6 },
    'held in old workers, gate removed: served');
my %gate = gates();
is_deeply([map { @{$gate{$_}}{qw(held held_passed passed gone)} }
    grep { /second/ } keys %gate], [(0) x 44], 
    'new gates: counters at 0');

push @stays, $t->hold(2, '/second11', 'second11');

# more gates, while those are held

$t->reload(http => conf('stays', map { "third$_" } 1 .. 30));
$load->more(20);

$t->write($_) for qw(stays second11);
is_deeply($t->statuses(@stays), { 200 => 8 },
    'held in old workers, more gates: served');
$t->wait_exit(@old);

%gate = gates();
is_deeply([@{$gate{stays}}{qw(held held_passed)}], [0, 6],
    'held in old workers: counted when served');
is_deeply([map { @{$gate{$_}}{qw(held held_passed passed gone)} }
    grep { /third/ } keys %gate], [(0) x 120], 
    'new gates: counters still at 0');

# the removed gates again, with their counts

$t->reload(http => conf('stays', 'goes', 'second11'));
$load->more(20);
%gate = gates();
is($gate{$_}{held_passed}, $_ eq 'goes' ? 6 : 2,
    "$_, added again: counters kept")
    for qw(goes second11);

# without old workers, new names replace old ones

my $zones = zones($t->{pid});

for my $n (1 .. 6) {
    my @before = $t->workers;
    $t->reload(http => conf('stays', map { "turn${n}_$_" } 1 .. 25));
    $t->wait_exit(@before);
}

is(zones($t->{pid}), $zones, 'many reloads: no more shared memory');

$t->reload(http => conf('stays'));
is($t->get('/stays')->{status}, 200, 'many reloads: gate open');

only_status($load, 200, 'load during reloads: none refused');
counted_as_logged($t, $_) for qw(done stays);

done_testing;
