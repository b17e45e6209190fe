#!/usr/bin/perl

# trigger: the request, and which responses are a success.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;

my $t = InitGate->new(quit => 2);


sub responds {
    my (@answers) = @_;

    return InitGate::Fake->new(sub {
        my ($c) = @_;

        my $answer = $answers[$c->number - 1] // $answers[-1];

        $c->read_until(qr/\r\n\r\n/) or return;
        $c->send("HTTP/1.1 $answer\r\nConnection: close\r\n"
            . "Content-Length: 0\r\n\r\n");
    });
}

my %fake = (
    plain => responds('202 Accepted'),
    words => responds('204 No Content'),
    again => responds('503 Not Yet', '302 Elsewhere', '404 No', '200 OK'),
    never => responds('500 No'),
    garbage => InitGate::Fake->new(sub { $_[0]->read_until(qr/\r\n\r\n/);
                                         $_[0]->send("garbage\n") }),
);

my %words = (
    words => 'method=PURGE-it "header=Authorization: Bearer t0ken"'
             . ' "header=Content-Type: application/json" host=app.example',
);

my $gates = join "\n", map {
    my $url = 'http://127.0.0.1:' . $fake{$_}->port . '/begin?x=1';
    my $words = $words{$_} // '';
    "init_checks $_ {
        check file /no/such/file;
        trigger $url $words;
        backoff 100ms;
    }"
} sort keys %fake;

my $demand = responds('200 OK');
my $demand_port = $demand->port;

$t->run(http => <<"CONF");
$gates
    init_checks demand {
        check file /no/such/file;
        interval 50ms;
        trigger http://127.0.0.1:$demand_port/begin on=request;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
        location = /ready { init_ready demand; }
        location = /demand { init_gate demand;  empty_gif; }
    }
CONF

my $trigger = sub {
    my ($name) = @_;

    return $t->gate($name)->{trigger} // {};
};

for my $name (qw(plain words again)) {
    $t->wait_for(sub { $trigger->($name)->{state} eq 'succeeded' }, $name);
    is($trigger->($name)->{state}, 'succeeded', "$name: succeeded");
}

my $plain = $fake{plain}->received;

like($plain, qr{^POST /begin\?x=1 HTTP/1\.1\r\n}, 'plain: POST');
like($plain, qr{^Host: 127\.0\.0\.1:\d+\r\n}m, 'plain: Host');
like($plain, qr{^Content-Length: 0\r\n}m, 'plain: no body');
like($plain, qr{^User-Agent: nginx-init-gate/}m, 'plain: User-Agent');

my $words = $fake{words}->received;

like($words, qr{^PURGE-it /begin}, 'words: method');
like($words, qr{^Authorization: Bearer t0ken\r\n}m, 'words: header');
like($words, qr{^Content-Type: application/json\r\n}m, 'words: second header');
like($words, qr{^Host: app\.example\r\n}m, 'words: Host');

is($trigger->('plain')->{attempts}, 1, 'plain: one attempt');
is($fake{plain}->connections, 1, 'plain: one request');
is($trigger->('again')->{attempts}, 4, 'again: attempts until a 2xx');
is($fake{again}->connections, 4, 'again: requests until a 2xx');

$t->wait_for(sub { $trigger->('never')->{attempts} > 2 }, 'attempts');
is($trigger->('never')->{state}, 'retrying', 'never: retrying');
like($trigger->('never')->{message}, qr/^HTTP 500$/,
    'never: message');

$t->wait_for(sub { $trigger->('garbage')->{attempts} > 1 }, 'attempts');
is($trigger->('garbage')->{state}, 'retrying', 'garbage: retrying');
like($trigger->('garbage')->{message}, qr/not HTTP/, 'garbage: message');

# on=request: not sent before a request reaches the closed gate, in any worker

my $attempts = $t->gate('demand')->{checks}[0]{attempts};
$t->wait_for(sub { $t->gate('demand')->{checks}[0]{attempts} > $attempts + 3 },
    'a few probes');
is($t->get('/ready')->{status}, 503, 'on=request, readiness probe: 503');
is($trigger->('demand')->{state}, 'idle', 'on=request, no request: idle');
is($trigger->('demand')->{attempts}, 0, 'on=request, no request: no attempts');
is($trigger->('demand')->{last_at}, undef,
    'on=request, no request: no last_at');

my $prober = $t->prober;
$t->signal('STOP', $prober);
is($t->get('/demand')->{status}, 503,
    'on=request, request in the other worker: refused');
is($demand->connections, 0, 'on=request, prober stopped: not sent');
$t->signal('CONT', $prober);

$t->wait_for(sub { $trigger->('demand')->{state} eq 'succeeded' }, 'success');
is($trigger->('demand')->{attempts}, 1, 'on=request, request: one attempt');

$t->get('/demand') for 1 .. 5;
$attempts = $t->gate('demand')->{checks}[0]{attempts};
$t->wait_for(sub { $t->gate('demand')->{checks}[0]{attempts} > $attempts + 3 },
    'a few more probes');
is($demand->connections, 1, 'on=request, more requests: not sent again');

ok($t->get('/init')->{content} !~ /t0ken/, 'status: no secret');

# invalid configurations

my %wrong = (
    'ftp://x' => qr/the URL does not begin with/,
    'http://x failed=x' => qr/unknown parameter "failed", allowed are status= /,
    'http://x boody=x' => qr/did you mean "body"/,
    'http://x nothing=x' => qr/sni= timeout= on= in "trigger" directive/,
    map({ ("http://x $_" => qr/parameter "\w+" is not allowed in a trigger/) }
        qw(name=x interval=1s optional after=file)),
    'http://x on=never' => qr/"on=never".*"on=start" or "on=request"/,
    'http://x on=start on=request' => qr/duplicate parameter "on="/,
    'http://x method=' => qr/"method=" and a method in capital/,
    'http://x "method=A B"' => qr/"method"/,
    'http://x header=Host:x' => qr/"header=Host:" is not allowed/,
);

for my $words (sort keys %wrong) {
    my ($status, $said) = $t->conf_error(
        "init_checks app { check file /x; trigger $words; }");

    isnt($status, 0, "refused: $words");
    like($said, $wrong{$words}, "message: $words");
}

done_testing;
