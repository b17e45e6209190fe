#!/usr/bin/perl

# The connections of the redis check: shared, kept, opened again, and closed.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;

my $t = InitGate->new(workers => 1);

my $server = $t->redis;
my $redis = $server->client;
my $port = $server->port;
my $frozen = $t->redis;

# one EXISTS command after another

my $exists = qr/\*2\r\n\$6\r\nEXISTS\r\n\$(\d)\r\n(\w+)\r\n/;

# closes the connection at the second command

my $fickle = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until($exists) or return;
    $c->send(":1\r\n");
    $c->read_until($exists);
    $c->word eq 'reset' ? $c->reset : return;
});

# replies after it has read all commands, and then byte by byte

my $late = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until(qr/AUTH.*SELECT.*EXISTS\r\n\$1\r\n[ab]\r\n/s) or return;
    $c->send_slowly("+OK\r\n+OK\r\n:1\r\n", 0.002);
    while ($c->read_until($exists)) {
        $c->send_slowly(":1\r\n", 0.002);
    }
});

# sends a reply without a command

my $chatty = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until($exists) or return;
    $c->send(":1\r\n");
    $c->read_bytes(1, 0.01);
    $c->send("+hello\r\n");
    $c->hang;
});

# a field grows after its length is known, while another command is pending

my $growing = InitGate::Fake->new(sub {
    my ($c) = @_;
    my $any = qr/(HSTRLEN|HGET|EXISTS).*?\r\n(?:f|beside)\r\n/s;
    while (($c->read_until($any) // '') =~ $any) {
        my $command = $1;
        my $n = $c->word ? 100_000 : 5;
        $c->read_until(qr/beside\r\n/) if $n > 5 && $command eq 'HGET';
        $c->send($command eq 'EXISTS' ? ":1\r\n"
            : $command eq 'HSTRLEN' ? "+hash\r\n:$n\r\n"
            : "+hash\r\n\$$n\r\n" . 'x' x $n . "\r\n");
    }
});

# the replies are of the right type from the second connection on

my $muddled = InitGate::Fake->new(sub {
    my ($c) = @_;
    while ($c->read_until($exists)) {
        $c->send($c->number > 1 ? ":1\r\n" : "\$1\r\n1\r\n");
    }
});

$t->run(http => <<"CONF");

    init_checks app {
        interval 20ms;
        timeout 1m;
        backoff 20ms;

        check file %%DIR%%/never  name=never;

        check redis redis://127.0.0.1:$port    name=one    key=k;
        check redis redis://127.0.0.1:$port    name=two;
        check redis redis://127.0.0.1:$port/0  name=three  key=l  min=2;
        check redis redis://127.0.0.1:$port/1  name=four;

        check redis redis://127.0.0.1:@{[$fickle->port]}  name=fickle  key=k;

        check redis redis://127.0.0.1:@{[$frozen->port]}  name=frozen
                                                          timeout=300ms;
        check redis redis://127.0.0.1:@{[$frozen->port]}  name=stiff  key=k
                                                          timeout=200ms;
        check redis redis://127.0.0.1:@{[$frozen->port]}  name=patient
                                                          timeout=1m;

        check redis redis://:pw\@127.0.0.1:@{[$late->port]}/2   name=late
                                                                key=a;
        check redis redis://127.0.0.1:@{[$chatty->port]}  name=chatty  key=a
                                                          interval=2s;
        check redis redis://127.0.0.1:@{[$growing->port]}  name=growing  key=h
                                                        field=f value=xxxxx;
        check redis redis://127.0.0.1:@{[$growing->port]}  name=beside
                                                        key=beside;
        check redis redis://127.0.0.1:@{[$muddled->port]}  name=muddled  key=k;
    }

    init_checks latched {
        interval 20ms;
        timeout 1m;
        check redis redis://127.0.0.1:$port/5  name=last  key=ready;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
        location = /latched { init_status latched details=on; }
    }

CONF

sub clients {
    my ($regex) = @_;

    # without subscribers, which redis_tracking.t tests

    return grep { !/cmd=(?:client|NULL)| sub=1 / && $_ =~ $regex }
        split /\n/, $redis->client_list;
}

sub unbroken {
    my ($name, $what) = @_;

    my $check = probed($t, $name);
    is(join(' ', map { $_->[0] } grep { $_->[0] ne 'passed' }
        @{$check->{recent}}), '', $what);
}

# one connection for the same user and database

$redis->set(k => 1);
$redis->rpush(l => 1 .. 3);
verdict($t, $_, 'passed') for qw(one two three four);

$redis->config('RESETSTAT');

probed($t, $_) for qw(one two three one two three);

# connections are renewed after 30 seconds, and may be so just now

for ([qr/ db=0 /, 'three checks of a database: one connection'],
    [qr/ db=1 /, 'another database: another connection'])
{
    my ($regex, $label) = @$_;
    $t->wait_for(sub { clients($regex) == 1 }, $label);
    is(scalar clients($regex), 1, $label);
}

cmp_ok($redis->info->{total_connections_received}, '<=', 4 * int((time - $^T)
    / 29), 'more probes: connections kept');

# the commands

is(join(' ', grep { !/client|config|info/ }
    map { s/^cmdstat_//r } sort keys %{$redis->info('commandstats')}),
    'exists llen ping type', 'more probes: no other commands');

# closed by the server repeatedly

probed($t, 'one') for 1 .. 10;

for (1 .. 10) {
    eval { $redis->client('KILL', 'ID', $_) }
        for map { /^id=(\d+)/ } clients(qr/ db=0 /);
    probed($t, 'two');
}

unbroken('one', 'closed while idle: no other verdicts');
unbroken('three', 'closed while idle, another check: no other verdicts');
cmp_ok($redis->info->{total_connections_received}, '>=', 10,
    'closed while idle: opened again');

# closed instead of a reply: the command is sent again over a new connection

probed($t, 'fickle') for 1 .. 10;
unbroken('fickle', 'closed while waiting: no other verdicts');

$fickle->set('reset');
probed($t, 'fickle') for 1 .. 10;
unbroken('fickle', 'reset while waiting: no other verdicts');

# frozen, and thawed

verdict($t, 'frozen', 'passed');
$frozen->freeze;
verdict($t, 'frozen', 'error timeout',
    qr/^no response within 300ms while waiting for a reply of Redis$/);
verdict($t, 'stiff', 'error timeout');
$frozen->thaw;
verdict($t, 'frozen', 'passed');
verdict($t, 'stiff', 'waiting missing');
verdict($t, 'patient', 'passed');

my @left = grep { !/cmd=client| sub=1 / } split /\n/, $frozen->client->client_list;
is(scalar @left, 1, 'thawed: one connection again') or diag(join "\n", @left);

# AUTH, SELECT and the command are sent together

verdict($t, 'late', 'passed');
unbroken('late', 'reply byte by byte: no other verdicts');

# a reply without a command

verdict($t, 'chatty', 'passed');
unbroken('chatty', 'reply without a command: no other verdicts');
$t->wait_log(qr/unexpected reply of redis at "127\.0\.0\.1:\d+"/);

# a value that becomes too long

verdict($t, 'growing', 'passed');
$growing->set('large');
verdict($t, 'growing', 'waiting mismatch', qr/has 100000 bytes, more than/);
unlike(join(' ', map { $_->[0] } @{$t->check('growing')->{recent}}),
    qr/error/, 'value becomes too long: no errors');
unbroken('beside', 'value becomes too long, another check: no other verdicts');

# a connection with a reply of the wrong type is closed

verdict($t, 'muddled', 'passed');
like($muddled->received(2), qr/EXISTS/,
    'reply of the wrong type: another connection');

# once the gate is open, its connection is closed

is(scalar clients(qr/ db=5 /), 1, 'gate closed: connection open');
$redis->select(5);
$redis->set(ready => 1);
$t->wait_for(sub { $t->json('/latched')->{ready} }, 'the gate to open');
$t->wait_for(sub { !clients(qr/ db=5 .*cmd=exists/) },
    'the connection to be closed');
pass('gate latched: connection closed');

done_testing;
