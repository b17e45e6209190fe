#!/usr/bin/perl

# Servers by "resolve": addresses that come begin out, those that go are
# forgotten.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::DNS;

plan(skip_all => 'nginx 1.27.3 or later') if InitGate->version < 1.027003;

# one port at several addresses

my $t = InitGate->new(status => 8080);
my $s = InitGate->new(module => 0, workers => 1, level => 'info');
my $port = $s->port(1);

$s->run(http => join '', map { <<"CONF" } 1 .. 3);
    server {
        listen 127.0.0.$_:$port;
        location = /ready { if (!-f %%DIR%%/ready_$_) { return 503; } return 200; }
        location / { access_log %%DIR%%/requests_$_;  return 200 "$_"; }
    }
CONF

my $dns = InitGate::DNS->new(sub {
    my ($name, $type, $word) = @_;
    return 'NXDOMAIN' if $name ne 'app.example';
    return [] if $type ne 'A';
    return [map { "127.0.0.$_" } split /,/, $word || '1,2'];
});

sub http {
    my ($more) = @_;

    return <<"CONF";
    resolver 127.0.0.1:@{[$dns->port]} valid=1s ipv6=off;
    upstream app { zone app 64k; server app.example:$port resolve; }
    init_checks app { check upstream app http=/ready; interval 50ms 100ms; $more }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  proxy_pass http://app; }
        location = /init { init_status details=on; }
    }
CONF
}

sub in {
    return join ' ', sort map { $_->{address} =~ /^127\.0\.0\.(\d)/;
        "$1=" . ($_->{in} ? 1 : 0) } @{$t->check('upstream')->{servers}};
}
sub wait_in {
    my ($in) = @_;
    $t->wait_for(sub { in() eq $in }, "servers: $in");
}
sub requests { join ' ', map { scalar(() = $s->read("requests_$_") =~ /\n/g) } 1 .. 3 }
sub used {
    my %used;
    $used{$t->get('/')->{content}}++ for 1 .. 12;
    return join ' ', sort keys %used;
}

$t->run(http => http(''));
wait_in('1=0 2=0');
is($t->get('/')->{status}, 503, 'addresses: begin out');
is($t->check('upstream')->{servers}[0]{name}, "app.example:$port",
    'server: name as configured');

$s->write('ready_2');
wait_in('1=0 2=1');
$t->wait_ready;
is(used(), '2', 'one in: gets all requests');

# one comes, and begins out

$dns->set('1,2,3');
wait_in('1=0 2=1 3=0');
is(used(), '2', 'another address: begins out');
$s->write('ready_3');
wait_in('1=0 2=1 3=1');
is(used(), '2 3', 'another address: in after its probe');
is(requests() =~ /^0 /, 1, 'server that is out: no requests');

# one goes

$dns->set('1,3');
wait_in('1=0 3=1');
is(used(), '3', 'address gone: forgotten');
$dns->set('1,2,3');
$s->remove('ready_2');
wait_in('1=0 2=0 3=1');
is(used(), '3', 'address back: begins out');

# over a reload

$s->write('ready_1');
wait_in('1=1 2=0 3=1');
$t->reload;
is(in(), '1=1 2=0 3=1', 'reload: the same are in');
is(used(), '1 3', 'reload: the same get requests');
$t->reload(http => http('rise 2;'));
is(in(), '1=1 2=0 3=1', 'reload, changed: the same are in');
is(used(), '1 3', 'reload, changed: the same get requests');

$t->kill_prober;
is(used(), '1 3', 'prober killed: the same get requests');
$dns->set('2');
wait_in('2=0');
is($t->get('/')->{status}, 502, 'only one that is out: 502');
$s->write('ready_2');
wait_in('2=1');
is(used(), '2', 'in again: gets requests');
is(() = $s->read('requests_2') =~ / 50\d /g, 0, 'requests: none failed');

done_testing;
