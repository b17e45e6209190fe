#!/usr/bin/perl

# A server that says why it closes a connection, and closes it before it is
# sent anything: the attempt to send fails, and what it said counts.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;
use InitGate::Strace;

plan_traced();

my $t = InitGate->new(workers => 1, level => 'error');
my $dir = $t->dir;
my $limit = patience(10);

my ($certificate, $key) = $t->certificate('127.0.0.1');
my ($client) = $t->certificate('client');

my $port = $t->port('redis');

$t->redis(conf => {
    'tls-port' => $port, 'tls-cert-file' => $certificate,
    'tls-key-file' => $key, 'tls-ca-cert-file' => $client,
    'tls-auth-clients' => 'yes',
});

sub says {
    my ($name, $text) = @_;

    return InitGate::Fake->new(sub { $_[0]->send($text) },
        unix => "$dir/$name.sock");
}

my @fakes = (
    says('greets', "421 busy\r\n"),
    says('http', "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
    says('redis', "-ERR max number of clients reached\r\n"),
    says('silent', ''),
);

$t->run(http => <<"CONF");
    init_checks app {
        check file %%DIR%%/never  name=never;

        check tcp unix:$dir/greets.sock  name=greets  send=a  contains=busy;
        check http http://unix:$dir/http.sock:/  name=http;
        check redis unix:$dir/redis.sock  name=redis;
        check tcp unix:$dir/silent.sock  name=silent  send=a  contains=busy;
        check redis rediss://:pw\@127.0.0.1:$port  name=rediss
                    ca=$certificate;

        interval 100ms;
        backoff 100ms;
        timeout ${limit}s;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

# each attempt to send comes late

injected($t, ['-e', 'trace=sendto,write', '-e',
    'inject=sendto,write:delay_enter=150000'], sub
{
    verdict($t, 'greets', 'passed');
    verdict($t, 'http', 'waiting bad_status', qr/HTTP 503/);
    verdict($t, 'redis', 'error too_many_connections');
    verdict($t, 'silent', 'error reset', qr/send\(\) failed|sent nothing/);
    verdict($t, 'rediss', 'error tls', qr/alert certificate required/);
});

my $calls = $t->read('strace');
my $failed = () = $calls =~ /EPIPE/g;
cmp_ok($failed, '>', 4, 'attempts to send have failed');

done_testing;
