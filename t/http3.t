#!/usr/bin/perl

# HTTP/3: a request is refused, gets the waiting page or the gRPC status, is
# held until the gate opens, and is counted when its client leaves.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use JSON::PP;

plan(skip_all => 'nginx has no HTTP/3')
    if `@{[InitGate::binary()]} -V 2>&1` !~ /--with-http_v3_module/;
plan(skip_all => 'curl has no HTTP/3') if `curl -V 2>&1` !~ /\bHTTP3\b/;

my $t = InitGate->new;
my ($certificate, $key) = $t->certificate('localhost');

# the UDP port of 127.0.0.1 is the lock of InitGate::Port

$t->run(status => 8080, http => <<"CONF");
    init_checks app { check file %%DIR%%/marker;  interval 50ms; }
    init_checks never { check file %%DIR%%/never;  interval 50ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }

    # reuseport: so that all packets of a client reach the same worker

    server {
        listen 127.0.0.2:%%PORT_8443%% quic reuseport;

        ssl_certificate $certificate;
        ssl_certificate_key $key;

        location / { init_gate app;  empty_gif; }
        location = /held { init_gate app;  init_hold 60s;  empty_gif; }
    }

    server {
        listen 127.0.0.2:%%PORT_8444%% quic reuseport;

        ssl_certificate $certificate;
        ssl_certificate_key $key;

        # of an idle connection

        keepalive_timeout 5s;

        location / { init_gate never;  init_hold 60s;  empty_gif; }
    }
CONF

my @curl = (qw(curl -sk --http3-only));
my $url = 'https://127.0.0.2:' . $t->port(8443);

sub get {
    my ($uri, @options) = @_;

    open my $pipe, '-|', @curl, '-i', '-m', patience(30), '-w',
        "\n%{http_version}", @options, "$url$uri" or die "curl: $!";
    my $said = do { local $/; <$pipe> } // '';
    close $pipe;

    my ($head, $body) = split /\r?\n\r?\n/, $said, 2;
    my $version = '';

    $body //= '';
    $version = $1 if $body =~ s/\n(\S+)\z//;

    return ($head // '', $body, $version);
}

$t->wait_state('initializing');

my ($head, $body, $version) = get('/');
is($version, 3, 'closed: HTTP/3');
like($head, qr{^HTTP/3 503}, 'closed: refused');
like($head, qr{^x-init-gate: app; state=initializing}mi, 'closed: X-Init-Gate');
is(eval { decode_json($body)->{gate} }, 'app', 'closed: JSON');

($head, $body) = get('/', '-H', 'Accept: text/html');
like($head, qr{^HTTP/3 503.*^content-type: text/html}msi,
    'browser: waiting page');
like($body, qr{</html>\s*\z}, 'browser: page is complete');

($head, $body) = get('/', '-I');
like($head, qr{^HTTP/3 503.*^content-length: [1-9]}msi, 'HEAD: headers');

($head) = get('/', '-X', 'POST', '-H', 'Content-Type: application/grpc',
    '-H', 'TE: trailers');
like($head, qr{^HTTP/3 200.*^grpc-status: 14}msi, 'gRPC: UNAVAILABLE');


# held until the gate opens

sub in_background {
    my ($url, $file) = @_;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDOUT, '>', $t->path($file);
        { no warnings; exec @curl, '-m', patience(60), '-w', '%{http_code}',
            '-o', '/dev/null', $url }
        POSIX::_exit(127);
    }

    return $pid;
}

my $held = in_background("$url/held", 'held');

ok($t->wait_held(1, 'app'), 'closed: request held');
$t->write('marker');
waitpid $held, 0;
is($t->read('held'), '200', 'opened: held request passes');
is($t->gate('app')->{held}, 0, 'opened: no request is held');

($head, undef, $version) = get('/');
like($head, qr{^HTTP/3 200}, 'open: passes');

# a client that sends nothing any more, not even the end of its connection

my $left = in_background('https://127.0.0.2:' . $t->port(8444) . '/', 'left');

ok($t->wait_held(1, 'never'), 'other gate: request held');
kill 'KILL', $left;
waitpid $left, 0;
$t->wait_for(sub { $t->gate('never')->{gone} == 1 },
    'the request to be counted as gone');
is($t->gate('never')->{held}, 0, 'client left: no request is held');

done_testing;
