#!/usr/bin/perl

# No password is revealed: in the error log at debug level, the access log, any
# response, the message of nginx -t on an invalid line, or a process title; not
# even if a server repeats it.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;
use InitGate::Load;
use InitGate::Postgres qw(psql hba startup authentication error);
use MIME::Base64;

# readable only for the user of the workers
my $user = getpwnam('www-data') ? 'www-data' : 'nobody';
my $t = InitGate->new(workers => 1, main => "user $user;");

# each secret has a number, and is found whole or in part, plain or encoded

my $secrets = 0;
my $mark = 'Hush7';
my %where;

sub secret {
    my ($name) = @_;

    my $secret = sprintf '%s%02dxQz', $mark, ++$secrets;
    $where{$secret} = $name;

    return $secret;
}

sub file {
    my ($name) = @_;

    my $secret = secret($name);
    my $path = $t->write("secret.$secrets", "$secret\n");
    chmod 0644, $path;

    return $path;
}

my $base64 = quotemeta substr encode_base64($mark, ''), 0, 4;

sub reveals {
    my ($text) = @_;

    my %found;
    $found{$where{$1} // $1}++ while $text =~ /(\Q$mark\E\w*)/gi;
    $found{base64}++ if $text =~ /$base64/;

    return join ', ', sort keys %found;
}

sub no_secret {
    my ($text, $name) = @_;

    my $found = reveals($text);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($found, '', $name) or diag(join "\n", grep { reveals($_) }
        split /\n/, $text);
}

like(reveals("x${mark}01y"), qr/./, 'plain secret: found');
like(reveals(encode_base64("${mark}01")), qr/base64/,
    'secret in base64: found');


# servers that repeat what they receive

my $echo_http = InitGate::Fake->new(sub {
    my ($c) = @_;
    my $all = $c->read_until(qr/\r\n\r\n/) // return;
    my $token = $all =~ /(\Q$mark\E\w*)/ ? $1 : '';
    $c->send("HTTP/1.1 403 Not $token\r\nX-No: $token\r\n"
        . "Connection: close\r\n\r\nnot $token");
});
my $echo_json = InitGate::Fake->new(sub {
    my ($c) = @_;
    my $all = $c->read_until(qr/\r\n\r\n/) // return;
    my $token = $all =~ /(\Q$mark\E\w*)/ ? $1 : '';
    $c->send("HTTP/1.1 200 x\r\nConnection: close\r\n\r\n{\"is\":\"$token\"}");
});
my $echo_line = InitGate::Fake->new(sub {
    my ($c) = @_;
    my $all = $c->read_until(qr/\r\n\r\n/) // return;
    $all =~ s/\r\n/ /g;
    $c->send("$all\r\n\r\n");
});
my $echo_redis = InitGate::Fake->new(sub {
    my ($c) = @_;
    my $all = $c->read_until(qr/AUTH.*\r\n/s) // return;
    $all .= $c->read_until(qr/\Q$mark\E\w*\r\n/) // '' if $all !~ /$mark/;
    my ($token) = $all =~ /(\Q$mark\E\w*)/;
    $c->send("-ERR unknown command 'AUTH', with args beginning with: "
        . "'$token'\r\n" x 3);
    $c->hang;
});
my $echo_postgres = InitGate::Fake->new(sub {
    my ($c) = @_;
    startup($c) or return;
    $c->send(authentication(3));
    my $said = $c->read_until(qr/\0\z/) // return;
    my ($token) = $said =~ /(\Q$mark\E\w*)/;
    $c->send(error('28P01', "password \"$token\" is wrong"));
});
my $echo_options = InitGate::Fake->new(sub {
    my ($c) = @_;
    my $words = startup($c) or return;
    $c->send(error('XX000', join ' ', %$words));
});
my %echo = (http => $echo_http, json => $echo_json, line => $echo_line, redis => $echo_redis,
            postgres => $echo_postgres, options => $echo_options);
$_ = $_->port for values %echo;


# real servers

my $pg = $t->postgres;
my $right = secret('postgres password');
psql($pg, "CREATE ROLE app LOGIN PASSWORD '$right'");
hba($pg, "host all all 127.0.0.1/32 scram-sha-256");
my $db = '127.0.0.1:' . $pg->port;
my $conninfo = 'host=127.0.0.1 port=' . $pg->port . ' dbname=test user=app';
$t->write('secret.right', "$right\n");
$t->write('passfile', "*:*:*:*:" . secret('passfile'));
chmod 0600, $t->path('passfile');
chown scalar getpwnam($user), -1, $t->path('passfile');

my $server = $t->redis;
my $redis = $server->client;
my $cache = $server->at;
my $auth = secret('redis password');
$redis->acl('SETUSER', 'gate', 'on', ">$auth", '~*', '+@all');
$redis->set(warm => 'yes');


my @checks = (
    qq{postgres "$conninfo password=$right"},
    qq{postgres "$conninfo" password_file=%%DIR%%/secret.right},
    qq{postgres "$conninfo password=} . secret('wrong, postgres') . '"',
    qq{postgres "$conninfo passfile=%%DIR%%/passfile"},
    "postgres postgresql://app:" . secret('wrong, URI') . "\@$db/test",
    "postgres postgresql://app:$right\@$db/none",
    qq{postgres "$conninfo password=$right" "query=select 1/0"},
    qq{postgres "$conninfo password=$right" tables=none},
    'postgres "host=127.0.0.1 port=1 user=a password=' . secret('down') . '"',
    'postgres "host=no.example user=a password=' . secret('no host') . '"',
    "postgres \"host=127.0.0.1 port=$echo{postgres} user=a sslmode=disable"
        . ' password=' . secret('postgres echo') . '"',
    "postgres \"host=127.0.0.1 port=$echo{postgres} user=a\" password_file="
        . file('postgres echo, file'),
    "postgres \"host=127.0.0.1 port=$echo{http} user=a password="
        . secret('postgres at http') . '"',
    "redis redis://gate:$auth\@$cache",
    "redis redis://gate:$auth\@$cache key=warm value=no",
    "redis redis://gate:" . secret('wrong, redis') . "\@$cache",
    "redis redis://gate\@$cache password_file=" . file('wrong, redis file'),
    'redis redis://:' . secret('redis down') . '@127.0.0.1:1',
    'redis redis://:' . secret('redis no host') . '@no.example',
    'redis redis://:' . secret('redis echo') . "\@127.0.0.1:$echo{redis}",
    "redis redis://a\@127.0.0.1:$echo{redis} password_file="
        . file('redis echo, file'),
    'redis redis://:' . secret('redis at http') . "\@127.0.0.1:$echo{http}",
    "redis redis://gate:$auth\@$cache sentinel=none",
    'redis rediss://:' . secret('rediss') . "\@$cache",
    "http http://127.0.0.1:$echo{http}/ \"header=Authorization: Bearer "
        . secret('http') . '"',
    "http http://127.0.0.1:$echo{http}/?token=" . secret('http query'),
    "http http://127.0.0.1:$echo{line}/ \"header=X-Token: "
        . secret('http line') . '"',
    "http http://127.0.0.1:$echo{http}/ match=no status=403 \"header=T: "
        . secret('http match') . '"',
    "http http://127.0.0.1:$echo{redis}/ \"header=T: AUTH "
        . secret('http at redis') . '"',
    "http http://127.0.0.1:$echo{json}/ json=/is value=no \"header=T: Bearer "
        . secret('http json') . '"',
    "http http://127.0.0.1:$echo{json}/ json=/is value=no token_file="
        . file('http json, token'),
    "http http://127.0.0.1:$echo{json}/ json=/is min=1 token_file="
        . file('http json, token, min'),
    "http http://127.0.0.1:$echo{line}/ token_file=" . file('http token'),
    "http http://127.0.0.1:$echo{http}/ body=password="
        . secret('http body'),
    "http http://127.0.0.1:$echo{http}/ body_file=" . file('http body, file'),
    'http http://127.0.0.1:1/ token_file=' . file('http token, down'),
    'http http://127.0.0.1:1/ "header=T: ' . secret('http down') . '"',
    'http http://no.example/ "header=T: ' . secret('http no host') . '"',
);

my $n = 0;
my $checks = join "\n", map {
    my $time = $n =~ /^(?:0|2|3|10|13|15)$/ ? '1m' : patience(500) . 'ms';
    "check $_ name=c" . $n++ . " timeout=$time;"
} @checks;
my $trigger = secret('trigger');
my $trigger_line = secret('trigger line');

# errors of checks are logged

$t->run(http => InitGate::Load::LOG . <<"CONF");
    init_checks app {
        interval 100ms;  backoff 100ms;
        trigger http://127.0.0.1:$echo{http}/
            "header=Authorization: Bearer $trigger";
        check file /no;
        $checks
    }
    init_checks other {
        backoff 100ms;
        trigger http://127.0.0.1:$echo{line}/?token=$trigger_line
            "header=Authorization: Bearer $trigger_line";
        check file /no;
    }
    init_checks down {
        backoff 100ms;
        trigger http://127.0.0.1:1/ "header=Authorization: $trigger";
        check file /no;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
        location = /public { init_status; }
        location = /html { init_status details=on format=html; }
        location = /metrics { init_status format=prometheus; }
        location = /ready { init_ready; }
    }
CONF

sub state {
    return map { $_->{name} => join ' ', $_->{verdict}, $_->{reason} // () }
        @{$t->gate->{checks}};
}

$t->wait_for(sub {
    !grep { $_->{attempts} < 2 } @{$t->gate->{checks}};
}, 'two probes of each check');
$t->wait_for(sub {
    !grep { $_->{trigger}{attempts} < 2 } $t->gates;
}, 'triggers');

my %state = state();
note("c$_: $state{\"c$_\"}, $checks[$_]") for 0 .. $#checks;

# right and wrong passwords, of PostgreSQL and of Redis

settles($t, "c$_", 'passed') for 0, 13;
settles($t, "c$_", 'error auth') for 2, 3, 15;

for my $accept ('application/json', 'application/problem+json', 'text/html',
    'text/plain')
{
    for my $uri (qw(/ /init /public /html /metrics /ready)) {
        my $answer = $t->get($uri, headers => { Accept => $accept });
        no_secret(join("\n", %{$answer->{headers}}) . $answer->{content},
            "$uri, $accept: no secret");
    }
}

no_secret($t->raw("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    . "Content-Type: application/grpc\r\nContent-Length: 0\r\n\r\n"),
        'gRPC: no secret');

my @commands = map { $_->{command} } grep { $_->{command} =~ /nginx/ }
    $t->processes;
cmp_ok(scalar @commands, '>=', 2, 'process titles: found');
no_secret("@commands", 'process titles: no secret');

# a server that repeats the password, and one that does not

settles($t, 'c10', 'error auth', qr/repeats the password/);
settles($t, 'c2', 'error auth', qr/authentication failed/);

# a reload, and the exit of nginx

$t->reload;
$t->wait_for(sub { $t->get('/ready')->{status} }, 'the new workers');


# invalid lines

my $s = secret('wrong line');

for my $line (
    "postgres host=db password=$s", "postgres \"host=db password='$s\"",
    "postgres \"host=db password= $s $s\"", "postgres \"password $s\"",
    "postgres \"host=db password=$s\" password_file=/x",
    "postgres \"host=db password=$s nothing=1\"",
    "postgres \"host=db password=$s port=99999999\"",
    "postgres \"host=db password=$s sslmode=odd\"",
    "postgres \"host=db password=$s service=none\"",
    "postgres \"host=db password=$s connect_timeout=x\" interval=x",
    "postgres postgres://u:$s\@[::1", "postgres postgres://u:$s%zz\@h/db",
    "postgres postgres://u:$s\@h:port:1/db", "postgres postgres://u:$s",
    "postgres postgres://u:$s\@h/db?nothing=1",
    "postgres postgres://u:$s\@h/db?password=$s&password",
    "postgres postgres://h/db?password=$s&$s=1",
    "postgres postgres://u:$s\@h/db tables=",
    "postgres postgress://u:$s\@h/db",
    "postgres://u:$s\@h/db name=db", "redis://:$s\@h name=db",
    "http://u:$s\@h/ name=x", "password=$s host=db",
    "redis redis://:$s\@h:port", "redis redis://:$s\@h/x",
    "redis redis://:$s%zz\@h", "redis redis://:$s\@", "redis redis://:$s",
    "redis redis://:$s\@h?password=$s", "redis redis://h?password=$s",
    "redis redis:://:$s\@h", "redis http://:$s\@h", "redis :$s\@h",
    "redis redis://:$s\@h password_file=/x", "redis redis://h password=$s",
    "redis redis://:$s\@h,redis://:$s\@i", "redis unix://u:$s\@relative",
    "redis redis://:$s\@h:1:2 sentinel=a",
    "redis redis://:$s\@[::1", "redis redis://:$s\@h key=a min=x",
    "http ftp://u:$s\@h/", "http u:$s\@h",
    "http http://h/ \"header=Authorization $s\"",
    "http http://h/ \"header=: $s\"", "http http://h/ \"header=A b: $s\"",
    "http http://h/ \"header=Host: $s\" host=x",
    "http http://h/ \"header=Authorization: $s\n\"",
    "http http://h/ \"header=Authorization: $s\" status=x",
    "http http://h/ header=Authorization: $s",
    "http http://h/ Authorization: $s", "http http://h/ token=$s",
    "http http://h/ \"body=$s\" method=HEAD", "http http://h/ body=$s body_file=/",
    "http http://h/ body=\"$s\"", "http http://h/ body=$s $s",
    "http http://u:$s\@h/ token_file=/x",
    "http http://h/ header=Authorization:$s token_file=/x",
    "http http://h:port/?token=$s", "http http://[::1/?token=$s",
    "tcp u:$s\@h:1", "tcp tcp://u:$s\@h", "tcp h:1 password=$s",
    "file /x password=$s",
) {
    my ($status, $said) = $t->conf_error(
        "init_checks app {\n check $line;\n }");
    is($status, 1, "refused: $line") or next;
    no_secret($said, "... and not repeated");
}

for my $line ("ftp://u:$s\@h/", "http://h/ \"header=Authorization $s\"",
    "http://h/ Bearer $s", "http://h/ header=Authorization: $s",
    "http://h/ token=$s", "http://h/ \"header=$s\"",
    "http://h/ \"header=A: $s\" method=\"G T\"")
{
    my ($status, $said) = $t->conf_error(
        "init_checks app {\n check file /x;\n trigger $line;\n }");
    is($status, 1, "refused: trigger $line") or next;
    no_secret($said, "... and not repeated");
}

$t->quit;

# At debug level nginx logs the headers of requests to itself, none of which
# had a secret.

no_secret($t->log, 'error log at debug level: no secret');
no_secret($t->read('decisions.log'), 'access log: no secret');
no_secret($t->read('said'), 'output of nginx: no secret');

done_testing;
