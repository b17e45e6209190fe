#!/usr/bin/perl

# The module is transparent: responses are byte for byte those of nginx without
# the module when it is loaded and not used, and when a gate of all locations
# is open; and the gate counts each request once.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;

my $fastcgi = InitGate::Fake->new(sub {
    my ($c) = @_;

    # records, until the one that ends the body
    while (1) {
        my ($type, $id, $size, $pad) = unpack 'xCnnC',
            $c->read_bytes(8) // return;
        $c->read_bytes($size + $pad) // return if $size + $pad;
        last if $type == 5 && $size == 0;
    }

    my $said = "Status: 207 Some\r\nContent-Type: text/plain\r\n"
        . "X-Fast: yes\r\n\r\nfrom fastcgi\n";

    $c->send(pack('CCnnCC', 1, 6, 1, length $said, 0, 0) . $said
        . pack('CCnnCC', 1, 6, 1, 0, 0, 0)
        . pack('CCnnCCx8', 1, 3, 1, 8, 0, 0));
});

my $chunked = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        . "6\r\nchunky\r\n0\r\n\r\n");
});

my $t = InitGate->new;

my ($listen, $on) = $t->version >= 1.025001 ? ('', 'http2 on;') : ('http2', '');
my ($fast, $slow) = ($fastcgi->port, $chunked->port);

# checks, a gate and another server may be added in three places

sub http {
    my ($checks, $gate, $beside) = @_;

    return <<"CONF";
    $checks
    types { text/html html;  text/plain txt; }
    proxy_cache_path %%DIR%%/cache keys_zone=cache:1m;
    limit_req_zone \$server_port zone=slowly:1m rate=1r/m;
    limit_conn_zone \$server_port zone=few:1m;
    log_format all '\$status \$request_method \$uri \$server_protocol '
                   '\$body_bytes_sent \$request_length \$upstream_status '
                   '\$upstream_cache_status';

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        listen 127.0.0.1:%%PORT_8083%% $listen;
        $on
        root %%DIR%%/html;
        port_in_redirect off;
        access_log %%DIR%%/all.log all;
        $gate

        location / { }
        location /zip/ { gzip on;  gzip_min_length 1;  alias %%DIR%%/html/; }
        location /list/ { autoindex on;  autoindex_exact_size off; }
        location = /gif { empty_gif; }
        location = /return { return 201 "said \$arg_a"; }
        location = /moved { return 301 /elsewhere; }
        location = /rewritten { rewrite ^ /a.txt; }
        location = /rewritten_twice { rewrite ^ /rewritten; }
        location /tried/ { try_files \$uri /a.txt; }
        location /tried_named/ { try_files \$uri \@named; }
        location /tried_404/ { try_files \$uri =404; }
        location \@named { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /internal/ { internal;  alias %%DIR%%/html/; }
        location /denied { deny all; }
        location /errors/ { error_page 404 /a.txt; }
        location /errors_named/ { error_page 404 = \@named; }
        location /errors_code/ { error_page 404 =202 /a.txt; }
        location /intercepted/ {
            proxy_pass http://127.0.0.1:%%PORT_8081%%/none/;
            proxy_intercept_errors on;
            error_page 404 /a.txt;
        }
        location /any_ip/ {
            satisfy any;  allow all;
            auth_basic a;  auth_basic_user_file %%DIR%%/users;
            alias %%DIR%%/html/;
        }
        location /any_user/ {
            satisfy any;  deny all;
            auth_basic a;  auth_basic_user_file %%DIR%%/users;
            alias %%DIR%%/html/;
        }
        location /asked/ { auth_request /auth;  alias %%DIR%%/html/; }
        location /asked_no/ { auth_request /auth_no;  alias %%DIR%%/html/; }
        location = /auth { internal;  proxy_pass http://127.0.0.1:%%PORT_8081%%;
            proxy_pass_request_body off;  proxy_set_header Content-Length ""; }
        location = /auth_no { internal;  return 403; }
        location /limited/ {
            limit_req zone=slowly;
            alias %%DIR%%/html/;
        }
        location /few/ { limit_conn few 10;  alias %%DIR%%/html/; }
        location /mirrored/ { mirror /mirror;  alias %%DIR%%/html/; }
        location = /mirror { internal;
            proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /proxy/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /chunked/ { proxy_http_version 1.1;
            proxy_pass http://127.0.0.1:$slow; }
        location /down/ { proxy_pass http://127.0.0.1:1; }
        location /cached/ {
            proxy_pass http://127.0.0.1:%%PORT_8081%%/;
            proxy_cache cache;  proxy_cache_valid 1h;
            proxy_cache_key \$server_port\$server_protocol\$uri;
            add_header X-Cache \$upstream_cache_status;
        }
        location /sliced/ {
            slice 4;  proxy_set_header Range \$slice_range;
            proxy_pass http://127.0.0.1:%%PORT_8081%%/;
        }
        location /accel/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /fastcgi/ { fastcgi_pass 127.0.0.1:$fast; }
        location /grpc/ { grpc_pass grpc://127.0.0.1:%%PORT_8082%%; }
        location /ssi/ { ssi on;  alias %%DIR%%/html/ssi/; }
        location /sub/ { sub_filter here there;  alias %%DIR%%/html/; }
        location /small/ { client_max_body_size 2;
            proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /slow/ { limit_rate 10m;  alias %%DIR%%/html/; }
    }

    server {
        listen 127.0.0.1:%%PORT_8081%%;
        root %%DIR%%/html;
        location / { }
        location /proxy/ { return 200 "\$request_method \$request_uri\n"; }
        location = /auth { return 204; }
        location = /mirror { return 204; }
        location /grpc { default_type application/grpc;
            add_header grpc-status 0;  return 200 frames; }
        location /accel/ { add_header X-Accel-Redirect /internal/a.txt;
            return 200 none; }
        location /tried_named/ { return 200 "named\n"; }
        location /errors_named/ { return 200 "named\n"; }
    }

    server {
        listen 127.0.0.1:%%PORT_8082%% $listen;
        $on
        # responds when it has read the whole body
        location / { proxy_pass http://127.0.0.1:%%PORT_8081%%/grpc; }
    }

    $beside
CONF
}

# the requests, and the number of times the gate counts each of them

my @asked = (
    ['/'], ['/a.txt'], ['/sub'], ['/none'], ['/list/'], ['/gif'],
    ['/%2e%2e/', count => 0],
    ['/a.txt', head => 1], ['/a.txt', range => '0-3'],
    ['/a.txt', range => '2-3,5-6'], ['/a.txt', range => '900-'],
    ['/a.txt', header => "If-Modified-Since: Fri, 20 Nov 2043 10:00:00 GMT"],
    ['/a.txt', header => 'If-Match: "no"'],
    ['/a.txt', method => 'POST'], ['/a.txt', method => 'OPTIONS'],
    ['/zip/index.html', header => 'Accept-Encoding: gzip'],
    ['/zip/index.html'],
    ['/return?a=b', count => 0], ['/moved', count => 0], ['/rewritten'],
    ['/rewritten_twice'], ['/tried/none'], ['/tried/a.txt'],
    ['/tried_named/none'], ['/tried_404/none'],
    ['/internal/a.txt', count => 0], ['/denied'], ['/errors/none'],
    ['/errors_named/none'], ['/errors_code/none'], ['/intercepted/none'],
    ['/any_ip/a.txt'], ['/any_user/a.txt'],
    ['/any_user/a.txt', header => 'Authorization: Basic dXNlcjpwYXNz'],
    ['/asked/a.txt'], ['/asked_no/a.txt'], ['/asked/a.txt', head => 1],
    ['/limited/a.txt'], ['/limited/a.txt'], ['/few/a.txt'],
    ['/mirrored/a.txt'], ['/proxy/x'], ['/proxy/x', post => 'body' x 9000],
    ['/proxy/x', head => 1], ['/chunked/x'], ['/down/x'],
    ['/cached/a.txt'], ['/cached/a.txt'], ['/cached/a.txt', range => '1-2'],
    ['/sliced/a.txt'], ['/sliced/a.txt', range => '3-9'], ['/accel/x'],
    ['/fastcgi/x'], ['/fastcgi/x', post => 'x=1'],
    ['/grpc/a.B/C', post => "\0\0\0\0\0"], ['/ssi/'], ['/sub/index.html'],
    ['/small/x', post => 'too much', count => 0], ['/slow/a.txt'],
);

sub bytes {
    my ($version, $uri, %with) = @_;

    my $method = $with{method} // ($with{head} ? 'HEAD'
        : defined $with{post} ? 'POST' : 'GET');

    return "$method $uri HTTP/$version\r\nHost: localhost\r\n"
        . ($version eq '1.1' ? "Connection: close\r\n" : '')
        . ($with{range} ? "Range: bytes=$with{range}\r\n" : '')
        . ($with{header} ? "$with{header}\r\n" : '')
        . (defined $with{post} ? 'Content-Length: ' . length($with{post})
            . "\r\n" : '')
        . "\r\n" . ($with{post} // '');
}

sub http2 {
    my ($uri, %with) = @_;

    my @command = ('curl', '-si', '-m', patience(60), '--path-as-is',
        '--http2-prior-knowledge');
    push @command, '-I' if $with{head};
    push @command, '-X', $with{method} if $with{method};
    push @command, '-r', $with{range} if $with{range};
    push @command, '-H', $with{header} if $with{header};

    if (defined $with{post}) {
        $t->write('post', $with{post});
        push @command, '--data-binary', '@' . $t->path('post');
    }

    open my $curl, '-|', @command,
        'http://127.0.0.1:' . $t->port(8083) . $uri or die "curl: $!";
    binmode $curl;
    local $/;

    return scalar <$curl> // '';
}

# dates and boundaries differ in each response

sub normal {
    my ($answer) = @_;

    $answer =~ s/^(date: )[^\r]+/$1now/mgi;
    $answer =~ s/\d{20}/BOUNDARY/g;

    return $answer;
}

sub passed {
    my ($port) = @_;

    my ($answer) = $t->raw("GET /init HTTP/1.0\r\n\r\n", port => $port)
        =~ /^nginx_init_gate_requests_total\{gate="app",protocol="http",decision="passed"\} (\d+)/m;

    return $answer;
}

sub run {
    my ($name, %args) = @_;

    $t->remove('cache');
    $t->remove('all.log');
    $t->run(%args);

    my $gated = $args{http} =~ /init_gate app/;

    $t->wait_for(sub { $t->get('/init', port => $t->port(8084))->{content}
        =~ /^nginx_init_gate_ready\S* 1/m }, 'the gate') if $gated;

    my (%said, @counted);
    my $before = $gated && passed($t->port(8084));

    for my $version ('1.0', '1.1', '2') {
        my $n = 0;

        for (@asked) {
            my ($uri, %with) = @$_;

            # curl may not have read the response before the stream is reset
            next if $version eq '2' && $uri =~ m{^/small};

            my $key = join ' ', "HTTP/$version", ++$n, $uri,
                map { substr $_, 0, 20 } %with{sort keys %with};

            $said{$key} = normal($version eq '2' ? http2($uri, %with)
                : $t->raw(bytes($version, $uri, %with)));

            if ($gated) {
                my $now = passed($t->port(8084));
                my $should = $with{count} // 1;

                # limit_req refuses the request before the gate
                $should = 0 if $uri =~ m{^/limited} && $said{$key} =~ / 503/;

                push @counted, "$key: " . ($now - $before)
                    if $now - $before != $should;
                $before = $now;
            }
        }
    }

    # pipelined requests on one connection

    $said{pipelined} = normal($t->raw(join '', (map {
        "GET $_ HTTP/1.1\r\nHost: a\r\n\r\n" } qw(/a.txt /none /proxy/p /gif
        /tried/x)), "GET /a.txt HTTP/1.1\r\nHost: a\r\n"
        . "Connection: close\r\n\r\n"));
    $said{continue} = normal($t->raw("POST /proxy/e HTTP/1.1\r\nHost: a\r\n"
        . "Expect: 100-continue\r\nContent-Length: 1\r\n"
        . "Connection: close\r\n\r\nx"));
    $said{bad} = normal($t->raw("GET  HTTP/9\r\n\r\n"));
    $said{old} = normal($t->raw("GET /a.txt\r\n"));

    if ($gated) {
        is(join("\n", @counted), '', "$name: each request counted once");
        is(passed($t->port(8084)) - $before, 8,
            "$name: pipelined and other requests counted");
    }

    $t->quit;

    # workers write in any order
    $said{log} = join "\n", sort split /\n/, $t->read('all.log');

    return \%said;
}

$t->write('html/index.html', "here\n");
$t->write('html/a.txt', "something to read\n");
$t->write('html/list/one', '');
$t->write('html/sub/index.html', "below\n");
$t->write('html/ssi/index.html', '<!--#include virtual="/a.txt" -->'
    . '<!--#include virtual="/proxy/ssi" --> <!--#include virtual="/no" -->');
$t->write('users', "user:{PLAIN}pass\n");
$t->write('marker');

my $plain = run('without', module => 0, http => http('', '', ''));
my $unused = run('unused', module => 1, http => http('', '', ''));
my $beside = run('beside', http => http(
    'init_checks app { check file %%DIR%%/no; }', 'init_gate off;', ''));
my $open = run('open', http => http(
    'init_checks app { check file %%DIR%%/marker; }', 'init_gate app;', <<'C'));
    server {
        listen 127.0.0.1:%%PORT_8084%%;
        location = /init { init_status format=prometheus; }
    }
C

my @empty = grep { $plain->{$_} eq '' } keys %$plain;
is("@empty", '', 'without the module: no empty response');

for my $case (['loaded and unused', $unused], ['no gate here', $beside],
    ['an open gate', $open])
{
    my ($name, $said) = @$case;

    my @other = grep { $said->{$_} ne $plain->{$_} } sort keys %$plain;

    is(scalar @other, 0,
        "$name: " . keys(%$plain) . ' responses as without the module')
        or diag(map { substr "$_\n--- without\n$plain->{$_}\n--- now\n"
            . "$said->{$_}\n", 0, 2000 } splice @other, 0, 3);
}

my %status;
$status{$_}++ for join("\n", values %$plain) =~ m{^HTTP/[\d.]+ (\d+)}mg;
note(join ', ', map { "$_: $status{$_}" } sort keys %status);

done_testing;
