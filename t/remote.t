#!/usr/bin/perl

# The remote check: the gate of another nginx, with its progress, its failures
# and its estimate; a change there arrives at once.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;

my $origin = InitGate->new(status => 8081, http => <<'CONF');
    init_checks app {
        check file %%DIR%%/marker  name=marker  failed=%%DIR%%/failed;
        check file %%DIR%%/tree    name=tree    files=10;
        check file %%DIR%%/nice    name=nice    optional;
        interval 20ms;
        latch off;
        fall 1;
    }

    log_format via '$request_method $uri $status $http_prefer';

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/access.log via;
        location = /ready { init_ready app;  keepalive_timeout 1h; }
        location = /text { return 200 "ready"; }
        location = /large { return 200 "LARGE"; }
        location = /none { return 404; }
        location = /no { return 403; }
        location = /token {
            if ($http_authorization != "Bearer sesame-12345") { return 401; }
            init_ready app;
        }
        location = /override {
            default_type application/json;
            return 503 '{"ready":true,"gates":[{"gate":"a","state":"initializing",
                "ready":true,"progress":null,"eta_ms":null,"checks":[],
                "overrides":[{"action":"open"}]}]}';
        }
    }
    server {
        listen 127.0.0.1:%%PORT_8081%%;
        location = /init { init_status details=on; }
    }
CONF

my $t = InitGate->new(http => <<'CONF');
    init_checks app {
        check remote http://127.0.0.1:ORIGIN/ready;
        interval 1h 1h;
        latch off;
    }
    init_checks others {
        check remote http://127.0.0.1:ORIGIN/ready    name=short;
        check remote http://127.0.0.1:ORIGIN/text     name=text;
        check remote http://127.0.0.1:ORIGIN/token    name=token
                     token_file=%%DIR%%/token;
        check remote http://127.0.0.1:ORIGIN/token    name=no_token;
        check remote http://127.0.0.1:ORIGIN/none     name=none;
        check remote http://127.0.0.1:ORIGIN/no       name=no;
        check remote http://127.0.0.1:ORIGIN/override name=override;
        check remote http://127.0.0.1:ORIGIN/override name=follow
                     follow_override;
        interval 50ms;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

my $port = $origin->port;
$t->{http} =~ s/ORIGIN/$port/g;
$t->write('token', "sesame-12345\n");
chmod 0644, $t->path('token');

mkdir $origin->path('tree');
$origin->run;
$origin->wait_state('initializing', 'app');
$t->run;

sub is_check { is_verdict('remote', @_) }

sub is_verdict {
    my ($name, $expected, $message, $label) = @_;

    my ($check, $is) = ({}, '');

    ok($t->wait_for(sub {
        $check = $t->check($name, $name eq 'remote' ? 'app' : 'others');
        $is = join ' ', grep { defined } @$check{qw(verdict reason)};
        return $is eq $expected && ($check->{message} // '') =~ $message;
    }, "$label: $expected", 20), "$label: $expected")
        or diag("$is: " . ($check->{message} // ''));

    return $check;
}

# what is there

is_check('running in_progress', qr/^gate "app" is initializing: marker waiting missing, tree waiting too_few, nice waiting missing$/,
    'closed');

# progress

$origin->write("tree/$_") for 1 .. 5;
my $check = is_check('running in_progress', qr/./, 'progress');
ok($t->wait_for(sub { $t->check('remote', 'app')->{observed} == 250 },
    'progress 250'), 'progress: of a thousand');
is($t->check('remote', 'app')->{expected}, 1000, 'progress: expected');
is($t->gate('app')->{progress}, 0.25, 'progress: of the gate');

# open, and closed again

$origin->write('marker');
$origin->write("tree/$_") for 6 .. 10;
is_check('passed', qr/^$/, 'opens');
ok($t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the gate'),
    'opens: requests pass');

unlink $origin->path('marker');
is_check('running in_progress', qr/marker waiting missing/, 'closes');
ok($t->wait_for(sub { $t->get('/')->{status} == 503 }, 'the gate'),
    'closes: requests are refused');

# failed

$origin->write('failed', 'no space');
is_check('failed reported', qr/^gate "app" is failed: marker failed reported/,
    'fails');
$origin->remove('failed');
is_check('running in_progress', qr/./, 'repaired');

# how it was asked

my @log = split /\n/, $origin->read('access.log');
is(scalar(grep { !m{^GET /ready (?:200|503) wait=\d+$} }
    grep { m{/ready} } @log), 0, 'requests: their headers');

# the other one is reloaded, and stopped: it is asked again at once

$origin->reload;
$origin->write('marker');
is_check('passed', qr/^$/, 'reload there');

$origin->quit;
is_verdict('short', 'error refused', qr/./, 'stopped there');
is_check('error refused', qr/./, 'stopped there');

# others

my %expected = (
    token => ['passed', qr/^$/],
    no_token => ['error auth', qr/^HTTP 401, no valid token$/],
    text => ['error protocol', qr/^HTTP 200 is not the response of an/],
    none => ['waiting bad_status', qr/^HTTP 404$/],
    no => ['error denied', qr/^HTTP 403$/],
    override => ['waiting not_ready', qr/^gate "a" is initializing$/],
    follow => ['passed', qr/^$/],
);

$origin->run;

is_verdict($_, @{$expected{$_}}, $_) for sort keys %expected;

# within seconds, although the interval is an hour

is_check('passed', qr/^$/, 'started there');

done_testing;
