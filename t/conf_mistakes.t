#!/usr/bin/perl

# Common mistakes in configurations, with the errors and warnings of nginx -t,
# which name the check and the gate.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new;
my $location = 'server { server_name a; location / { init_gate app; } }';


# runs nginx -t, returns its status and its lines with a level

sub nginx_t {
    my ($conf) = @_;

    my ($status, $said) = $t->conf_error($conf);
    my @lines = grep { /\[(emerg|warn)\]/ } split /\n/, $said;

    return ($status, @lines);
}


sub refused {
    my ($name, $conf, $message) = @_;

    my ($status, @lines) = nginx_t($conf);

    subtest "refused: $name" => sub {
        is($status, 1, 'exit status');
        is(scalar @lines, 1, 'error: one line') or diag join "\n", @lines;
        like($lines[0], qr/\[emerg\] \Q$message\E/, 'message');
        like($lines[0], qr{ in \S+/nginx\.conf:\d+$}, 'file and line');
    };
}


sub warned {
    my ($name, $conf, @messages) = @_;

    my ($status, @lines) = nginx_t($conf);

    subtest "warned: $name" => sub {
        is($status, 0, 'exit status') or diag join "\n", @lines;
        is(scalar @lines, scalar @messages, 'lines of warnings')
            or diag join "\n", @lines;

        for my $message (@messages) {
            like(join("\n", @lines),
                qr{\[warn\] \Q$message\E in \S+/nginx\.conf:\d+$}m,
                "message: $message");
        }
    };
}


sub valid {
    my ($name, $conf) = @_;

    my ($status, @lines) = nginx_t($conf);

    is("$status @lines", '0 ', "valid: $name");
}


# a line of init_checks app, after a valid check

sub line_refused {
    my ($line, $message) = @_;

    refused($line, "init_checks app { check file /m;\n$line\n}", $message);
}

sub check_refused {
    my ($line, $message) = @_;

    my ($type) = split ' ', $line;

    refused("check $line", "init_checks app {\ncheck $line;\n}",
        "$message in check \"$type\" of type \"$type\" in init_checks"
        . ' "app"');
}

sub check_warned {
    my ($line, @messages) = @_;

    my ($type) = split ' ', $line;

    warned("check $line", "init_checks app {\ncheck $line;\n}\n$location",
        map { "$_ in check \"$type\" of type \"$type\" in init_checks \"app\"" }
            @messages);
}

sub check_valid {
    my ($line) = @_;

    valid("check $line", "init_checks app {\ncheck $line;\n}\n$location");
}


# quotes

check_refused('file /m contains="done"',
    'write "contains=done", not contains="done"');
check_refused("file /m contains='done'",
    'write "contains=done", not contains="done"');
check_refused('file /m match="^ok"', 'write "match=^ok", not match="^ok"');
check_refused('file /m contains="all done"',
    'write "contains=...", not contains="..."');
check_refused('file /m failed="/f"', 'write "failed=/f", not failed="/f"');
check_refused('file /m contains=""', 'write "contains=", not contains=""');
check_refused('http http://x/ match="green"',
    'write "match=green", not match="green"');
check_refused('http http://x/ header="X-Token:Hush"',
    'write "header=...", not header="..."');
check_refused('http http://x/ header="X-Token: Hush"',
    'write "header=...", not header="..."');
check_refused('redis redis://x key="k"', 'write "key=k", not key="k"');
check_refused('postgres "host=x" query="select 1"',
    'write "query=...", not query="..."');
check_valid(q{postgres "host=x" tables="Orders"});
check_valid('file /m "contains=done"');
check_valid('file /m "contains=all done"');
check_valid(q{http http://x/ 'match="status":"green"'});
check_valid(q{file /m 'contains="'});

# connection strings without quotes

check_refused('postgres host=db dbname=app', 'unknown parameter "dbname":'
    . ' a connection string with spaces is quoted whole, as in'
    . ' "host=db dbname=app"');
check_refused('postgres host=db user=u password=Hush', 'unknown parameter'
    . ' "user": a connection string with spaces is quoted whole, as in'
    . ' "host=db dbname=app"');
check_refused('postgres host=db tables=a sslmode=disable', 'unknown parameter'
    . ' "sslmode": a connection string with spaces is quoted whole, as in'
    . ' "host=db dbname=app"');
check_refused('postgres db', 'invalid connection string: it must be'
    . ' "keyword=value ..." or "postgresql://..."');
check_valid('postgres "host=db dbname=app"');

# spaces

my $spaces = 'a parameter has no spaces around "=": write "name=value"';
my $commas = 'a list has no spaces around its commas: write "a,b"';

check_refused('file /m name = x', $spaces);
check_refused('file /m name= x', $spaces);
check_refused('file /m name =x', $spaces);
check_refused('file /m contains = Hush', $spaces);
check_refused('postgres "host=db" tables=a, b', $commas);
check_refused('postgres "host=db" tables=a ,b', $commas);
check_refused('postgres "host=db" tables=a , b', $commas);
check_refused('http http://x/ status=200, 204', $commas);

# a missing ";"

line_refused("check file /n name=n\ncheck file /o name=o;",
    '";" is missing before "check" in check "n" of type "file" in init_checks'
    . ' "app"');
line_refused("check file /n name=n\ninterval 1s;",
    '";" is missing before "interval", or "=" after it in check "n"'
    . ' of type "file" in init_checks "app"');
line_refused("check file /n name=n\ndeadline 1m;",
    '";" is missing before "deadline" in check "n"');
line_refused("check file /n name=n optional\nlatch off;",
    '";" is missing before "latch" in check "n"');
line_refused("interval 1s\ncheck file /n name=n;",
    '";" is missing before "check" in init_checks "app"');
line_refused("latch on\nrise 2;",
    '";" is missing before "rise" in init_checks "app"');
line_refused("trigger http://x/\ndeadline 1m;", '";" is missing before'
    . ' "deadline" in "trigger" directive in init_checks "app"');

# misspelled words

check_refused('file /m optinal',
    'unknown parameter "optinal" (did you mean "optional"?)');
check_refused('file /m Optional',
    'unknown parameter "Optional" (did you mean "optional"?)');
check_refused('file /m contain=x',
    'unknown parameter "contain" (did you mean "contains"?)');
check_refused('file /m max-age=1h',
    'unknown parameter "max-age" (did you mean "max_age"?)');
check_refused('file /m newerthan=boot',
    'unknown parameter "newerthan" (did you mean "newer_than"?)');
check_refused('file /m timout=1s',
    'unknown parameter "timout" (did you mean "timeout"?)');
check_refused('file /m fialed=/f',
    'unknown parameter "fialed" (did you mean "failed"?)');
check_refused('postgres "host=x" tabels=a',
    'unknown parameter "tabels" (did you mean "tables"?)');
check_refused('postgres "host=x" migration=rails',
    'unknown parameter "migration" (did you mean "migrations"?)');
check_refused('postgres "host=x" pasword_file=/p',
    'unknown parameter "pasword_file" (did you mean "password_file"?)');
check_refused('redis redis://x keys=a',
    'unknown parameter "keys" (did you mean "key"?)');
check_refused('http http://x/ headers=a:b',
    'unknown parameter "headers" (did you mean "header"?)');
check_refused('http http://x/ mathc=a',
    'unknown parameter "mathc" (did you mean "match"?)');
check_refused('http http://x/ colour=blue',
    'unknown parameter "colour", allowed are status= match= json= value='
    . ' min= header= host= method= body= body_file= token_file= verify= ca='
    . ' cert= key= sni= name= label= interval= timeout= optional after=');
line_refused('trigger http://x/ methd=PUT;', 'unknown parameter "methd"'
    . ' (did you mean "method"?) in "trigger" directive in init_checks "app"');

line_refused('check postgresql "host=x";', 'unknown check type "postgresql"'
    . ' (did you mean "postgres"?) in init_checks "app"');
line_refused('check files /x;', 'unknown check type "files"'
    . ' (did you mean "file"?) in init_checks "app"');
line_refused('check https https://x/;', 'unknown check type "https"'
    . ' (did you mean "http"?) in init_checks "app"');
line_refused('check mysql "host=x";', 'unknown check type "mysql" in'
    . ' init_checks "app": file, postgres, redis, http');
line_refused('check redis://:Hush@x/0 key=a;', 'unknown check type "..." in'
    . ' init_checks "app"');
line_refused('file /x;', '"check" is missing before "file" in init_checks'
    . ' "app"');
line_refused('postgres "host=x";', '"check" is missing before "postgres" in'
    . ' init_checks "app"');
line_refused('chek file /x;', 'unknown directive "chek" (did you mean'
    . ' "check"?) in init_checks "app"');
line_refused('dead_line 5m;', 'unknown directive "dead_line" (did you mean'
    . ' "deadline"?) in init_checks "app"');
line_refused('retry 5;', 'unknown directive "retry" in init_checks "app":'
    . ' check, interval');

refused('gate that is misspelled',
    'init_checks shop { check file /m; }
     server { location / { init_gate shpo; } }',
    'unknown init gate "shpo" (did you mean "shop"?)');
refused('gate that does not exist',
    'server { location / { init_gate app; } }',
    'unknown init gate "app", there is no "init_checks app"');

# names

my $long = 'a' x 65;

line_refused("check file /n name=$long;", "invalid value \"$long\" of"
    . ' parameter "name", it is longer than 64 characters in check "file" of'
    . ' type "file" in init_checks "app"');
refused('gate with a name of 65 characters',
    "init_checks $long { check file /m; }",
    "invalid name \"$long\" of init_checks: it is longer than 64 characters");
check_refused('file /m name=a/b', 'invalid value "a/b" of parameter "name",'
    . ' letters, digits, "_", "-" and "." are allowed');

# directives in the wrong place, or with the wrong arguments

my $outside = '"check" directive is allowed only in "init_checks NAME { ... }"';

refused('check in http', 'check file /m;', $outside);
refused('check in a server', 'server { check file /m; }', $outside);
refused('check in a location', 'server { location / { check file /m; } }',
    $outside);
refused('a variable as a gate', 'init_checks app { check file /m; }
    server { location / { init_gate $gate; } }',
    'invalid name "$gate" in "init_gate" directive: variables are not'
    . ' supported');
refused('init_ready app verbose', 'init_checks app { check file /m; }
    server { location / { init_ready app verbose; } }',
    'unknown init gate "verbose", which is an argument of requests, as in'
    . ' "/ready?verbose",');
refused('quotes in init_page', 'init_page title="Back";',
    'invalid parameter in "init_page" directive: write "title=Back", not'
    . ' title="Back"');
line_refused('check file;', 'invalid number of arguments in "check" directive'
    . ' of init_checks "app", it is "check TYPE TARGET [parameter ...]"');
line_refused('interval 1s 2s 3s;', 'invalid number of arguments in "interval"'
    . ' directive of init_checks "app", it is "interval TIME [TIME]"');
line_refused('interval 0.5s;', 'invalid time "0.5s" in "interval" directive'
    . ' of init_checks "app": it must be above 0');
line_refused('latch yes;', 'invalid value "yes" in "latch" directive of'
    . ' init_checks "app": it must be "on" or "off"');
line_refused('rise 0;', 'invalid number "0" in "rise" directive of init_checks'
    . ' "app": it must be at least 1');
line_refused('fall 2; fall 3;',
    '"fall" directive is duplicate in init_checks "app"');
line_refused('deadline off; deadline 5m;',
    '"deadline" directive is duplicate in init_checks "app"');
check_refused('http http://x/ status=6xx', 'invalid value "6xx" of parameter'
    . ' "status", it must be a list of status codes from 200 to 599 and'
    . ' ranges, as in 200-299,304 or 2xx');
check_refused('http x/ready',
    'the URL does not begin with "http://", "https://" or "unix:"');
check_refused('tcp db', 'the target has no port, it must be "host:port",'
    . ' "[address]:port" or "unix:/path"');

# accepted, since it is clear

valid($_, "init_checks app { check file /m;\n$_\n} $location")
    for 'deadline off;', 'check http http://x/ status=2xx;',
    'check http http://x/ status=2XX,304;',
    'check file /a name=a; check file /b name=b after=file,a;';

check_refused('file /m after=a,', 'invalid value "a," of parameter "after",'
    . ' it must be the name of another check of this gate, or several with'
    . ' commas');
refused('after= with an unknown name',
    'init_checks app { check file /a name=a after=b,c;
     check file /b name=b; }', 'check "a" of init_checks "app" is to run'
    . ' "after=c", but there is no such check');
refused('after= in a circle of two lists',
    'init_checks app { check file /a name=a after=b,c; check file /b name=b;
     check file /c name=c after=b,a; }',
    'check "a" of init_checks "app" depends on itself by "after="');

# targets that are not shown, since they may be a password

for my $check ('postgres u:Hush', 'redis redis://x db=Hush', 'tcp h:Hush',
    'tcp postgresql://h/d?password=Hush', 'postgres "host=x Hush"',
    'postgres u:Hush=x', 'http u:Hush@h', 'redis u:Hush@h',
    'tcp u:Hush@h:1', 'postgres postgres://u:Hush@h:x/')
{
    my ($status, @lines) = nginx_t("init_checks app {\ncheck $check;\n}");

    is($status, 1, "secret in a target: refused: $check");
    unlike("@lines", qr/Hush/, "secret in a target: not shown: $check");
}

# warnings

warned('only optional checks',
    "init_checks app { check file /m optional; } $location",
    'init_checks "app" is open from the start, since all its checks are'
    . ' optional');
warned('a gate that is not used', 'init_checks app { check file /m; }
    server { location / { init_status; } }',
    'init_checks "app" has no effect, since no location has "init_gate app" or'
    . ' "init_ready app"');
valid('a gate of init_ready', 'init_checks app { check file /m; }
    server { location / { init_ready; } }');
warned('init_hold without a gate', "init_checks app { check file /m; } $location
    server { location / { init_hold 5s; } }",
    '"init_hold" has no effect, since there is no "init_gate" for its'
    . ' requests');
valid('init_hold of another level',
    "init_hold 5s; init_checks app { check file /m; } $location");
valid('init_hold off without a gate',
    "init_checks app { check file /m; } $location
     server { location / { init_hold off; } }");
warned('init_gate beside init_status', "init_checks app { check file /m; }
    $location server { location / { init_gate app; init_status; } }",
    '"init_gate" has no effect beside "init_status"');
warned('init_gate beside init_ready', "init_checks app { check file /m; }
    $location server { location / { init_ready; init_gate app; } }",
    '"init_gate" has no effect beside "init_ready"');
valid('init_gate above init_ready', 'init_checks app { check file /m; }
    server { init_gate app; location / { init_ready; } }');
warned('the name of an upstream', "upstream app { server 127.0.0.1:1; }
    init_checks app { check http http://app/ready; } $location",
    'host "app" of check "http" of init_checks "app" is resolved by name, the'
    . ' servers of the upstream "app" are not probed');
valid('the host of a proxy_pass', "init_checks app {
    check http http://127.0.0.1/ready; } $location
    server { location / { proxy_pass http://127.0.0.1; } }");

check_warned('file ~/m', '"~" is literal in the target "~/m"');
check_warned('file $HOME/m', '"$" is literal in the target "$HOME/m"');
check_warned('file "/a/${name}"', '"$" is literal in the target "/a/${name}"');
check_warned('file /m failed=/$x/f', '"$" is literal in the failed "/$x/f"');
check_valid('file /price-in-$');
check_warned('postgres "host=x password=Hush"', 'the connection string'
    . ' contains a password, "password_file=" keeps it out of the'
    . ' configuration');
check_warned('postgres postgres://u:Hush@x', 'the connection string'
    . ' contains a password, "password_file=" keeps it out of the'
    . ' configuration');
check_warned('redis redis://u:Hush@x', 'the target contains a password,'
    . ' "password_file=" keeps it out of the configuration');
check_warned('http http://u:Hush@x/', 'the URL contains a password, which'
    . ' every reader of the configuration sees');
check_valid('http http://u@x/');
check_warned("$_ password_file=/no/such",
    '"password_file=/no/such": there is no such file')
    for 'redis redis://x', 'postgres "host=x"';
check_warned('postgres "host=x passfile=/no/such"',
    '"passfile=/no/such": there is no such file');

check_warned('postgres "host=x" migrations=rails', '"migrations" without'
    . ' "version" passes when rails has applied any migration and its table'
    . ' has not changed for 5000ms,');

# upstream, grpc, tcp, notify, json

sub upstream_refused {
    my ($line, $message) = @_;

    refused("check upstream $line", "init_checks app {\ncheck upstream $line;\n}
        upstream g { zone g 64k; server 127.0.0.1:1; }", "$message in check"
        . ' "upstream" of type "upstream" in init_checks "app"');
}

my $group = 'it must be the name of an "upstream" block';
my $target = 'it must be "host:port", "[address]:port" or "unix:/path"';
my $pointer = 'it must begin with "/", as in /status/ready';

upstream_refused('http://g http=/', "the target is a URL, $group");
upstream_refused('g/ready http=/',
    "the target has an invalid character in the host name, $group");
upstream_refused('g http=/ rise=2',
    'unknown parameter "rise" (it is a directive of init_checks)');
upstream_refused('g grpc=a service=b',
    'parameter "service" conflicts with "grpc=a"');
upstream_refused('g http=/ contains=x', 'unknown parameter "contains", allowed'
    . ' are http= grpc= tcp tls port= min= servers= once status= match= json='
    . ' value= header= host= method= body= body_file= token_file= verify= ca='
    . ' cert= key= sni= name= label= interval= timeout= optional after=');
check_refused('grpc http://x:1', "the target is a URL, $target");
check_refused('tcp tcp://u:Hush@x:1/', "the target is a URL, $target");
check_refused('http http://x/ json=$.status',
    qq(invalid value "\$.status" of parameter "json": $pointer));
check_refused('http http://x/ json="/status"',
    'write "json=/status", not json="/status"');
line_refused('check notify name=import;', 'the name of a notify check has no'
    . ' "name=": write "check notify import"');

# init_notify and init_control

my $token = $t->path('token');
my $notify = "init_checks app { check notify a; } $location
    server { server_name b; location /n/ { init_notify token_file=$token;";

$t->write('token', 'sesame');
valid('init_notify', "$notify } }");

for my $name (qw(init_notify init_control)) {
    refused("$name without a token file",
        "server { location /n/ { $name; } }", 'invalid number of arguments in'
        . qq( "$name" directive, it is "$name token_file=PATH"));
    refused("$name with a name",
        "server { location /n/ { $name app token_file=/t; } }",
        "invalid number of arguments in \"$name\" directive, it is"
        . qq( "$name token_file=PATH"));
    refused("$name with quotes",
        "server { location /n/ { $name token_file=\"/t\"; } }",
        qq(invalid parameter in "$name" directive: write "token_file=/t", not)
        . ' token_file="/t"');
    warned("$name with a missing file",
        "server { location /n/ { $name token_file=/no/such; } }",
        qq("token_file=/no/such" of "$name": there is no such file));
}

warned('init_notify before proxy_pass',
    "$notify proxy_pass http://127.0.0.1; } }", '"init_notify" has no effect,'
    . ' since another directive of its location answers requests');
warned('init_status before proxy_pass', "init_checks app { check file /m; }
    $location server { location / {
    init_status;\nproxy_pass http://127.0.0.1; } }", '"init_status" has no'
    . ' effect, since another directive of its location answers requests');
warned('init_ready after proxy_pass', "init_checks app { check file /m; }
    $location server { location / { proxy_pass http://127.0.0.1; init_ready;
    } }", '"init_ready" replaces another directive of this location that'
    . ' answers requests');

my $stored = "server { server_name b; location /n/ {
    init_notify token_file=$token; } } $location";

warned('a store without its directory',
    "init_checks app { check notify a store=/no/such/s; } $stored",
    '"store=/no/such/s": there is no directory "/no/such" in check "a" of type'
    . ' "notify" in init_checks "app"');
warned('a store that is a directory',
    "init_checks app { check notify a store=/tmp; } $stored",
    '"store=/tmp" is a directory, it must be a file in check "a" of type'
    . ' "notify" in init_checks "app"');

# init_page

refused('a misspelled word of init_page', 'init_page titel=x;',
    'unknown parameter "titel" (did you mean "title"?) in "init_page"');
refused('spaces around "=" in init_page', 'init_page title = x;',
    'a parameter of "init_page" has no spaces around "=": write "title=TEXT"');
refused('init_page without quotes', 'init_page title=Back soon;',
    'invalid parameter "soon" in "init_page" directive: an argument with'
    . ' spaces is quoted whole, as in "title=Back soon"');
refused('gates with commas', 'init_checks a { check file /m; }
    init_checks b { check file /m; }
    server { location / { init_gate a,b; } }',
    'unknown init gate "a,b", names are separated by spaces');

# the environment of nginx -t is not that of the workers

{
    local $ENV{PGSERVICE} = 'none';
    local $ENV{PGPORT} = 'none';
    check_valid('postgres "host=x"');
}

done_testing;
