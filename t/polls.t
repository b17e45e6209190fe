#!/usr/bin/perl

# The requests of the script of the waiting page: they get the part of the page
# that changes, are never held, and are counted separately.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new(http => <<'CONF');
    init_checks app {
        check file %%DIR%%/marker  name=marker;
        check file %%DIR%%/tree  name=tree  files=100;
        interval 50ms;
    }

    log_format decisions '$request_method $uri $init_gate_decision';

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        root %%DIR%%/www;
        init_gate app;

        location / { }
        location /html { init_response html; }
        location /json { init_response json; }
        location /off { init_response off; }
        location /hold { init_hold 30s; }
        location /own {
            init_page "title=Shop <b>" message=Soon lang=de details=on;
        }
        location = /init { init_status details=on;  access_log off; }
    }
CONF

$t->write("tree/$_") for 1 .. 30;
$t->write('www/index.html', 'the application');
$t->run;

sub gate { $t->json('/init')->{gates}[0] }

$t->wait_for(sub { (gate()->{progress} // 0) == 0.15 }, 'the first probes');

sub poll {
    my ($uri, $method) = @_;

    return $t->request($method // 'OPTIONS', $uri,
        headers => { Accept => 'text/html;part=init-gate' });
}

my $before = gate();

for my $uri (qw(/ /html /hold)) {
    for my $method (qw(OPTIONS GET)) {
        my $answer = poll($uri, $method);

        is($answer->{status}, 503, "$method $uri: 503");
        is($answer->{headers}{'x-init-gate'}, 'app; state=initializing',
            "$method $uri: X-Init-Gate");
        like($answer->{headers}{'content-type'}, qr{^text/html},
            "$method $uri: its type");
        like($answer->{content},
            qr{^<title>15 % \xc2\xb7 Getting ready\n</title>\n.*<b>15 %</b>}s,
            "$method $uri: what changes");
        unlike($answer->{content}, qr/<script|<style/, "$method $uri: no more");
        cmp_ok(length $answer->{content}, '<', 800, "$method $uri: little");
    }
}

like(poll('/own')->{content},
    qr{<h1>Shop &lt;b&gt;</h1>\n<p class="message">Soon</p>.*gestartet}s,
    'init_page: its texts');
like(poll('/json')->{headers}{'content-type'}, qr{^application/json},
    'init_response json: JSON');
is(poll('/off')->{headers}{'x-init-gate'}, 'app; state=initializing',
    'init_response off: X-Init-Gate');

my $after = gate();

is($after->{polled} - $before->{polled}, 9, 'polls: counted');
is($after->{$_}, $before->{$_}, "polls: not counted as $_")
    for qw(passed held_passed held_refused refused gone);
like($t->get('/init?format=prometheus')->{content},
    qr/^nginx_init_gate_polls_total\{gate="app"\} $after->{polled}$/m,
    'polls: in the metrics');
is(scalar(grep { /polled$/ } split /\n/, $t->read('decisions.log')), 9,
    'polls: in the log');

# requests of visitors, with a similar Accept

for my $accept ('text/html', 'text/html;part=init-gat',
    'text/html;part=init-gate,*/*', 'text/html; part=init-gate')
{
    $t->get('/', headers => { Accept => $accept });
}

is(gate()->{refused} - $after->{refused}, 4, 'similar Accept: refused');
is(gate()->{polled}, $after->{polled}, 'similar Accept: not polled');

# a poll may wait: for the next per cent, or until the application answers

sub wait_poll {
    my ($tag) = @_;

    my $before = gate()->{waited};
    my $socket = $t->send('/', headers => "Accept: text/html;part=init-gate\r\n"
        . "Prefer: wait=50\r\nIf-None-Match: $tag\r\n");
    $t->wait_for(sub { gate()->{waited} > $before }, 'a poll to wait');

    return $socket;
}

my $waits = wait_poll(poll('/')->{headers}{etag});
$t->write("tree/$_") for 31 .. 40;
my $answer = $t->http_read($waits);
is($answer->{status}, 503, 'waiting poll, progress: 503');
like($answer->{content}, qr/<title>(?:1[6-9]|20) %/, 'waiting poll, progress: the page');
is($answer->{headers}{'preference-applied'}, 'wait=50',
    'waiting poll: Preference-Applied');

# all of the files have been counted

$t->wait_for(sub {
    $answer = poll('/');
    return $answer->{content} =~ /<title>20 %/;
}, '20 %');

$before = gate()->{polled};
wait_poll($answer->{headers}{etag})->close;
$t->wait_for(sub { gate()->{polled} == $before + 1 }, 'the poll that left');
$after = gate();

# when the gate is open, the application responds

$waits = wait_poll($answer->{headers}{etag});
$t->write('marker');
$t->write("tree/$_") for 41 .. 100;
$t->wait_for(sub { gate()->{ready} }, 'the gate to open');

do {
    # the files may have come in two steps
    $answer = $t->http_read($waits);
    $waits = $t->send('/', headers => "Accept: text/html;part=init-gate\r\n");
} while ($answer->{status} == 503);

is($answer->{headers}{'x-init-gate'}, undef,
   'waiting poll, gate opens: the application');
$after = gate();

is(poll('/', 'GET')->{headers}{'x-init-gate'}, undef,
   'open gate: no X-Init-Gate');
is(gate()->{polled}, $after->{polled}, 'open gate: not polled');

done_testing;
