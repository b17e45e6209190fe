#!/usr/bin/perl

# upstream: parameters, and errors and warnings of nginx -t.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new;

my $group = 'upstream app { zone app 64k; server 127.0.0.1:1; '
    . 'server 127.0.0.1:2; server 127.0.0.1:2 backup; server 127.0.0.1:3 down; }';
my $location = 'server { server_name a; location / { init_gate app; '
    . 'proxy_pass http://app; } }';

sub lines_of {
    my ($conf) = @_;

    my ($status, $said) = $t->conf_error($conf);

    return ($status, join "\n", grep { /\[(?:emerg|warn)\]/ } split /\n/, $said);
}

sub refused {
    my ($check, $message, $upstream) = @_;

    my ($status, $lines) = lines_of(($upstream // $group)
        . "\ninit_checks app { check upstream $check; }\n$location");

    is($status, 1, "$check: refused");
    like($lines, qr/\[emerg\] $message.* in \S+nginx.conf:\d+$/, "$check: message");
}

sub valid {
    my ($check, $upstream) = @_;

    my ($status, $lines) = lines_of(($upstream // $group)
        . "\ninit_checks app { check upstream $check; }\n$location");

    is($status, 0, "$check: valid");
    is($lines, '', "$check: no warning");
}

my $in = 'in check "upstream" of type "upstream" in init_checks "app"';

valid('app http=/');
valid('app http=/ready?a=b status=200-204,304 host=app.example method=HEAD');
valid('app match=yes "header=X-A: b" http=/ready name=ready label=x');
valid('app http=/ tls verify=off');
valid('app http=/ tls sni=app.example');
valid('app tcp');
valid('app tcp send=x contains=y');
valid('app tls tcp');
valid('app http=/ min=2');
valid('app http=/ min=all once port=8081 servers=2 interval=1s timeout=1s');
valid('app tcp min=1000', 'resolver 127.0.0.1; upstream app { zone app 64k; '
    . 'server localhost:1 resolve; }') if $t->version >= 1.027003;

SKIP: {
    skip 'built without gRPC', 4 if $ENV{INIT_GATE_GRPC};
    valid('app grpc');
    valid('app grpc=my.Service tls');
}

refused('app', qr/one of "http=", "grpc" and "tcp" is needed, since an open port is not an initialized server $in/);
refused('app http=/ tcp', qr/parameter "tcp" conflicts with "http" $in/);
refused('app http=ready', qr/invalid value "ready" of parameter "http", it must be the path of a URL, as in \/ready $in/);
refused('app http', qr/parameter "http" needs a value: "http=" and the path of a URL, as in \/ready $in/);
refused('app grpc=', qr/parameter "grpc" needs a value: "grpc=" and the name of a service $in/);
refused('app tcp=1', qr/parameter "tcp" takes no value $in/);
refused('app tcp tcp', qr/duplicate parameter "tcp" $in/);
refused('app http=/ http=/', qr/parameter "http" conflicts|duplicate parameter "http" $in/);
refused('app tcp status=200', qr/unknown parameter "status", allowed are http= grpc= tcp tls port= min= servers= once send= contains= match= verify= ca= cert= key= sni= name= .* $in/);
refused('app http=/ stauts=200', qr/unknown parameter "stauts" \(did you mean "status"\?\) $in/);
refused('app http=/ url=/', qr/unknown parameter "url", allowed are http= grpc= tcp tls port= min= servers= once status= match= json= value= header= .* $in/);
refused('app http=/ status=2', qr/invalid value "2" of parameter "status"/);
refused('app http=/ verify=off', qr/parameter "verify" needs "tls" $in/);
refused('app http=/ min=0', qr/invalid value "0" of parameter "min", it must be a number, 1 or more, or "all" $in/);
refused('app http=/ min=most', qr/invalid value "most" of parameter "min"/);
refused('app http=/ port=0', qr/invalid value "0" of parameter "port", it must be a port, 1 to 65535 $in/);
refused('app http=/ port=65536', qr/invalid value "65536" of parameter "port"/);
refused('app http=/ servers=65537', qr/invalid value "65537" of parameter "servers", it must be a number, 1 to 65536 $in/);
refused('app http=/ servers=0', qr/invalid value "0" of parameter "servers", it must be a number, 1 to 65536 $in/);
refused('a/b http=/', qr/the target has an invalid character in the host name, it must be the name of an "upstream" block $in/);

my $of = 'check "upstream" of type "upstream" in init_checks "app"';

refused('app http=/ min=3', qr/"min=3" exceeds the 2 servers of upstream "app": $of/);
refused('app http=/', qr/all servers of upstream "app" are "down": $of/,
    'upstream app { zone app 64k; server 127.0.0.1:1 down; }');
refused('app http=/ min=all', qr/all servers of upstream "app" are "down": $of/,
    'upstream app { zone app 64k; server 127.0.0.1:1 down; }');
refused('app http=/ servers=1', qr/"servers=1" is below the 2 servers of upstream "app": $of/);
refused('app http=/', qr/upstream "app" has no "zone" directive, as in "zone app 64k": $of/,
    'upstream app { server 127.0.0.1:1; }');
refused('127.0.0.1:1 http=/', qr/there is no "upstream 127\.0\.0\.1:1" block: $of/);
refused('app http=/ port=1', qr/"port=" conflicts with a unix socket in upstream "app": $of/,
    'upstream app { zone app 64k; server unix:/a; }');

my ($status, $lines) = lines_of("$group
    init_checks app { check upstream app tcp; }
    init_checks b { check upstream app http=/ name=two; }
    server { location / { init_gate app b; proxy_pass http://app; } }");
is($status, 1, 'two checks: refused');
like($lines, qr/\[emerg\] upstream "app" has a check already, in \S+nginx.conf:\d+: check "two" of type "upstream" in init_checks "b" in \S+nginx.conf:\d+$/,
    'two checks: message');

($status, $lines) = lines_of("$group
    init_checks app { check upstream app tcp; }
    init_checks b { check file /x; }
    server {
        location /a { init_gate app; proxy_pass http://app; }
        location /b { init_gate b; proxy_pass http://app; }
        location /c { proxy_pass http://app; if (\$arg_x) { set \$a b; } }
        location /d { init_gate b app; proxy_pass http://app; }
        location /e { proxy_pass http://127.0.0.1:1; }
    }");
is($status, 0, 'locations without the gate: valid');
my @warned = $lines =~ m{\[warn\] \d+#\d+: location "(\S+)" passes requests to upstream "app" without "init_gate app", whose check "upstream" keeps servers out of it in \S+nginx.conf:\d+$}mg;
@warned = $lines =~ m{location "(\S+)" passes requests to upstream "app" without "init_gate app", whose check "upstream" keeps servers out of it in \S+nginx.conf:\d+$}mg if !@warned;
is("@warned", '/b /c', 'locations without the gate: warned of');
is(() = $lines =~ /\[warn\]/g, 2, 'locations without the gate: nothing else');

($status, $lines) = lines_of("$group
    init_checks app { check upstream app tcp; }
    server { location / { return 200; } }");
is($status, 0, 'gate without a location: valid');
like($lines, qr/\[warn\] (?:\S+: )?init_checks "app" only keeps servers out of upstreams, since no location has "init_gate app" or "init_ready app" in \S+$/,
    'gate without a location: warned of');

($status, $lines) = lines_of("$group
    init_checks app { check http http://app/ready; }
    server { location / { init_gate app; proxy_pass http://app; } }");
like($lines, qr/\[warn\].* the servers of the upstream "app" are not probed/,
    'check http to a group: warned of');

done_testing;
