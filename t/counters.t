#!/usr/bin/perl

# The accounts of the gates over reloads that add and remove many of them:
# what old workers count, and what they hold, is in the sums, also when the
# accounts need more room than there was, and a gate that comes has none of
# the counts of one that has gone.

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
        "location = /$_ { init_gate $_;  init_hold 30s;  empty_gif; }\n"
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

sub gates { map { $_->{gate} => $_ } @{$t->json('/init')->{gates}} }

sub hold {
    my ($name, $n) = @_;

    my @waiting = map {
        my $socket = $t->connect;
        $socket->syswrite("GET /$name HTTP/1.1\r\nHost: a\r\n"
            . "Connection: close\r\n\r\n");
        $socket;
    } 1 .. $n;

    $t->wait_for(sub { my %gate = gates(); $gate{$name}{held} == $n },
        "$n to wait at $name");

    return @waiting;
}

sub served { scalar grep { $_ && $_->{status} == 200 }
    map { $t->http_read($_) } @_ }

# pieces of shared memory

sub zones { scalar(() = $t->read("/proc/$_[0]/maps") =~ m{/dev/zero}g) }

$t->write('done');
$t->run(http => conf('stays', 'goes', map { "first$_" } 1 .. 10));
$t->wait_for(sub { my %gate = gates(); $gate{done}{ready} }, 'the gate to open');

my $load = InitGate::Load->new($t, clients => 2);
$load->more(20);

my @stays = hold('stays', 6);
my @goes = hold('goes', 6);
my @old = $t->workers;

# the same number of gates, most of them others: the old workers count on

$t->reload(http => conf('stays', map { "second$_" } 1 .. 11));
$load->more(20);

my %gate = gates();
is($gate{stays}{held}, 6, 'who waits in an old worker is still seen');

$t->write('goes');
is(served(@goes), 6, 'and served, where the gate has gone');
%gate = gates();
is_deeply([map { @{$gate{$_}}{qw(held held_passed passed gone)} }
    grep { /second/ } keys %gate], [(0) x 44], 'a new gate begins with nothing');

push @stays, hold('second11', 2);

# more of them, while those wait

$t->reload(http => conf('stays', map { "third$_" } 1 .. 30));
$load->more(20);

$t->write($_) for qw(stays second11);
is(served(@stays), 8, 'all are served');
$t->wait_for(sub { !grep { $t->alive($_) } @old }, 'the old workers to go');

%gate = gates();
is_deeply([@{$gate{stays}}{qw(held held_passed)}], [0, 6], 'and counted');
is_deeply([map { @{$gate{$_}}{qw(held held_passed passed gone)} }
    grep { /third/ } keys %gate], [(0) x 120], 'at their own gates only');

# back, and the counts with them

$t->reload(http => conf('stays', 'goes', 'second11'));
$load->more(20);
%gate = gates();
is($gate{$_}{held_passed}, $_ eq 'goes' ? 6 : 2, "$_ is counted where it was")
    for qw(goes second11);

# without old workers, new names take the place of old ones

my $zones = zones($t->{pid});

for my $n (1 .. 6) {
    my @before = $t->workers;
    $t->reload(http => conf('stays', map { "turn${n}_$_" } 1 .. 25));
    $t->wait_for(sub { !grep { $t->alive($_) } @before }, 'old workers to go');
}

is(zones($t->{pid}), $zones, 'no more memory than before');

$t->reload(http => conf('stays'));
is($t->get('/stays')->{status}, 200, 'open');

only($load, 200, 'nobody was refused');
balanced($t, $_) for qw(done stays);

done_testing;
