#!/usr/bin/perl

# http: one connection for many probes, and what becomes of it when the other
# side has another opinion.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use Time::HiRes qw(sleep);

my $t = InitGate->new(quit => 2, workers => 1);

my $ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

my %peer = (

    # answers as long as it is asked
    kept => sub {
        my ($c) = @_;
        $c->send($ok) while $c->read_until(qr/\r\n\r\n/);
    },

    # the body comes when the verdict has long been known
    late => sub {
        my ($c) = @_;
        while ($c->read_until(qr/\r\n\r\n/)) {
            $c->send(substr $ok, 0, -5);
            sleep 0.02;
            $c->send('hello');
        }
    },

    chunked => sub {
        my ($c) = @_;
        while ($c->read_until(qr/\r\n\r\n/)) {
            $c->send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                . "5\r\nhello\r\n");
            sleep 0.02;
            $c->send("0\r\n\r\n");
        }
    },

    old_kept => sub {
        my ($c) = @_;
        $c->send("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n"
            . "Content-Length: 5\r\n\r\nhello")
            while $c->read_until(qr/\r\n\r\n/);
    },

    # what it tells is the length of what has not been modified
    bodiless => sub {
        my ($c) = @_;
        $c->send("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n")
            while $c->read_until(qr/\r\n\r\n/);
    },

    # does not want to be kept
    close => sub {
        my ($c) = @_;
        $c->send($ok =~ s/Content/Connection: x, close\r\nContent/r)
            while $c->read_until(qr/\r\n\r\n/);
    },

    old => sub {
        my ($c) = @_;
        $c->send($ok =~ s/1\.1/1.0/r) while $c->read_until(qr/\r\n\r\n/);
    },

    # closes once it is idle
    idle => sub {
        my ($c) = @_;
        $c->read_until(qr/\r\n\r\n/) or return;
        $c->send($ok);
        sleep 0.02;
    },

    # says something that nobody asked for, such as 408, and closes
    talks => sub {
        my ($c) = @_;
        $c->read_until(qr/\r\n\r\n/) or return;
        $c->send($ok);
        sleep 0.02;
        $c->send("HTTP/1.1 408 Request Timeout\r\n\r\n");
    },

    # the same, and the next request crosses it
    crosses => sub {
        my ($c) = @_;
        $c->read_until(qr/\r\n\r\n/) or return;
        $c->send($ok);
        $c->read_until(qr/\r\n\r\n/) or return;
        $c->send("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n");
    },

    # closes, or resets, just when the next request comes
    closes => sub {
        my ($c) = @_;
        $c->read_until(qr/\r\n\r\n/) or return;
        $c->send($ok);
        $c->read_until(qr/\r\n\r\n/);
    },

    resets => sub {
        my ($c) = @_;
        $c->read_until(qr/\r\n\r\n/) or return;
        $c->send($ok);
        $c->read_until(qr/\r\n\r\n/);
        $c->reset;
    },

    # does so also with a new connection, from the second one on
    refuses => sub {
        my ($c) = @_;
        $c->read_until(qr/\r\n\r\n/) or return;
        $c->send($ok) if $c->number == 1;
        $c->read_until(qr/\r\n\r\n/) if $c->number == 1;
    },
);

my %fake = map { $_ => InitGate::Fake->new($peer{$_}) } keys %peer;

my %expects = (late => '', chunked => '', bodiless => 'status=304');

my $checks = join "\n", map {
    'check http http://127.0.0.1:' . $fake{$_}->port . "/ name=$_ "
    . ($expects{$_} // 'match=hello') . ';'
} sort keys %peer;

$t->run(http => <<"CONF");
    init_checks app {
$checks
        check file /no/such/file name=never;
        interval 100ms;
        backoff 100ms;
        timeout 2s;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
    }
CONF

my $all = sub {
    return { map { $_->{name} => $_ }
        @{$t->json('/init')->{gates}[0]{checks}} };
};

$t->wait_for(sub {
    my $now = $all->();
    return !grep { $now->{$_}{attempts} < 12 } keys %peer;
}, 'a dozen probes of each', 10);

my $now = $all->();

for my $name (sort keys %peer) {
    next if $name eq 'refuses';

    my @verdicts = map { $_->[0] } @{$now->{$name}{recent}};
    my @other = grep { $_ ne 'passed' } @verdicts;

    cmp_ok(@verdicts, '>=', 12, "$name was asked often");
    is("@other", '', "$name passed each time");
}

for my $name (qw(kept old_kept bodiless)) {
    is($fake{$name}->connections, 1, "$name: one connection");
}

# on a busy machine the end may come later than the next probe

for my $name (qw(late chunked)) {
    cmp_ok($fake{$name}->connections, '<=', $now->{$name}{attempts} / 2,
        "$name: few connections");
}

for my $name (qw(close old idle talks)) {
    my $connections = $fake{$name}->connections;
    my @requests = $fake{$name}->received =~ /^GET /mg;

    cmp_ok($connections, '>=', 12, "$name: many connections");
    cmp_ok(abs(@requests - $connections), '<=', 1, 'one request each');
}

for my $name (qw(closes resets crosses)) {
    my $connections = $fake{$name}->connections;
    my @requests = $fake{$name}->received =~ /^GET /mg;

    cmp_ok($connections, '>=', 12, "$name: many connections");
    cmp_ok(@requests, '>', $connections * 1.5,
        'the request was sent again over a new one');
}

# once

my $got = $now->{refuses};
is("$got->{verdict} $got->{reason}", 'error reset', 'refuses: error');
like($got->{message}, qr/without an answer/, 'and why');
is($got->{recent}[0][0], 'passed', 'after having passed');

my $connections = $fake{refuses}->connections;
$now = $all->();
cmp_ok($connections, '<=', $now->{refuses}{attempts} + 2,
    'a new connection is tried once');

done_testing;
