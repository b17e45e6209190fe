package Bench::Subjects;

# The subjects: parts of an nginx configuration, and two other proxies.
#
# Each has a name, a family (the others are compared with the first of the
# family), and the arguments of Bench::Nginx and InitGate::Callgrind, or a
# "start" of its own.

use strict;
use warnings;

use Bench;
use Bench::Nginx;
use POSIX ();

# to be read by the gate, with JSON as the outcome
my $accept = 'text/plain, application/json;q=0.9, */*;q=0.1';

my $page = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';


# the application behind the proxies

sub backend {
    return Bench::Nginx->new(module => 0, location => 'empty_gif;',
        server => 'location = /ready { return 204; }');
}


sub all {
    my ($backend) = @_;

    my $dir = Bench::directory();
    my ($body, $headers, $page_body) = refusal($dir);

    # as long as the waiting page
    open my $file, '>', "$dir/page.html" or die $!;
    print $file $page_body;
    close $file or die $!;

    Bench::touch(map { "$dir/marker$_" } 1 .. 3);

    return (open_ones($dir, $backend->port),
            closed_ones($dir, $body, $headers),
            proxied_ones($dir, $backend->port));
}


sub open_ones {
    my ($dir, $port) = @_;

    my $gates = join '', map {
        "    init_checks gate$_ { check file $dir/marker$_; }\n"
    } 1 .. 3;

    my $auth = 'auth_request /auth; empty_gif; location = /auth {'
               . ' auth_request off;';

    return map { +{ family => 'open', module => 0, expect => 200, %$_ } } (
        { name => 'plain nginx', location => 'empty_gif;' },
        { name => 'module loaded, not used', module => 1,
          location => 'empty_gif;' },
        { name => 'gate, open', module => 1, http => $gates,
          location => 'init_gate gate1; empty_gif;' },
        { name => 'three gates, open', module => 1, http => $gates,
          location => 'init_gate gate1 gate2 gate3; empty_gif;' },
        { name => '`if (!-f marker)`',
          location => "if (!-f $dir/marker1) { return 503; } empty_gif;" },
        { name => 'Lua shared dictionary',
          main => 'load_module /usr/lib/nginx/modules/ndk_http_module.so;
                   load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;',
          http => 'lua_shared_dict gate 1m;
                   init_by_lua_block { ngx.shared.gate:set("ready", true) }',
          location => 'access_by_lua_block {
                           if not ngx.shared.gate:get("ready") then
                               return ngx.exit(503)
                           end
                       } empty_gif;' },
        { name => '`auth_request`, local',
          location => "$auth return 204; }" },
        { name => '`auth_request`, readiness URL',
          http => upstream($port),
          location => "$auth proxy_pass http://app/ready;
                       proxy_pass_request_body off;
                       proxy_set_header Content-Length ''; }" },
    );
}


sub closed_ones {
    my ($dir, $body, $headers) = @_;

    my $gate = "init_checks closed { check file $dir/missing interval=1h; }";
    my @gate = (module => 1, http => $gate, location => 'init_gate closed;',
                ready => sub { $_[0] =~ /^X-Init-Gate: closed; state=init/m });

    my $native = "default_type application/json;\n" . join('', map {
        qq{add_header $_ "$headers->{lc $_}" always;\n}
    } qw(Cache-Control Vary X-Init-Gate Retry-After)) . "return 503 $body;";

    return map { +{ family => 'closed', module => 0, expect => 503, %$_ } } (
        { name => 'nginx, `return 503`', location => $native },
        { name => 'gate, closed: JSON', @gate },
        { name => '`if (!-f marker)`, closed: nginx\'s own page',
          location => "if (!-f $dir/missing) { return 503; } empty_gif;" },
        { family => 'accept', name => 'nginx, `return 503`, with an Accept',
          location => $native, accept => $accept },
        { family => 'accept', name => 'gate, closed: JSON, an Accept to read',
          @gate, accept => $accept },
        { family => 'page', name => 'nginx, `error_page 503` and a file',
          location => "error_page 503 /page.html; return 503;
                       location = /page.html { root $dir; }",
          accept => $page },
        { family => 'page', name => 'gate, closed: waiting page', @gate,
          accept => $page },
    );
}


sub proxied_ones {
    my ($dir, $port) = @_;

    my $gate = "init_checks gate { check file $dir/marker1; }\n";

    return map { +{ family => 'proxied', module => 0, expect => 200, %$_ } } (
        { name => 'plain nginx, proxying', http => upstream($port),
          location => 'proxy_pass http://app;' },
        { name => 'gate, open, proxying', module => 1,
          http => $gate . upstream($port),
          location => 'init_gate gate; proxy_pass http://app;' },
        { name => 'HAProxy, `nbsrv`', start => sub { haproxy($port) } },
        { name => 'Caddy, active health checks',
          start => sub { caddy($port) } },
    );
}


sub upstream {
    my ($port) = @_;

    return <<"CONF";
    upstream app { server 127.0.0.1:$port; keepalive 64;
                   keepalive_requests 1000000000; }
    proxy_http_version 1.1;
    proxy_set_header Connection "";
CONF
}


# the response of the gate, so that nginx's own has the same length

sub refusal {
    my ($dir) = @_;

    my $nginx = Bench::Nginx->new(location => 'init_gate closed;',
        http => "init_checks closed { check file $dir/missing; }");
    my $socket = Bench::connected($nginx->port);

    my $answer = Bench::wait_for(sub {
        my $got = Bench::ask($socket, '/');
        $got =~ /state=initializing/ ? $got : undef;
    }, 'the refusal');

    my (undef, $page_body) = split /\r\n\r\n/,
        Bench::ask($socket, '/', $page), 2;
    my ($head, $body) = split /\r\n\r\n/, $answer, 2;
    my %headers = map { /^([^:]+): (.*)/ ? (lc $1 => $2) : () }
        split /\r\n/, $head;

    $nginx->stop;

    return ('x' x length $body, \%headers, $page_body);
}


# starts a subject: its port, and the processes to measure

sub start {
    my ($subject) = @_;

    my $running;

    if ($subject->{start}) {
        $running = $subject->{start}->();

    } else {
        my $nginx = Bench::Nginx->new(map { $_ => $subject->{$_} // '' }
            qw(main http location module));
        $running = { port => $nginx->port, pids => [$nginx->workers],
                     keep => $nginx };
    }

    my $socket = Bench::connected($running->{port});
    my $ready = $subject->{ready} // sub { 1 };

    Bench::wait_for(sub {
        my $answer = eval { Bench::ask($socket, '/', $subject->{accept}) };

        $socket = Bench::connected($running->{port}) if !defined $answer;

        defined $answer && Bench::status($answer) == $subject->{expect}
            && $ready->($answer);
    }, "an answer of $subject->{name}");

    return $running;
}


sub haproxy {
    my ($backend) = @_;

    my ($dir, $port) = (Bench::directory(), Bench::port());

    return other($dir, $port, <<"CONF", qw(haproxy -q -db -f));
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend front
    bind 127.0.0.1:$port
    http-request return status 503 if !{ nbsrv(app) ge 1 }
    default_backend app
backend app
    http-reuse always
    option httpchk GET /ready
    server one 127.0.0.1:$backend check inter 1s
CONF
}


sub caddy {
    my ($backend) = @_;

    my ($dir, $port) = (Bench::directory(), Bench::port());

    # as many threads as the others have
    local @ENV{qw(GOMAXPROCS HOME)} = (1, $dir);

    return other($dir, $port, <<"CONF", qw(caddy run --adapter caddyfile),
{
    admin off
    auto_https off
}
http://:$port {
    bind 127.0.0.1
    reverse_proxy 127.0.0.1:$backend {
        health_uri /ready
        health_interval 1s
    }
}
CONF
        '--config');
}


sub other {
    my ($dir, $port, $conf, @command) = @_;

    open my $file, '>', "$dir/conf" or die $!;
    print $file $conf;
    close $file or die $!;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDOUT, '>', "$dir/said";
        open STDERR, '>&', \*STDOUT;
        exec @command, "$dir/conf" or POSIX::_exit(127);
    }

    my $process = bless { pid => $pid, owner => $$ }, 'Bench::Nginx';

    return { port => $port, pids => [$pid], keep => $process };
}

1;
