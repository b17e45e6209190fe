#!/usr/bin/perl

# Reloads under load with a check changed, added, removed, renamed, and with
# gates added and removed: a changed check is probed again, the others are
# carried over, and a gate with unchanged checks keeps its state.

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

my ($true, $false) = (JSON::PP::true, JSON::PP::false);

$t->wait_ready($_) for qw(app calm);

my $first = $t->gate('app');

# gate calm does not change, and its marker is removed

$t->remove('calm');

my $calm = InitGate::Load->new($t, clients => 2, uri => '/calm');
my $load = InitGate::Load->new($t, clients => 2);

# a check is changed, and passes: requests wait for its verdict

$t->reload(http => conf("$one check file %%DIR%%/two name=two min_size=1;"));
$t->wait_ready('app');
cmp_ok($t->check('one')->{attempts}, '>', 1,
    'check changed: the other goes on');
is($t->check('two')->{attempts}, 1, 'check changed: it begins');
is($t->check('two')->{carried_over}, $false,
    'check changed: it is not carried over');
is($t->gate('app')->{carried_over}, $false,
    'check changed: gate not carried over');
is($t->gate('app')->{started_at}, $first->{started_at},
    'check changed: started_at kept');

# a check is added, and passes

$t->write('three');
$t->reload(http => conf("$one $two check file %%DIR%%/three name=three;"));
$t->wait_ready('app');

# a check is removed, the others have passed

$t->reload(http => conf("$one $two"));
is($t->gate('app')->{state}, 'ready', 'check removed: ready');
is_deeply([map { $_->{carried_over} } @{$t->gate('app')->{checks}}],
    [$true, $true],
    'check removed: the others are carried over');

# a renamed check is another check

$t->reload(http => conf("check file %%DIR%%/one name=uno; $two"));
$t->wait_ready('app');
is($t->check('uno')->{attempts}, 1, 'check renamed: it begins');

$load->more(20);
only_status($load, 200, 'changed checks that pass: none refused');

# gates are added and removed

my $count = sub { join '', map { "init_checks more$_ { $one }\n" } @_ };

for my $n (1, 3, 0, 2) {
    $t->reload(http => conf("$one $two", more => $count->(1 .. $n),
        gated => join '', map {
            "location = /more$_ { init_gate more$_;  empty_gif; }\n"
        } 1 .. $n));

    for (1 .. $n) {
        my $name = "more$_";
        $t->wait_ready($name);
        is($t->get("/$name")->{status}, 200, "gate $name added: served");
    }

    is(scalar @{$t->json('/init')->{gates}}, 2 + $n, "$n gates added: shown");
}

# the order of gates does not matter

$t->reload(http => conf("$one $two",
    more => 'init_checks last { check file %%DIR%%/nothing; }')
    =~ s/^(\s+init_checks app.*?\})(.*?)$(\s+init_checks last.*?\})/$3$2$1/msr);
is($t->gate('calm')->{carried_over}, $true,
    'other order of gates: carried over');
counted_as_logged($t, 'app');

# a check is changed, and does not pass: the gate closes

my $opened_at = $t->gate('app')->{opened_at};
$load = InitGate::Load->new($t, clients => 2);
$t->reload(http => conf("$one check file %%DIR%%/four name=four;"));
$t->wait_state('initializing', 'app');
$load->more(10, 503);
is($t->gate('app')->{latched}, $false, 'changed check waits: not latched');
is($t->gate('app')->{opened_at}, $opened_at,
    'changed check waits: opened_at kept');
cmp_ok($t->check('one')->{attempts}, '>', 1,
    'changed check waits: the other goes on');
is($t->check('four')->{verdict}, 'waiting', 'changed check waits: verdict');

# the former configuration again

$t->reload(http => conf("$one $two"));
$t->wait_ready('app');
$load->more(10, 200);

my %count = $load->stop->counts;
is_deeply([sort keys %count], [200, 503], 'gate closed and opened: statuses');
counted_as_logged($t, 'app');

only_status($calm, 200, 'unchanged gate: none refused');
is_deeply([@{$t->gate('calm')}{qw(state carried_over)}], ['ready', $true],
    'unchanged gate: carried over');
is($t->gate('calm')->{checks}[0]{attempts}, 1, 'unchanged gate: one probe');
counted_as_logged($t, 'calm');

done_testing;
