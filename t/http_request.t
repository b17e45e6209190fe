#!/usr/bin/perl

# http and the trigger: methods, bodies and tokens, also from files.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;

my $t = InitGate->new(quit => 2, workers => 1);
my $dir = $t->dir;

# returns the request as JSON, without quotes and newlines

my $peer = InitGate::Fake->new(sub {
    my ($c) = @_;

    while (defined(my $head = $c->read_until(qr/\r\n\r\n/))) {
        my ($length) = $head =~ /^Content-Length: (\d+)\r$/mi;
        my $body = $length ? $c->read_bytes($length) : '';
        my ($line) = $head =~ /^(.*?)\r\n/;
        my ($type) = $head =~ /^Content-Type: (.*)\r$/m;
        my ($token) = $head =~ /^Authorization: (.*)\r$/m;

        my $said = join '|', $line, $length // 'none', $type // 'none',
            $body, $token // 'none';
        $said =~ s/(["\\])/\\$1/g;
        $said =~ s/\n/\\n/g;
        $said = '{"said":"' . substr($said, 0, 500) . '"}';

        $c->send("HTTP/1.1 200 OK\r\nContent-Length: " . length($said)
            . "\r\n\r\n$said") or return;
    }
});

my $url = 'http://127.0.0.1:' . $peer->port;

my %trigger = map { $_ => InitGate::Fake->new(sub {
    my ($c) = @_;
    my $head = $c->read_until(qr/\r\n\r\n/) // return;
    $c->read_bytes($1) if $head =~ /^Content-Length: (\d+)\r$/m;
    my $said = $c->word || '{"errors":1}';
    $c->send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "
        . length($said) . "\r\n\r\n$said");
}) } qw(body token);

$trigger{kept} = InitGate::Fake->http(200, keepalive => 1);

$t->write('body.json', "{\"a\": \"b\"}\n");
$t->write('empty', '');
$t->write('large', 'x' x 65536);
$t->write('largest', 'x' x 65535);
$t->write('token', "t0ken-one\n");
$t->write('lines', "t0ken\r\nX-Injected: yes\n");
$t->write('spaces', "t0ken t0ken\n");
$t->write('nothing', "\n");

# as Kubernetes mounts a token

mkdir "$dir/v1";
$t->write('v1/token', 'bound-one');
symlink 'v1', "$dir/data" or die $!;
symlink 'data/token', "$dir/mounted" or die $!;

# the request at the peer; verdict; message

my %case = (
    get => ['', 'GET / HTTP/1.1|none|none||none'],
    post => ['method=POST', 'POST / HTTP/1.1|0|none||none'],
    put => ['method=PUT', 'PUT / HTTP/1.1|0|none||none'],
    delete => ['method=DELETE', 'DELETE / HTTP/1.1|0|none||none'],
    extension => ['method=X-Do', 'X-Do / HTTP/1.1|0|none||none'],
    body => [q('body={"a b":[1]}'),
        'POST / HTTP/1.1|11|application/json|{\"a b\":[1]}|none'],
    get_body => ['"body={}" method=GET',
        'GET / HTTP/1.1|2|application/json|{}|none'],
    typed => ['body=a=1&b=2 '
        . '"header=Content-Type: application/x-www-form-urlencoded"',
        'POST / HTTP/1.1|7|application/x-www-form-urlencoded|a=1&b=2|none'],
    content => ["body_file=$dir/body.json",
        'POST / HTTP/1.1|11|application/json|{\"a\": \"b\"}\n|none'],
    relative => ['body_file=body.json',
        'POST / HTTP/1.1|11|application/json|{\"a\": \"b\"}\n|none'],
    empty => ["body_file=$dir/empty",
        'POST / HTTP/1.1|0|application/json||none'],
    user => ['body=x', 'POST / HTTP/1.1|1|application/json|x|'
        . 'Basic dXNlcjpzM2NyZXQ='],
    token => ["token_file=$dir/token",
        'GET / HTTP/1.1|none|none||Bearer t0ken-one'],
    mounted => ["token_file=$dir/mounted",
        'GET / HTTP/1.1|none|none||Bearer bound-one'],
    both => ["token_file=$dir/token body=x",
        'POST / HTTP/1.1|1|application/json|x|Bearer t0ken-one'],
    all => ["token_file=$dir/token body_file=$dir/body.json method=PATCH",
        'PATCH / HTTP/1.1|11|application/json|{\"a\": \"b\"}\n|'
        . 'Bearer t0ken-one'],
);

my %error = (
    large => ["body_file=$dir/large", 'error io',
        qr/^"\S+\/large" has 65536 bytes or more$/],
    no_body => ["body_file=$dir/none", 'error io',
        qr/^open\(\) "\S+\/none" failed \(2: No such file/],
    directory => ["body_file=$dir", 'error io', qr/is not a file$/],
    no_token => ["token_file=$dir/none", 'error no_secret',
        qr/^open\(\) "\S+\/none" failed \(2: No such file/],
    nothing => ["token_file=$dir/nothing", 'error no_secret',
        qr/\/nothing" is empty$/],
    lines => ["token_file=$dir/lines", 'error no_secret',
        qr/\/lines" holds an invalid character for a token$/],
    spaces => ["token_file=$dir/spaces", 'error no_secret',
        qr/\/spaces" holds an invalid character for a token$/],
);

sub quoted { quotemeta $_[0] =~ s/\\"/"/gr =~ s/\\n/\n/gr }

my $checks = '';

for my $name (sort keys %case) {
    my ($words, $said) = @{$case{$name}};
    my $at = $name eq 'user' ? $url =~ s{//}{//user:s3cret@}r : $url;

    # the expression is a word of the configuration
    my $regex = quoted($said) =~ s/\\\n/\\n/gr;
    $regex =~ s/(["\\])/\\$1/g;

    $checks .= "check http $at $words name=$name json=/said "
        . "\"match=^$regex\$\";\n";
}

$checks .= "check http $url $error{$_}[0] name=$_;\n" for sort keys %error;
$checks .= "check http $url body_file=$dir/largest name=largest;\n";

$t->run(http => <<"CONF");
    init_checks app {
$checks
        interval 100ms;
        backoff 100ms;
        timeout 1m;
    }

    init_checks body {
        check file /no/such/file;
        trigger http://127.0.0.1:@{[$trigger{body}->port]}/begin
            body_file=$dir/body.json json=/errors value=0;
        backoff 100ms;
    }

    init_checks token {
        check file /no/such/file;
        trigger http://127.0.0.1:@{[$trigger{token}->port]}/begin
            token_file=$dir/token method=PUT;
        backoff 100ms;
    }

    init_checks kept {
        check file /no/such/file;
        trigger http://127.0.0.1:@{[$trigger{kept}->port]}/begin;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

verdicts($t, (map { [$_, 'passed'] } sort keys %case), ['largest', 'passed'],
    map { [$_, @{$error{$_}}[1, 2]] } sort keys %error);

unlike($peer->received, qr/X-Injected/, 'token with lines: not sent');

# changed files are used by the next request, over a kept connection

my $connections = $peer->connections;

$t->write('token', 't0ken-two');
settles($t, 'token', 'waiting mismatch', qr/^the body repeats a header/);
$t->wait_for(sub { $peer->received =~ /Bearer t0ken-two/ }, 'the new token');
$t->write('body.json', '{"a": "c"}');
settles($t, 'content', 'waiting mismatch', qr/"a": "c"/);

mkdir "$dir/v2";
$t->write('v2/token', 'bound-two');
symlink 'v2', "$dir/data.new" or die $!;
rename "$dir/data.new", "$dir/data" or die $!;
ok($t->wait_for(sub { $peer->received =~ /Bearer bound-two/ }, 'the new mount'),
    'token behind another symlink: sent');

$t->remove('token');
settles($t, 'token', 'error no_secret');
$t->write('token', 't0ken-one');
settles($t, 'token', 'passed');

# triggers

$t->wait_for(sub { $t->gate('token')->{trigger}{state} eq 'succeeded' },
    'the trigger with a token');
like($trigger{token}->received,
    qr{^PUT /begin HTTP/1\.1\r\n.*^Authorization: Bearer t0ken-one\r$}ms,
    'trigger, token: sent');

$t->wait_for(sub { $t->gate('body')->{trigger}{attempts} > 2 }, 'attempts');
my $state = $t->gate('body')->{trigger};
is($state->{state}, 'retrying', 'trigger, errors in the body: retrying');
like($state->{message}, qr{^"/errors" is "1", not "0"$},
    'trigger, errors in the body: message');

$trigger{body}->set('{"errors":0}');
ok($t->wait_for(sub {
    $t->gate('body')->{trigger}{state} eq 'succeeded' }, 'success'),
    'trigger, no errors in the body: succeeded');
like($trigger{body}->received, qr/\r\n\r\n\{"a": "b"\}\n/,
    'trigger, body: sent');

$t->wait_for(sub { $t->gate('kept')->{trigger}{state} eq 'succeeded' },
    'the trigger without a body');
ok($t->wait_for(sub { $trigger{kept}->established == 0 }, 'no connection'),
    'trigger, succeeded: connection closed');

# invalid configurations

my %wrong = (
    'method=post' => qr/"method", it must be a method in capital letters/,
    'method=CONNECT' => qr/"method"/,
    'method=HEAD body=x' => qr/"body" conflicts with "method=HEAD"/,
    "method=HEAD body_file=$dir/token" =>
        qr/"body_file" conflicts with "method=HEAD"/,
    "body=x body_file=$dir/token" => qr/"body" conflicts with "body_file"/,
    "token_file=$dir/token header=Authorization:x" =>
        qr/"token_file" conflicts with "header=Authorization:"/,
    'body=' => qr/"body" needs a value/,
    'header=Content-Length:1' => qr/not allowed/,
);

for my $words (sort keys %wrong) {
    my ($status, $said) =
        $t->conf_error("init_checks app { check http http://x/ $words; }");

    isnt($status, 0, "refused: $words");
    like($said, $wrong{$words}, "message: $words");
}

my ($status, $said) = $t->conf_error("init_checks app { check http "
    . "http://u\@x/ token_file=$dir/token; }");
like($said, qr/"token_file" conflicts with the user in the URL/,
    'user and token: refused');

($status, $said) = $t->conf_error("init_checks app { check http "
    . "http://x/ token_file=$dir/none body_file=$dir/none; }");
is($status, 0, 'missing files: valid');
like($said, qr/"token_file=\S+none": there is no such file/,
    'missing token: warned');
like($said, qr/"body_file=\S+none": there is no such file/,
    'missing body: warned');

done_testing;
