#!/usr/bin/perl

# after=: not asked before the other has passed, then at once, whatever types
# they are of; and optional: the gate opens degraded without it.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Postgres;
use Redis;
use Time::HiRes qw(time);

my $fake = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.1 " . ($c->word || 503) . " x\r\nContent-Length: 0\r\n"
        . "Connection: close\r\n\r\n");
});

my $tcp = InitGate::Fake->new(sub { $_[0]->hang });

my $t = InitGate->new;

my $pg = $t->postgres;
psql($pg, 'CREATE TABLE fifth (i int)');

my $redis = Redis->new($t->redis->connect_info);
$redis->set(fourth => 1);

my %port = (FAKE => $fake->port, TCP => $tcp->port, PG => $pg->port,
    REDIS => $redis->info->{tcp_port});

$t->{http} = <<'CONF';
    init_checks app {
        check file %%DIR%%/third  name=third  after=second  interval=1m;
        check http http://127.0.0.1:FAKE/  name=second  after=first
              interval=1m;
        check file %%DIR%%/first  name=first  interval=50ms;
        check file %%DIR%%/nice  name=nice  optional  interval=50ms;
        check file %%DIR%%/after_nice  name=after_nice  optional
              after=nice  interval=1m;
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
        interval 1m;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app; root %%DIR%%/html; }
        location = /init { init_status details=on; }
    }
CONF

$t->{http} =~ s/:(FAKE|TCP|REDIS)\b/:$port{$1}/g;
$t->{http} =~ s/port=PG/port=$port{PG}/;
$fake->set(200);
$t->write('third');
$t->write('html/index.html', 'here');
$t->run;

sub gate { $t->json('/init')->{gates}[$_[0] // 0] }

sub verdicts { join ' ', map { $_->{verdict} } @{gate(@_)->{checks}} }

$t->wait_for(sub { gate()->{checks}[2]{attempts} > 5 }, 'a few probes');

is(verdicts(), 'pending pending waiting waiting pending', 'nobody else asked');
is($fake->connections, 0, 'indeed nobody');
is(gate()->{state}, 'initializing', 'closed');

my $start = time;
$t->write('first');
$t->wait_for(sub { gate()->{ready} }, 'the gate to open');

cmp_ok(time - $start, '<', patience(1), 'each at once after the one before');
is($fake->connections, 1, 'asked once');
is(verdicts(), 'passed passed passed waiting pending', 'the optional are left');
is(gate()->{state}, 'degraded', 'degraded');
is($t->get('/')->{status}, 200, 'open');

# latched, and the optional ones are asked on until they pass

my $asked = gate()->{checks}[3]{attempts};
$t->wait_for(sub { gate()->{checks}[3]{attempts} > $asked + 2 },
    'more probes of the optional one');
is(gate()->{checks}[$_]{next_check}, undef, "check $_: nobody asks it again")
    for 0 .. 2;

$t->write($_) for qw(after_nice nice);
$t->wait_for(sub { gate()->{state} eq 'ready' }, 'the optional ones');
is(verdicts(), 'passed passed passed passed passed', 'all passed');
is_deeply([map { $_->{state} } @{gate()->{history}}],
    [qw(starting initializing degraded ready)], 'history');
is(gate()->{checks}[$_]{next_check}, undef, "check $_: asked no more")
    for 3, 4;

# through all types, one after the other

is(verdicts(1), join(' ', ('pending') x 5, 'waiting'), 'none of the chain');
is($tcp->connections, 0, 'no connection');
is((psql($pg, "SELECT count(*) FROM pg_stat_activity"
    . " WHERE application_name = 'nginx-init-gate'"))[0][0], 0, 'no login');
is($redis->info('commandstats')->{cmdstat_exists}, undef, 'no question');

$t->write('sixth');
$t->write('chain');
$t->wait_for(sub { gate(1)->{ready} }, 'the chain', 5);
is(verdicts(1), join(' ', ('passed') x 6), 'all of the chain');
is_deeply([map { $_->{attempts} } @{gate(1)->{checks}}[0 .. 4]], [(1) x 5],
    'each asked once');

$t->wait_log(qr/init gate "app".*degraded/);
$t->wait_log(qr/init gate "app".*ready/);

done_testing;
