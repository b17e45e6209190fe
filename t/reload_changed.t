#!/usr/bin/perl

# Reloads under load with a check changed, added, removed, renamed, and with
# gates added and removed: a changed check counts as never run, the others are
# carried over, and a gate all of whose checks are as before stays as it was.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;

my $t = InitGate->new(http => '');

sub conf {
    my ($checks, %args) = @_;

    my $more = $args{more} // '';
    my $gated = $args{gated} // '';

    return InitGate::Load::LOG . <<"CONF";
    init_checks app {
        $checks
        interval 50ms;
    }
    init_checks calm { check file %%DIR%%/calm;  interval 50ms; }
    $more

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app;  empty_gif; }
        location = /calm { init_gate calm;  empty_gif; }
        $gated
        location = /init { init_status details=on;  access_log off; }
    }
CONF
}

my $one = 'check file %%DIR%%/one name=one;';
my $two = 'check file %%DIR%%/two name=two;';

$t->write($_, 'here') for qw(one two calm);
$t->run(http => conf("$one $two"));

sub gate {
    my ($name) = @_;

    return (grep { $_->{gate} eq ($name // 'app') }
        @{$t->json('/init')->{gates}})[0];
}

sub check {
    my ($name) = @_;

    return (grep { $_->{name} eq $name } @{gate()->{checks}})[0];
}

my ($true, $false) = (JSON::PP::true, JSON::PP::false);

$t->wait_for(sub { gate()->{ready} && gate('calm')->{ready} }, 'all open');

my $first = gate();

# the gate beside it has not changed at all, and its marker is gone by now

$t->remove('calm');

my $calm = InitGate::Load->new($t, clients => 2, uri => '/calm');
my $load = InitGate::Load->new($t, clients => 2);

# a check changed, and it passes: requests wait for its verdict

$t->reload(http => conf("$one check file %%DIR%%/two name=two min_size=1;"));
$t->wait_for(sub { gate()->{ready} }, 'the changed check');
cmp_ok(check('one')->{attempts}, '>', 1, 'the other one goes on');
is(check('two')->{attempts}, 1, 'the changed one begins');
is(check('two')->{carried_over}, $false, 'and is not carried over');
is(gate()->{carried_over}, $false, 'nor the gate');
is(gate()->{started_at}, $first->{started_at}, 'it has its age');

# a check added, which passes

$t->write('three');
$t->reload(http => conf("$one $two check file %%DIR%%/three name=three;"));
$t->wait_for(sub { gate()->{ready} }, 'the added check');

# a check removed: what is left has passed

$t->reload(http => conf("$one $two"));
is(gate()->{state}, 'ready', 'a check removed');
is_deeply([map { $_->{carried_over} } @{gate()->{checks}}], [$true, $true],
    'the others are carried over');

# a check renamed is another check

$t->reload(http => conf("check file %%DIR%%/one name=uno; $two"));
$t->wait_for(sub { gate()->{ready} }, 'the renamed check');
is(check('uno')->{attempts}, 1, 'a renamed check is run');

$load->more(20);
only($load, 200, 'checks that pass at once refuse nobody');

# gates added and removed, each time with room made for others

my $count = sub { join '', map { "init_checks more$_ { $one }\n" } @_ };

for my $n (1, 3, 0, 2) {
    $t->reload(http => conf("$one $two", more => $count->(1 .. $n),
        gated => join '', map {
            "location = /more$_ { init_gate more$_;  empty_gif; }\n"
        } 1 .. $n));

    for (1 .. $n) {
        my $name = "more$_";
        $t->wait_for(sub { gate($name)->{ready} }, $name);
        is($t->get("/$name")->{status}, 200, "gate $name");
    }

    is(scalar @{$t->json('/init')->{gates}}, 2 + $n, "$n more gates");
}

# the order of gates is nothing

$t->reload(http => conf("$one $two",
    more => 'init_checks last { check file %%DIR%%/nothing; }')
    =~ s/^(\s+init_checks app.*?\})(.*?)$(\s+init_checks last.*?\})/$3$2$1/msr);
is(gate('calm')->{carried_over}, $true, 'calm');
balanced($t, 'app');

# a check changed that does not pass: the gate closes

my $opened_at = gate()->{opened_at};
$load = InitGate::Load->new($t, clients => 2);
$t->reload(http => conf("$one check file %%DIR%%/four name=four;"));
$t->wait_for(sub { gate()->{state} eq 'initializing' }, 'the gate to close');
$load->more(10, 503);
is(gate()->{latched}, $false, 'no latch');
is(gate()->{opened_at}, $opened_at, 'when it had opened');
cmp_ok(check('one')->{attempts}, '>', 1, 'the other one goes on');
is(check('four')->{verdict}, 'waiting', 'the changed one waits');

# and the way back is as short

$t->reload(http => conf("$one $two"));
$t->wait_for(sub { gate()->{ready} }, 'the gate to open');
$load->more(10, 200);

my %count = $load->stop->counts;
is_deeply([sort keys %count], [200, 503], 'answers');
balanced($t, 'app');

only($calm, 200, 'the gate beside it refused nobody');
is_deeply([@{gate('calm')}{qw(state carried_over)}], ['ready', $true],
    'and has been carried over');
is(gate('calm')->{checks}[0]{attempts}, 1, 'and was asked once');
balanced($t, 'calm');

done_testing;
