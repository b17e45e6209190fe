#!/usr/bin/perl

# Public responses have names, verdicts and reasons, and neither
# parameters of checks nor responses of servers: no paths, hosts, ports,
# tables, keys, values, versions or messages.  The details have all of these.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Postgres qw(startup error);

my $t = InitGate->new(workers => 1);

# in all texts that are not public

my $mark = 'inner7';

my $postgres = InitGate::Fake->new(sub {
    startup($_[0]) or return;
    $_[0]->send(error('57P03', "$mark </script><b> \"\\ \x01 says no"));
})->port;
my $redis = InitGate::Fake->new(sub {
    $_[0]->read_until(qr/\r\n/) or return;
    $_[0]->send("-ERR $mark </script><b> \"\\\r\n");
    $_[0]->hang;
})->port;
my $http = InitGate::Fake->new(sub {
    $_[0]->read_until(qr/\r\n\r\n/) or return;
    $_[0]->send("HTTP/1.1 418 $mark\r\nServer: $mark/1.2.3\r\n"
        . "Content-Length: 6\r\n\r\n$mark");
})->port;

# the longest names, with all characters that are allowed

my $long = 'a.B_9-' . 'x' x 58;
my $gate = 'G.-_0' . 'y' x 59;

$t->write("$mark/failed", "$mark </script><b>\n");
$t->write("$mark/progress", "42% $mark </script>\n");

$t->run(http => <<"CONF");
    log_format seen '\$init_gate \$init_gate_state \$init_gate_progress '
        '\$init_gate_retry_after \$init_gate_waiting';
    init_checks $gate {
        check file %%DIR%%/$mark/none  name=$long;
        check file %%DIR%%/$mark/failed  contains=${mark}x  name=content;
        check file %%DIR%%/$mark/none  progress=%%DIR%%/$mark/progress
            name=progress;
        check postgres "host=127.0.0.1 port=$postgres user=$mark dbname=$mark"
            tables=$mark,other.$mark  optional;
        check redis redis://127.0.0.1:$redis/7  key=$mark  value=$mark;
        check http http://127.0.0.1:$http/$mark  host=$mark  match=${mark}y
            "header=X: $mark";
        check http http://$mark.example/  name=nameless;
        check tcp 127.0.0.1:1;
        interval 50ms;  backoff 50ms;  timeout 500ms;
        trigger http://127.0.0.1:$http/$mark/trigger  host=$mark;
    }
    init_checks broken {
        check file %%DIR%%/$mark/none  failed=%%DIR%%/$mark/failed;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/seen.log seen;
        location / { init_gate $gate;  empty_gif; }
        location = /broken { init_gate broken $gate;  empty_gif; }
        location = /waits { init_gate $gate;  init_hold 10ms;  empty_gif; }
        location = /off { init_gate $gate;  init_response off;  empty_gif; }
        location = /status { init_status;  access_log off; }
        location = /metrics { init_status format=prometheus; }
        location = /ready { init_ready; }
        location = /details { init_status details=on;  access_log off; }
    }
CONF

my ($all, $details);

$t->wait_for(sub {
    $details = $t->get('/details')->{content};
    $all = JSON::PP::decode_json($details)->{gates};
    return !grep { $_->{verdict} eq 'pending' } map { @{$_->{checks}} } @$all;
}, 'verdicts');

my $inner = qr/$mark|127\.0\.0\.1|\Q@{[$t->dir]}\E|\/init-gate|example|
               $postgres|$redis|$http|57P03|418/xi;

cmp_ok(scalar(() = $details =~ /$inner/g), '>', 10, 'details: have all of it');

my %verdict = map { $_ => 1 }
    qw(pending passed waiting running failed error);

sub names {
    my ($where, $shown) = @_;

    is_deeply([map { $_->{name} } @{$shown->{checks}}],
        [map { $_->{name} } map { @{$_->{checks}} }
            grep { $_->{gate} eq $shown->{gate} } @$all], "$where: names");
    is(join(' ', grep { !$verdict{$_->{verdict}}
        || ($_->{reason} // 'x') !~ /^[a-z_]+$/
        || keys %$_ != 2 + exists($_->{reason}) + exists $_->{required} }
        @{$shown->{checks}}), '', "$where: verdicts and reasons");
}

for my $uri (qw(/ /broken /waits /off /status /metrics /ready /status?format=html
    /status?format=prometheus /status?details=on /ready?verbose))
{
    for my $accept (qw(application/json application/problem+json text/html
        text/plain */*))
    {
        my $answer = $t->get($uri, headers => { Accept => $accept });
        my $type = $answer->{headers}{'content-type'} // '';

        my @found = join("\n", %{$answer->{headers}}, $answer->{content})
            =~ /($inner)/g;
        is("@found", '', "$uri, $accept: $answer->{status} $type");

        next if $type !~ /json/;

        my $json = JSON::PP::decode_json($answer->{content});
        names("$uri, $accept", $_) for $json->{gates} ? @{$json->{gates}}
            : $json->{checks} ? $json : ();
    }
}

my $grpc = $t->raw("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    . "Content-Type: application/grpc\r\nContent-Length: 0\r\n\r\n");
like($grpc, qr/^grpc-status: 14\r$/mi, 'gRPC: status');
unlike($grpc =~ s/^Server:.*$//mr, $inner, 'gRPC: message');

$t->wait_for(sub { $t->read('seen.log') =~ /^broken/m }, 'the log');
unlike($t->read('seen.log'), $inner, 'access log: variables');
like($t->read('seen.log'), qr/^\Q$gate\E initializing .*\Q$long\E/m,
    'access log: names');

done_testing;
