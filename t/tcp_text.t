#!/usr/bin/perl

# tcp: the text that a server sends, by itself or in response to another one.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;
use Time::HiRes qw(sleep);

# the lines of the documentation

my %documented;

{
    local @ARGV = "$FindBin::Bin/../docs/checks/tcp.md";

    while (<>) {
        $documented{$2} = [$1, $3]
            if /^check tcp (\S+)  name=(\w+)  (.*;)$/;
    }
}

sub documented {
    my ($name, $port) = @_;

    my ($target, $words) = @{$documented{$name} // die "no $name in tcp.md"};

    return "check tcp 127.0.0.1:$port  name=$name  $words";
}

my $t = InitGate->new(quit => 2, workers => 1);
my $limit = patience(5);
my $short = patience(700);

my ($certificate, $key) = $t->certificate('localhost');

# SMTP servers, the second one not ready

my $smtp = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->send('220-mail.example ');
    sleep 0.1;
    $c->send("ESMTP\r\n220 ready\r\n");
    $c->read_until(qr/^EHLO \S+\r\n/m) or return;
    $c->send("250-mail.example\r\n250 PIPELINING\r\n");
    $c->hang;
})->port;

my $busy = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->send("421 starting up\r\n");
    $c->hang if $c->word eq 'stay';
});

my ($busy_port, $stay) = ($busy->port, InitGate::Fake->new(sub {
    $_[0]->send("421 starting up\r\n");
    $_[0]->hang;
})->port);

# ZooKeeper sends one response and closes

my $zookeeper = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until(qr/^ruok\z/) or return;
    $c->send($c->word || 'This instance is not currently serving requests');
});

# responds with the received bytes in hexadecimal

my $echo = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->send(unpack('H*', $c->read_until(qr/!\z/) // return));
    $c->hang;
})->port;

my $zeros = InitGate::Fake->new(sub { $_[0]->send("a\0b\xff\r\n\t\\");
                                      $_[0]->hang })->port;

my %trouble = (
    flood => sub { my ($c) = @_;
                   sleep 0.01 while $c->send('x' x 65536) },
    flood_after => sub { my ($c) = @_;
                         $c->send('ready');
                         sleep 0.01 while $c->send('x' x 65536) },
    late_in_flood => sub { $_[0]->send('x' x 65532 . 'ready'); $_[0]->hang },
    drip => sub { my ($c) = @_;
                  $c->send('x') && sleep 0.005 for 1 .. 20;
                  $c->send_slowly('ready', 0.005);
                  $c->hang },
    silent => sub { $_[0]->hang },
    closes => sub { },
    resets => sub { $_[0]->reset },
    resets_after => sub { $_[0]->send('starting'); sleep 0.1; $_[0]->reset },
    matches_and_resets => sub { $_[0]->send('ready'); sleep 0.1;
                                $_[0]->reset },
    steps => sub { $_[0]->send('a' x 30000 . 'b'); $_[0]->hang },
);

my %fake = map { $_ => InitGate::Fake->new($trouble{$_})->port } keys %trouble;

my $secure = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until(qr/\?/) or return;
    $c->send('yes');
    $c->hang;
}, tls => [$certificate, $key])->port;

my $zookeeper_port = $zookeeper->port;

$t->run(http => <<"CONF");
    init_checks app {
        check file %%DIR%%/never  name=never;

        @{[documented('smtp', $smtp)]}
        check tcp 127.0.0.1:$smtp  name=ehlo  "send=EHLO gate\\r\\n"
                  "match=(?m)^250 PIPELINING\\r?\$";
        check tcp 127.0.0.1:$smtp  name=both  contains=ESMTP  "match=ready";
        check tcp 127.0.0.1:$smtp  name=not_both  contains=ESMTP
                  match=never  timeout=${short}ms;

        check tcp 127.0.0.1:$busy_port  name=busy  "match=^220 ";
        check tcp 127.0.0.1:$stay  name=stays  "match=^220 "
                  timeout=${short}ms;

        @{[documented('zookeeper', $zookeeper_port)]}

        check tcp 127.0.0.1:$echo  name=escapes
                  "send=a\\r\\n\\t\\0\\x7F\\xff\\\\\\\\x41 !"
                  contains=610d0a09007fff5c7834312021;
        check tcp 127.0.0.1:$zeros  name=binary
                  "contains=\\0b\\xFf\\r\\n\\t\\\\\\\\";
        check tcp 127.0.0.1:$zeros  name=expression
                  "match=^a\\0b\\xff\\r\\n\\t\\\\\\\\\$";

        check tcp localhost:$secure  name=secure  tls  ca=$certificate
                  send=ready?  contains=yes;

        check tcp 127.0.0.1:$fake{flood}  name=flood  contains=ready;
        check tcp 127.0.0.1:$fake{flood_after}  name=flood_after
                  contains=ready;
        check tcp 127.0.0.1:$fake{late_in_flood}  name=late_in_flood
                  contains=ready;
        check tcp 127.0.0.1:$fake{drip}  name=drip  contains=ready;
        check tcp 127.0.0.1:$fake{silent}  name=silent  contains=ready
                  timeout=${short}ms;
        check tcp 127.0.0.1:$fake{closes}  name=closes  contains=ready;
        check tcp 127.0.0.1:$fake{resets}  name=resets  contains=ready;
        check tcp 127.0.0.1:$fake{resets_after}  name=resets_after
                  contains=ready;
        check tcp 127.0.0.1:$fake{matches_and_resets}
                  name=matches_and_resets  contains=ready;
        check tcp 127.0.0.1:$fake{steps}  name=steps  "match=(a+)+c"
                  timeout=${short}ms;

        interval 500ms;
        backoff 500ms;
        timeout ${limit}s;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

settles($t, $_, 'passed') for qw(smtp ehlo both escapes binary expression
    secure flood_after drip matches_and_resets);

settles($t, 'not_both', 'waiting mismatch', qr/bytes\) does not match/);
settles($t, 'busy', 'waiting mismatch', qr/\b17 bytes\b.*does not match/);
settles($t, 'stays', 'waiting mismatch', qr/\b17 bytes\b/);
settles($t, 'flood', 'waiting mismatch', qr/\b65536 bytes or more/);
settles($t, 'late_in_flood', 'waiting mismatch', qr/\b65536 bytes or more/);

settles($t, 'silent', 'error timeout', qr/waiting for the text/);
settles($t, 'closes', 'error reset', qr/sent nothing/);
settles($t, 'resets', 'error reset');
settles($t, 'resets_after', 'error reset');
settles($t, 'steps', qr/^error timeout|^waiting mismatch/);

settles($t, 'zookeeper', 'waiting mismatch');
$zookeeper->set('imok');
settles($t, 'zookeeper', 'passed');

# the text sent

is($zookeeper->received(1), 'ruok', 'with send=: sent as it is');
is($busy->received, '', 'without send=: nothing is sent');

# a real server

my $owner = $$;
my $pid;

SKIP: {
    my ($memcached) = grep { -x } map { "$_/memcached" } split /:/, $ENV{PATH};
    skip 'no memcached', 3 if !$memcached;

    my $port = $t->port(11211);

    my $t2 = InitGate->new(quit => 2);
    $t2->run(http => <<"CONF");
    init_checks app {
        @{[documented('memcached', $port)]}
        interval 50ms;
    }

    init_checks other {
        @{[documented('warm', $port)]}
        timeout ${short}ms;
        interval 50ms;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

    settles($t2, 'memcached', 'error refused');

    $pid = fork // die "fork: $!";

    if ($pid == 0) {
        exec $memcached, '-u', (getpwuid $>)[0], '-l', '127.0.0.1', '-p',
            $port, '-U', 0, '-t', 1, '-m', 8;
    }

    $t2->wait_for(sub { $t2->get('/')->{status} == 200 }, 'memcached');
    settles($t2, 'warm', 'waiting mismatch', qr/\b5 bytes/);

    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
    print $socket "set warm 0 0 3\r\nyes\r\n";
    like(scalar <$socket>, qr/STORED/, 'memcached: value stored');
    settles($t2, 'warm', 'passed');

}

# errors of nginx -t

my %wrong = (
    '"send=a"' => qr/"send" needs "contains" or "match" in check "tcp"/,
    '"send=a\\q" contains=a' => qr/invalid escape in parameter "send"/,
    '"send=a\\x4" contains=a' => qr/invalid escape in parameter "send"/,
    '"send=a\\x4g" contains=a' => qr/invalid escape in parameter "send"/,
    '"send=secret\\\\" contains=a' => qr/escape in parameter "send", it must/,
    '"contains=a\\y"' => qr/invalid escape in parameter "contains"/,
    'contains=' => qr/"contains" needs a value/,
    'send= match=a' => qr/"send" needs a value/,
    '"match=(a"' => qr/invalid value of parameter "match"/,
    'contains=a contains=b' => qr/duplicate parameter "contains"/,
);

for my $words (sort keys %wrong) {
    my ($status, $said) =
        $t->conf_error("init_checks app { check tcp 127.0.0.1:1 $words; }");

    isnt($status, 0, "$words: refused");
    like($said, $wrong{$words}, "$words: message");
    unlike($said, qr/secret/, "$words: the text is not in the message");
}

done_testing;


END {
    if ($$ == $owner && $pid) {
        local $?;
        kill 'TERM', $pid;
        waitpid $pid, 0;
    }
}
