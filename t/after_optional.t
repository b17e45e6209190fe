#!/usr/bin/perl

# after=: a check is not probed before the other has passed, and then at once,
# for all types of checks; optional: the gate opens degraded without the check.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Postgres;

my $fake = InitGate::Fake->http(200);

my $tcp = InitGate::Fake->new(sub { $_[0]->hang });

my $t = InitGate->new;

my $pg = $t->postgres;
psql($pg, 'CREATE TABLE fifth (i int)');

my $server = $t->redis;
my $redis = $server->client;
$redis->set(fourth => 1);

my %port = (FAKE => $fake->port, TCP => $tcp->port, PG => $pg->port,
    REDIS => $server->port);

$t->{http} = <<'CONF';
    init_checks app {
        check file %%DIR%%/third  name=third  after=second  interval=1h;
        check http http://127.0.0.1:FAKE/  name=second  after=first
              interval=1h;
        check file %%DIR%%/first  name=first  interval=50ms;
        check file %%DIR%%/nice  name=nice  optional  interval=50ms;
        check file %%DIR%%/after_nice  name=after_nice  optional
              after=nice  interval=1h;
    }

    init_checks chain {
        check file %%DIR%%/sixth  name=sixth  after=fifth;
        check postgres "host=127.0.0.1 port=PG user=postgres dbname=test"
              name=fifth  tables=fifth  after=fourth;
        check redis redis://127.0.0.1:REDIS  name=fourth  key=fourth
              after=third_;
        check http http://127.0.0.1:FAKE/  name=third_  after=second_;
        check tcp 127.0.0.1:TCP  name=second_  after=first_;
        check file %%DIR%%/chain  name=first_  interval=50ms;
        interval 1h;
        timeout 1m;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app; root %%DIR%%/html; }
        location = /init { init_status details=on; }
    }
CONF

$t->{http} =~ s/:(FAKE|TCP|REDIS)\b/:$port{$1}/g;
$t->{http} =~ s/port=PG/port=$port{PG}/;
$t->write('third');
$t->write('html/index.html', 'here');
$t->run;

sub verdict_list { join ' ', map { $_->{verdict} } @{$t->gate(@_)->{checks}} }

$t->wait_for(sub { $t->gate->{checks}[2]{attempts} > 5 }, 'a few probes');

is(verdict_list('app'), 'pending pending waiting waiting pending',
    'checks after others: not probed');
is($fake->connections, 0, 'HTTP server: no connection');
is($t->gate->{state}, 'initializing', 'gate: closed');

my $clock = $t->clock;
$t->write('first');
$t->wait_ready;

cmp_ok($clock->seconds, '<', patience(10),
    'chain of three checks: without an interval');
is($fake->connections, 1, 'HTTP server: one probe');
is(verdict_list('app'), 'passed passed passed waiting pending',
    'optional checks: not passed');
is($t->gate->{state}, 'degraded', 'gate without optional checks: degraded');
is($t->get('/')->{status}, 200, 'degraded gate: open');

# latched: optional checks are probed until they pass

my $asked = $t->gate->{checks}[3]{attempts};
$t->wait_for(sub { $t->gate->{checks}[3]{attempts} > $asked + 2 },
    'more probes of the optional check');
is($t->gate->{checks}[$_]{next_check}, undef,
    "required check $_, gate latched: no next probe")
    for 0 .. 2;

$t->write($_) for qw(after_nice nice);
$t->wait_state('ready', 'app');
is(verdict_list('app'), 'passed passed passed passed passed',
    'optional checks: passed');
is_deeply([map { $_->{state} } @{$t->gate()->{history}}],
    [qw(starting initializing degraded ready)], 'history: all states');
is($t->gate->{checks}[$_]{next_check}, undef,
    "optional check $_, passed: no next probe")
    for 3, 4;

# a chain of all types

is(verdict_list('chain'), join(' ', ('pending') x 5, 'waiting'),
    'chain, first check waiting: others pending');
is($tcp->connections, 0, 'tcp: no connection');
is((psql($pg, "SELECT count(*) FROM pg_stat_activity"
    . " WHERE application_name = 'nginx-init-gate'"))[0][0], 0,
    'postgres: no connection');
is($redis->info('commandstats')->{cmdstat_exists}, undef,
    'redis: no command');

$t->write('sixth');
$t->write('chain');
$clock = $t->clock;
$t->wait_ready('chain');
cmp_ok($clock->seconds, '<', patience(5),
    'chain of six types: within five seconds');
is(verdict_list('chain'), join(' ', ('passed') x 6), 'chain: all passed');
is_deeply([map { $_->{attempts} } @{$t->gate('chain')->{checks}}[0, 1, 3, 4]],
    [(1) x 4],
    'chain: one probe of each');
cmp_ok($t->gate('chain')->{checks}[2]{attempts}, '<=', 2,
    'chain: Redis is asked once more when it reports changes');

$t->wait_log(qr/init gate "app".*degraded/);
$t->wait_log(qr/init gate "app".*ready/);

done_testing;
