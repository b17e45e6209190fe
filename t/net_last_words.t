#!/usr/bin/perl

# A server that sends the reason and closes the connection before it receives
# data: send() fails, and the reason is in the verdict.

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

$t->redis("tls-port $port", "tls-cert-file $certificate",
    "tls-key-file $key", "tls-ca-cert-file $client", 'tls-auth-clients yes');

sub sends {
    my ($name, $text) = @_;

    return InitGate::Fake->new(sub { $_[0]->send($text) },
        unix => "$dir/$name.sock");
}

my @fakes = (
    sends('greets', "421 busy\r\n"),
    sends('http', "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
    sends('redis', "-ERR max number of clients reached\r\n"),
    sends('silent', ''),
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

# each attempt to send is delayed

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
cmp_ok($failed, '>', 4, 'send(): failed with EPIPE');

done_testing;
