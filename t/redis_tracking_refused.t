#!/usr/bin/perl

# The redis check: servers and proxies that do not report changes of keys, or
# report them wrongly.  The keys are polled.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;

my $t = InitGate->new(workers => 1);

my $id = qr/^\*2\r\n\$6\r\nCLIENT\r\n\$2\r\nID\r\n/;
my $subscribe = qr/^\*2\r\n\$9\r\nSUBSCRIBE\r\n\$20\r\n__redis__:invalidate\r\n/;
my $tracking = qr/^\*5\r\n\$6\r\nCLIENT\r\n\$8\r\nTRACKING\r\n\$2\r\non\r\n
                  \$8\r\nREDIRECT\r\n\$2\r\n42\r\n/x;
my $exists = qr/^\*2\r\n\$6\r\nEXISTS\r\n\$1\r\nk\r\n/;

my $subscribed = "*3\r\n\$9\r\nsubscribe\r\n\$20\r\n__redis__:invalidate\r\n"
    . ":1\r\n";

sub report {
    my ($keys) = @_;

    return "*3\r\n\$7\r\nmessage\r\n\$20\r\n__redis__:invalidate\r\n$keys\r\n";
}

# replies to each command by the hash of its arguments; CODE is run

sub server {
    my (%reply) = @_;

    return InitGate::Fake->new(sub {
        my ($c) = @_;

        while (defined(my $text = $c->read_until(qr/$exists|$id|$subscribe|
                                                    $tracking/x)))
        {
            my $name = $text =~ $exists ? 'exists' : $text =~ $id ? 'id'
                : $text =~ $subscribe ? 'subscribe' : 'tracking';
            my $reply = $reply{$name}
                // { exists => ":0\r\n", id => ":42\r\n", tracking => "+OK\r\n",
                     subscribe => $subscribed }->{$name};

            ref $reply ? $reply->($c) || return : $c->send($reply);
        }
    });
}

my $unknown = "-ERR unknown command\r\n";

my %server = (

    # those that do not report changes
    old => server(id => $unknown, subscribe => $subscribed),
    older => server(id => $unknown, subscribe => $unknown),
    proxy => server(tracking => $unknown),
    closes => server(id => sub { }),
    resets => server(id => sub { $_[0]->reset; undef }),
    hangs => server(id => sub { $_[0]->hang }),
    closes_first => server(tracking => sub { }),
    odd => server(id => "+OK\r\n"),
    nothing => server(tracking => "\$-1\r\n"),

    # garbage after the subscription
    garbage => server(subscribe => sub { $_[0]->send("${subscribed}HTTP/1.1\r\n") }),
    large => server(subscribe => sub {
        $_[0]->send("$subscribed*1000000000\r\n")
    }),
    other => server(subscribe => sub {
        $_[0]->send($subscribed . "+x\r\n:1\r\n*0\r\n" . report(':1')
            . report('*1' . "\r\n:1") . report("*1\r\n\$1\r\nx"))
    }),
    flood => server(subscribe => sub {
        my ($c) = @_;
        $c->send($subscribed) or return;
        for (1 .. 100) {
            $c->send(report("*1\r\n\$1\r\nk") x 20) or return;
            select undef, undef, undef, 0.01;
        }
        $c->hang;
    }),
);

# one that does

my $good = server(subscribe => sub {
    my ($c) = @_;
    $c->send($subscribed);
    select undef, undef, undef, 0.01 until $c->word;
    $c->send_slowly(report("*1\r\n\$1\r\nk"), 0.001);
    select undef, undef, undef, 0.01 until $c->word eq 'all';
    $c->send(report('*-1'));
    $c->hang;
});

my $checks = join "\n", map {
    'check redis redis://127.0.0.1:' . $server{$_}->port . " name=$_ key=k;"
} sort keys %server;

$t->run(http => <<"CONF");

    init_checks app {
        interval 50ms;
        backoff 50ms;
        timeout 1m;

        check file %%DIR%%/never  name=never;
        check redis redis://127.0.0.1:@{[$good->port]}  name=good  key=k
                                                        interval=1h;
        $checks
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }

CONF

my @names = sort keys %server;

probed($t, $_) for (@names) x 5;

is(join(' ', grep { $_ ne 'waiting' } map { $_->[0] }
    @{$t->check($_)->{recent}}), '', "$_: no other verdicts") for @names;

# it is tried once in the life of a connection, which is 30 seconds

for my $name (qw(old older proxy closes resets hangs odd nothing)) {
    cmp_ok($server{$name}->connections, '<=', 2 + 2 * int((time - $^T) / 29),
        "$name: two connections");
}

$t->wait_log(qr/polled: "ERR unknown command"/, 3);

# reports that have no reason

$t->wait_log(qr/does not report changes of keys, they are polled: ""/);
$t->wait_for(sub { $server{flood}->established == 1 },
    'the subscriber to be closed');
pass('flood: subscriber closed');

# reports of the key, and of all keys

for my $word ('', 'go', 'all') {
    my $attempts = $t->check('good')->{attempts};

    $good->set($word) if $word;
    $t->wait_for(sub { $t->check('good')->{attempts} > $attempts
        || !$word && $attempts > 1 }, "a probe after the report '$word'");
}

pass('good: probed after each report');

done_testing;
