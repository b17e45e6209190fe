#!/usr/bin/perl

# init_checks at main level: before and after the http block, without one, and
# reloads that move it.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $checks = <<'CONF';
    init_checks app { check file %%DIR%%/marker;  interval 50ms; }
CONF

my $server = <<'CONF';
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /ready { init_ready; }
        location = /init { init_status details=on; }
    }
CONF

# the block first, and requests at the gate

my $t = InitGate->new(main => $checks, http => $server)->run;

$t->wait_state('initializing');

is($t->get('/')->{status}, 503, 'main level, no marker: refused');
is($t->get('/ready')->{status}, 503, 'main level, no marker: not ready');
is($t->check('file')->{reason}, 'missing', 'main level: status of the check');

$t->write('marker');
$t->wait_ready;

is($t->get('/')->{status}, 200, 'main level, marker: passed');
is($t->get('/ready')->{status}, 200, 'main level, marker: ready');

my $first = $t->gate;

# the gate is latched, so its state is carried over

$t->remove('marker');

sub moved {
    my ($name, %conf) = @_;

    my $prober = $t->prober;

    $t->conf(main => '', end => '', %conf);
    $t->reload;
    $t->wait_for(sub { ($t->prober // 0) != $prober }, 'another prober');

    my $gate = $t->gate;

    is_deeply([@$gate{qw(state latched carried_over opened_at)}],
        ['ready', JSON::PP::true, JSON::PP::true, $first->{opened_at}],
        "$name: state carried over");
    is($gate->{checks}[0]{attempts}, $first->{checks}[0]{attempts},
        "$name: not probed again");
    is($t->get('/')->{status}, 200, "$name: passed");
}

moved('reload to http level', http => $checks . $server);
moved('reload to main level', http => $server, main => $checks);
moved('reload to the end of the configuration', http => $server,
    end => $checks);

# gates of both levels

my $both = InitGate->new(main => $checks, http => <<'CONF')->run;
    init_checks other { check file %%DIR%%/other;  interval 50ms; }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app other;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

is(join(' ', sort map { $_->{gate} } $both->gates), 'app other',
    'gates of both levels: in the status');

$both->write('marker');
$both->wait_ready('app');
is($both->get('/')->{status}, 503, 'gates of both levels, one open: refused');

$both->write('other');
$both->wait_ready('other');
is($both->get('/')->{status}, 200, 'gates of both levels, both open: passed');

# the servers of an upstream, which is read later

my $up = InitGate->new(main => <<'CONF', http => <<'HTTP')->run;
    init_checks app { check upstream pool  tcp;  interval 50ms; }
CONF
    upstream pool { zone pool 64k;  server 127.0.0.1:%%PORT_8081%%; }
    server { listen 127.0.0.1:%%PORT_8081%%;  return 200 pool; }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  proxy_pass http://pool; }
        location = /init { init_status details=on; }
    }
HTTP

$up->wait_ready('app');
is($up->get('/')->{content}, 'pool', 'upstream check at main level: passed');

# no http block

my $alone = InitGate->new(main => $checks, http => undef)->run;

$alone->wait_log(qr/init gate "app" is initializing/);
$alone->write('marker');
$alone->wait_log(qr/init gate "app" is ready/);
pass('no http block: probed, and the state is logged');
$alone->conf(http => $server);
$alone->remove('marker');
$alone->reload;
$alone->wait_for(sub { $alone->get('/')->{status} == 200 }, 'the open gate');
is($alone->gate->{carried_over}, JSON::PP::true,
    'http block added by a reload: state carried over');

# a reload that removes the http block, and one that removes all gates

$alone->reload(http => undef);
$alone->wait_log(qr/no "http" block/, 2);
$alone->reload(main => '');
pass('reloads without the http block, without gates: accepted');

# messages

sub fails {
    my ($name, $message, %conf) = @_;

    my ($status, $text) = $t->conf_error($conf{http}, main => '', end => '',
        %conf);

    isnt($status, 0, "$name: refused");
    like($text, $message, "$name: message");
}

sub warns {
    my ($name, $message, %conf) = @_;

    my ($status, $text) = $t->conf_error($conf{http}, main => '', end => '',
        %conf);

    is($status, 0, "$name: accepted");
    like($text, $message, "$name: message");
}

my $upstream = 'init_checks app { check upstream pool tcp; }';

fails('same gate at both levels',
    qr/duplicate init_checks "app", the other one is in .*nginx\.conf:\d+ in/,
    main => $checks, http => $checks . $server);
fails('same gate before and after http', qr/duplicate init_checks "app"/,
    main => $checks, http => $server, end => $checks);
fails('unknown gate, defined at main level',
    qr/unknown init gate "app" \(did you mean "apps"\?\) in .*conf:\d+/,
    http => $server, end => 'init_checks apps { check file /x; }');
fails('unknown upstream, at main level',
    qr/there is no "upstream pool" block: check "upstream" of type/,
    main => $upstream, http => $server);
fails('upstream without an http block',
    qr/there is no "upstream pool" block: check "upstream" of type/,
    main => $upstream, http => undef);
fails('check at main level',
    qr/"check" directive is allowed only in "init_checks NAME/,
    main => 'check file /x;', http => $server);
fails('init_checks in events', qr/"init_checks" directive is not allowed/,
    events => $checks, http => $server);
warns('gate without a location', qr/"app" has no effect, since no location/,
    http => '', end => $checks);
warns('gate without an http block',
    qr/no effect but log messages, since there is no "http" block in .*:\d+/,
    http => undef, main => $checks);

done_testing;
