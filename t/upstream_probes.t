#!/usr/bin/perl

# upstream: what each server is asked, at which address, how often, and how
# many are needed.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Grpc;

my $t = InitGate->new(status => 8080);

# a port of the servers is ready if there is a file of its name

my $s = InitGate->new(module => 0, workers => 1, level => 'info');
my ($certificate, $key) = $s->certificate('tls');
my @names = qw(port local once all other beside forced closing rise after tls);
my %port;
my $number = 1;

$port{$_} = $s->port($number++) for @names;

$s->run(http => <<"CONF" . join '', map { <<"CONF" } grep { $_ ne 'tls' } @names);
    log_format servers '\$server_port \$request_uri \$http_host \$http_connection \$http_x_a';
    server {
        listen 127.0.0.1:$port{tls} ssl;
        ssl_certificate $certificate;
        ssl_certificate_key $key;
        location / { return 200; }
    }
CONF
    server {
        listen 127.0.0.1:$port{$_};
        access_log %%DIR%%/access.log servers;
        @{[$_ eq 'local' ? 'listen unix:%%DIR%%/server.sock;' : '']}
        location / { if (!-f %%DIR%%/ready_$_) { return 503; } return 200; }
    }
CONF

sub ready { $s->write("ready_$_") for @_ }
sub unready { $s->remove("ready_$_") for @_ }
sub probes { grep { /^$port{$_[0]} / } split /\n/, $s->read('access.log') }

ready(qw(port local once all beside closing rise after));

my $text = InitGate::Fake->new(sub { $_[0]->send($_[0]->word || 'later') });
my $silent = InitGate::Fake->silent;
my $socket = $s->path('server.sock');

my $grpc = InitGate::Grpc->new;
$grpc->set('' => 'SERVING', 'shop.Orders' => 'NOT_SERVING');

my $dead = $t->port(2);

# group => [servers, check, lines of init_checks]

my %group = (
    grpc    => ["127.0.0.1:" . $grpc->port, 'grpc'],
    service => ["127.0.0.1:" . $grpc->port, 'grpc=shop.Orders'],
    tcp     => ["127.0.0.1:@{[$text->port]}", 'tcp'],
    text    => ["127.0.0.1:@{[$text->port]}", 'tcp contains=now'],
    tls     => ["127.0.0.1:$port{tls}", "http=/ tls ca=$certificate"],
    unknown => ["127.0.0.1:$port{tls}", "http=/ tls"],
    port    => ["127.0.0.1:$dead", "http=/ready?x=1 port=$port{port} "
        . 'host=app.example "header=X-A: b"'],
    local   => ["unix:$socket", 'http=/ready'],
    once    => ["127.0.0.1:$port{once}", 'http=/ once'],
    all     => ["127.0.0.1:$port{all} 127.0.0.1:$port{other}", 'http=/ min=all'],
    two     => ["127.0.0.1:$port{all} 127.0.0.1:$port{other}", 'http=/ min=2'],
    beside  => ["127.0.0.1:@{[$silent->port]} 127.0.0.1:$port{beside}", 'http=/'],
    forced  => ["127.0.0.1:$port{forced}", 'http=/', 'deadline 1s open;'],
    closing => ["127.0.0.1:$port{closing}", 'http=/', 'latch off; fall 2;'],
    rise    => ["127.0.0.1:$port{rise}", 'http=/', 'rise 3;'],
    after   => ["127.0.0.1:$port{after}", 'http=/ after=marker',
        'check file %%DIR%%/marker name=marker;'],
);

my $conf = '';
my $locations = '';

for my $name (sort keys %group) {
    my ($servers, $check, $more) = @{$group{$name}};

    $conf .= "    upstream $name { zone $name 64k; "
        . join('', map { "server $_; " } split / /, $servers) . "}\n"
        . "    init_checks $name { check upstream $name $check name=servers; "
        . 'interval 100ms 200ms; timeout 30s; backoff 200ms; '
        . ($more // '') . " }\n";
    $locations .= "        location /$name { init_gate $name; "
        . ($name eq 'grpc' || $name eq 'service' ? "grpc_pass grpc://$name; }\n"
            : "proxy_pass http://$name; }\n");
}

$t->write('token', 'control-token');
chmod 0644, $t->path('token');
$t->run(http => $conf . <<"CONF");
    server {
        listen 127.0.0.1:%%PORT_8080%%;
$locations
        location = /init { init_status details=on; }
        location /control/ { init_control token_file=%%DIR%%/token; }
    }
CONF

sub check { $t->check('servers', $_[0]) }
sub server { check($_[0])->{servers}[$_[1] // 0] // {} }
sub wait_in {
    my ($name, $in) = @_;
    $t->wait_for(sub {
        join(' ', map { $_->{in} ? 1 : 0 } @{check($name)->{servers}}) eq $in
    }, "$name: servers in: $in");
}
sub verdict {
    my ($server) = @_;
    return join ' ', grep { defined } @$server{qw(verdict reason message)};
}

sub wait_verdict {
    my ($name, $regex, $label) = @_;
    my $verdict = '';
    $t->wait_for(sub { ($verdict = verdict(server($name))) =~ $regex }, $label);
    like($verdict, $regex, $label);
}

# what is asked

wait_in($_, '1') for qw(grpc tcp tls port local once closing rise);
pass('grpc, tcp, TLS, another port, a unix socket: in');

wait_verdict('service', qr/^waiting not_serving /,
    'grpc, another service: waiting');
wait_in('service', '0');
my %asked = map { $_->{service} => 1 } $grpc->calls;
is(join(' ', map { "'$_'" } sort keys %asked), "'' 'shop.Orders'",
    'grpc: asked for the server, and for the service');
$grpc->set('' => 'SERVING', 'shop.Orders' => 'SERVING');
wait_in('service', '1');

wait_verdict('text', qr/^waiting mismatch /, 'tcp with a text: waiting');
$text->set('now');
wait_in('text', '1');

wait_verdict('unknown', qr/^error tls /, 'tls, unknown CA: error');

is((probes('port'))[0], "$port{port} /ready?x=1 app.example close b",
    'port=, host=, header=: sent, over a connection of its own');
is(server('port')->{address}, "127.0.0.1:$dead", 'port=: not of the address');
is($t->get('/port')->{status}, 502, 'port=: not used for requests');

is(server('local')->{address}, "unix:$socket",
    'unix socket: address');
is($t->get('/local')->{status}, 200, 'unix socket: gets requests');

# how often

is(() = probes('once'), 1, 'once: asked once');
$t->kill_prober;
my $probes = () = probes('closing');
$t->wait_for(sub { probes('closing') > $probes + 2 }, 'further probes');
is(() = probes('once'), 1, 'once: not asked again by another worker');

# how many

wait_in('all', '1 0');
my $check;
$t->wait_for(sub { $check = check('all'); $check->{verdict} eq 'waiting' },
    'the verdict of min=all');
is("$check->{observed} $check->{expected}", '1 2',
    'min=all: one is not enough');
is($t->get('/two')->{status}, 503, 'min=2: closed');
ready('other');
$t->wait_ready($_) for qw(all two);
pass('min=all, min=2: open');

# a server that does not respond

wait_in('beside', '0 1');
is($t->get('/beside')->{status}, 200, 'a server does not respond: others serve');
like(verdict(server('beside')), qr/^pending$|^error timeout /,
    'server without a response: pending or timeout');

# a probe after another check

is(verdict(server('after')), 'pending', 'after=: no verdict yet');
is(() = probes('after'), 0, 'after=: not asked');
$t->write('marker');
wait_in('after', '1');

# rise: probes of the server

is(check('rise')->{servers}[0]{in}, JSON::PP::true, 'rise: in');
cmp_ok(scalar(() = probes('rise')), '>=', 3, 'rise: after three probes');

# latch off: the gate closes

is($t->get('/closing')->{status}, 200, 'latch off: open');
unready('closing');
wait_in('closing', '0');
$t->wait_state('initializing', 'closing');
is($t->get('/closing')->{status}, 503, 'latch off, no server: refused');
ready('closing');
$t->wait_ready('closing');
is($t->get('/closing')->{status}, 200, 'latch off, back: open');

# open by force: all servers take part

$t->wait_state('overdue', 'forced');
$t->wait_for(sub { $t->get('/forced')->{status} == 503
    && !$t->get('/forced')->{headers}{'x-init-gate'} }, 'the server');
is(server('forced')->{in}, JSON::PP::true, 'deadline open: shown as in');
like(verdict(server('forced')), qr/^waiting bad_status HTTP 503/,
    'deadline open: verdict remains');
ready('forced');
$t->wait_state('ready', 'forced');
is($t->get('/forced')->{status}, 200, 'passed after all: open');
unready('forced');
wait_in('forced', '0');
is($t->get('/forced')->{status}, 502, 'no longer forced: the server is out');

# an order of the operator, to a gate that is latched

my $order = sub {
    my ($form) = @_;
    return $t->post('/control/forced', content => $form, headers => {
        authorization => 'Bearer control-token',
        'content-type' => 'application/x-www-form-urlencoded' })->{status};
};
like($order->('action=open&for=5m&reason=test'), qr/^20/, 'action=open: accepted');
wait_in('forced', '1');
is($t->get('/forced')->{status}, 503, 'order to open: the server responds');
like($order->('action=clear&reason=test'), qr/^20/, 'action=clear: accepted');
wait_in('forced', '0');

done_testing;
