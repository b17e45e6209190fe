#!/usr/bin/perl

# http: one connection for many probes, and peers that close it.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use Time::HiRes qw(sleep);

my $t = InitGate->new(quit => 2, workers => 1);

my $ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

my %peer = (

    # responds to any number of requests
    kept => sub {
        my ($c) = @_;
        $c->send($ok) while $c->read_until(qr/\r\n\r\n/);
    },

    # the body comes after the verdict
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

    # the length is that of the unmodified resource
    bodiless => sub {
        my ($c) = @_;
        $c->send("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n")
            while $c->read_until(qr/\r\n\r\n/);
    },

    # must not be kept
    close => sub {
        my ($c) = @_;
        $c->send($ok =~ s/Content/Connection: x, close\r\nContent/r)
            while $c->read_until(qr/\r\n\r\n/);
    },

    old => sub {
        my ($c) = @_;
        $c->send($ok =~ s/1\.1/1.0/r) while $c->read_until(qr/\r\n\r\n/);
    },

    # closes an idle connection
    idle => sub {
        my ($c) = @_;
        $c->read_until(qr/\r\n\r\n/) or return;
        $c->send($ok);
        sleep 0.02;
    },

    # sends a response without a request, such as 408, and closes
    talks => sub {
        my ($c) = @_;
        $c->read_until(qr/\r\n\r\n/) or return;
        $c->send($ok);
        sleep 0.02;
        $c->send("HTTP/1.1 408 Request Timeout\r\n\r\n");
    },

    # the same, at the time of the next request
    crosses => sub {
        my ($c) = @_;
        $c->read_until(qr/\r\n\r\n/) or return;
        $c->send($ok);
        $c->read_until(qr/\r\n\r\n/) or return;
        $c->send("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n");
    },

    # closes, or resets, at the next request
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

    # closes new connections, too, from the second one on
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
        timeout 1m;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
    }
CONF

my $all = sub {
    return { map { $_->{name} => $_ }
        @{$t->gate->{checks}} };
};

$t->wait_for(sub {
    my $now = $all->();
    return !grep { $now->{$_}{attempts} < 12 } keys %peer;
}, 'a dozen probes of each');

my $now = $all->();

for my $name (sort keys %peer) {
    next if $name eq 'refuses';

    my @verdicts = map { $_->[0] } @{$now->{$name}{recent}};
    my @other = grep { $_ ne 'passed' } @verdicts;

    cmp_ok(@verdicts, '>=', 12, "$name: many probes");
    is("@other", '', "$name: no other verdicts");
}

for my $name (qw(kept old_kept bodiless)) {
    is($fake{$name}->connections, 1, "$name: one connection");
}

# on a busy machine the end of a response may come after the next probe

for my $name (qw(late chunked)) {
    my ($attempts, $connections) = (0, 0);

    ok($t->wait_for(sub {
        my $more = $all->()->{$name}{attempts} - $attempts;
        return if $more < 6;
        return 1 if $fake{$name}->connections - $connections <= $more / 2;

        $connections = $fake{$name}->connections;
        $attempts += $more;
        return;
    }, 'probes over one connection'), "$name: fewer connections than probes");
}

for my $name (qw(close old idle talks)) {
    my $connections = $fake{$name}->connections;
    my @requests = $fake{$name}->received =~ /^GET /mg;

    cmp_ok($connections, '>=', 12, "$name: many connections");
    cmp_ok(abs(@requests - $connections), '<=', 1,
        "$name: one request per connection");
}

for my $name (qw(closes resets crosses)) {
    my $connections = $fake{$name}->connections;
    my @requests = $fake{$name}->received =~ /^GET /mg;

    cmp_ok($connections, '>=', 12, "$name: many connections");
    cmp_ok(@requests, '>', $connections * 1.5,
        "$name: request sent again over a new connection");
}

# only once

my $got = $now->{refuses};
is("$got->{verdict} $got->{reason}", 'error reset', 'refuses: error reset');
like($got->{message}, qr/without a response/, 'refuses: message');
is($got->{recent}[0][0], 'passed', 'refuses, first probe: passed');

my $connections = $fake{refuses}->connections;
$now = $all->();
cmp_ok($connections, '<=', $now->{refuses}{attempts} + 2,
    'refuses: one new connection per probe');

done_testing;
