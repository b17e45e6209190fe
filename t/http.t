#!/usr/bin/perl

# http: the requests, and the verdicts on the responses; the peer is nginx.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use IO::Socket::IP;
use MIME::Base64 ();

my $t = InitGate->new(quit => 2);
my $dir = $t->dir;

my $v6 = IO::Socket::IP->new(LocalHost => '::1', LocalPort => 0, Listen => 5);
my ($listen6, $host6) = ('', '127.0.0.1:%%PORT_1%%');

if ($v6) {
    my $port = $v6->sockport;
    $v6->close;
    ($listen6, $host6) = ("listen [::1]:$port;", "[::1]:$port");
}

$t->write('www/size', 'x' x 65536 . 'the end');
$t->write('www/within', 'x' x (65536 - 7) . 'the end' . 'y' x 1000000);
$t->write('www/lines', "one\ntwo\nthree\n");

my $say = '$request_method|$request_uri|$http_host|$http_user_agent'
          . '|$http_accept|$http_authorization|$http_x_one|$http_x_two';

my $checks = <<'CONF';
    check http http://127.0.0.1:%%PORT_1%%/ok               name=ok;
    check http http://127.0.0.1:%%PORT_1%%                  name=no_uri;
    check http http://127.0.0.1:%%PORT_1%%?a=b              name=query_only
        "match=^GET\|/\?a=b\|";
    check http HTTP://localhost:%%PORT_1%%/say?a=b&c=%20#x  name=query
        "match=^GET\|/say\?a=b&c=%20\|localhost:\d+\|nginx-init-gate/[\d.]+\|";
    check http http://127.0.0.1:%%PORT_1%%/say              name=host
        host=app.example "match=\|app\.example\|";
    check http http://127.0.0.1:%%PORT_1%%/say              name=headers
        "header=X-One: 1" "header=x-two:  two" "header=User-Agent: me"
        "header=Accept: text/plain" "match=\|me\|text/plain\|\|1\|two$";
    check http http://user:p%40s:s@127.0.0.1:%%PORT_1%%/say name=userinfo
        "match=\|Basic dXNlcjpwQHM6cw==\|";
    check http http://127.0.0.1:%%PORT_1%%/say              name=authorization
        "header=Authorization: Bearer t0ken" "match=\|Bearer t0ken\|";
    check http http://127.0.0.1:%%PORT_1%%/head             name=head
        method=HEAD;
    check http unix:%%DIR%%/http.sock                       name=unix;
    check http http://unix:%%DIR%%/http.sock:/say?u         name=unix_uri
        "match=^GET\|/say\?u\|localhost\|";
    check http http://%%HOST6%%/ok                          name=v6;

    check http http://127.0.0.1:%%PORT_1%%/304              name=s304
        status=200-299,304;
    check http http://127.0.0.1:%%PORT_1%%/418              name=s418
        status=418;
    check http http://127.0.0.1:%%PORT_1%%/301              name=s301
        status=301,302;
    check http http://127.0.0.1:%%PORT_1%%/204              name=s204;

    check http http://127.0.0.1:%%PORT_1%%/lines            name=multiline
        "match=(?m)^two$";
    check http http://127.0.0.1:%%PORT_1%%/within           name=within
        "match=the end";
    check http http://127.0.0.1:%%PORT_1%%/chunked          name=chunked
        "match=^one\ntwo\nthree\n$";
    check http http://127.0.0.1:%%PORT_1%%/empty            name=empty
        match=^$;

    check http http://127.0.0.1:%%PORT_1%%/418              name=bad418;
    check http http://127.0.0.1:%%PORT_1%%/503              name=bad503;
    check http http://127.0.0.1:%%PORT_1%%/301              name=bad301;
    check http http://127.0.0.1:%%PORT_1%%/ok               name=bad200
        status=201-299;
    check http http://127.0.0.1:%%PORT_1%%/304              name=bad304;
    check http http://127.0.0.1:%%PORT_1%%/503              name=bad503_above
        status=200-299,304;
    check http http://127.0.0.1:%%PORT_1%%/ok               name=mismatch
        match=ready;
    check http http://127.0.0.1:%%PORT_1%%/size             name=beyond
        "match=the end";
    check http http://127.0.0.1:%%PORT_1%%/503              name=match503
        match=Unavailable;
    check http http://127.0.0.1:%%PORT_2%%/                 name=refused;
CONF

$checks =~ s/%%HOST6%%/$host6/;

$t->run(http => <<"CONF");
    log_format peer '\$connection \$uri';

    init_checks app {
$checks
        interval 50ms;
        timeout 1m;
        backoff 50ms;
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        listen unix:$dir/http.sock;
        $listen6
        access_log $dir/access.log peer;
        error_log $dir/peer.log;
        root $dir/www;

        location / { try_files \$uri /say; }
        location /say { return 200 "$say"; }
        location /ok { return 200 "ok\\n"; }
        location /empty { return 200 ""; }
        location /204 { return 204; }
        location /301 { return 301 /ok; }
        location /304 { return 304; }
        location /418 { return 418; }
        location /503 { return 503; }
        location /head { if (\$request_method != HEAD) { return 405; } }
        location /chunked { ssi on; ssi_types *; alias $dir/www/lines; }
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
        location = /open { init_status app; }
        location = /metrics { init_status app format=prometheus; }
    }
CONF

$t->write('www/head', 'a body');

my @names = map { /name=(\w+)/ ? $1 : () } split /\n/, $checks;

settles($t, 'head', 'passed');

my %bad = (
    bad418 => ['waiting bad_status', qr/^HTTP 418$/],
    bad503 => ['waiting bad_status', qr/^HTTP 503$/],
    bad503_above => ['waiting bad_status', qr/^HTTP 503$/],
    bad304 => ['waiting bad_status', qr/^HTTP 304$/],
    bad301 => ['waiting bad_status', qr/^HTTP 301, a redirect/],
    bad200 => ['waiting bad_status', qr/^HTTP 200$/],
    mismatch => ['waiting mismatch', qr/does not match/],
    beyond => ['waiting mismatch', qr/does not match/],
    match503 => ['waiting bad_status', qr/^HTTP 503$/],
    refused => ['error refused', qr/connect\(\) to 127\.0\.0\.1:\d+ failed/],
);

verdicts($t, map { [$_, @{$bad{$_} // ['passed']}] } @names);

# no secrets

my $all = join '', $t->log, map { $t->get($_)->{content} }
    '/init', '/open', '/metrics';

ok($all !~ /p%40s|p\@s:s|t0ken|dXNlcjpw/, 'log and status: no secret');

# many probes over few connections, except if the rest of a body is large

my $before = $t->check('mismatch')->{attempts};
$t->write('access.log', '');
$t->signal('USR1');
$t->wait_for(sub { $t->check('mismatch')->{attempts} > $before + 10 },
    'more probes');

my (%connections, %requests);

for (split /\n/, $t->read('access.log')) {
    my ($connection, $uri) = split;
    $requests{$uri}++;
    $connections{$uri}{$connection} = 1;
}

for my $uri (qw(/204 /lines /head)) {
    cmp_ok($requests{$uri}, '>=', 9, "$uri: many probes");
    cmp_ok(keys %{$connections{$uri}}, '<=', 5, "$uri: few connections");
}

for my $uri (qw(/503 /size)) {
    is(keys %{$connections{$uri}}, $requests{$uri},
        "$uri, not passed: a connection for each probe");
}

# invalid configurations

my %wrong = (
    'ftp://x/' => qr/the URL does not begin with/,
    'x' => qr/the URL does not begin with/,
    'http://' => qr/has no host/,
    'http:///x' => qr/has no host/,
    'http://x:99999/' => qr/invalid port/,
    'http://[::1/' => qr/no closing bracket/,
    'http://user:hunter2@/x' => qr/has no host/,
    '"http://x/a b"' => qr/invalid character/,
    'unix:relative' => qr/no absolute path/,
    "http://unix:$dir/x:y" => qr{no "/" after},
    'https://unix:/x' => qr/"sni" is missing/,
    'http://x/ status=299-200' => qr/"status"/,
    'http://x/ status=200,' => qr/"status"/,
    'http://x/ status=2000' => qr/"status"/,
    'http://x/ status=100' => qr/"status"/,
    'http://x/ match=(' => qr/"match"/,
    'http://x/ method=HEAD match=x' => qr/"match" conflicts/,
    'http://x/ header=x' => qr/"header".*Name: value/,
    'http://x/ "header=: x"' => qr/"header"/,
    "http://x/ \"header=X: a\nb: c\"" => qr/invalid character/,
    'http://x/ header=Host:x' => qr/"header=Host:" is not allowed.*"host="/,
    'http://x/ header=Connection:keep-alive' => qr/is not allowed/,
    'http://x/ header=content-length:1' => qr/is not allowed/,
    "http://x/ \"host=a\nb\"" => qr/"host"/,
    'http://x/ "host=a b"' => qr/"host", it must be a name/,
    'http://x/ host=a/b' => qr/"host"/,
    'http://x/ verify=off' => qr/"verify" needs an https/,
    'http://u:hunter2@x/ header=Authorization:hunter2' => qr/conflicts/,
    'http://x/ failed=x' => qr/unknown parameter "failed"/,
);

for my $words (sort keys %wrong) {
    my ($status, $said) =
        $t->conf_error("init_checks app { check http $words; }");

    isnt($status, 0, "refused: $words");
    like($said, $wrong{$words}, "message: $words");
    unlike($said, qr/hunter2/,
        "message without the secret: $words") if $words =~ /hunter2/;
}

my ($status, $said) = $t->conf_error(
    'init_checks app { check http http://no-such-host.invalid; }');
is($status, 0, 'host that does not resolve: valid') or diag $said;

done_testing;
