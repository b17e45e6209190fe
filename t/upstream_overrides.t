#!/usr/bin/perl

# Overrides of a gate with a check of the servers of an upstream: which servers
# get requests.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Servers;

my $t = InitGate->new;
my $s = InitGate::Servers->new($t, 2);

$t->write('token', "secret\n");
$t->run(http => <<"CONF");
    upstream app {
        zone app 64k;
@{[$s->lines]}
    }
    init_checks app {
        check upstream app  http=/ready  name=servers;
        check file %%DIR%%/marker  name=marker;
        interval 50ms 50ms;
        timeout 1m;
        latch off;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  proxy_pass http://app; }
        location = /init { init_status details=on; }
        location /control/ { init_control token_file=%%DIR%%/token; }
    }
CONF

sub order {
    my ($form) = @_;

    my $answer = $t->post('/control/app', content => $form, headers => {
        Authorization => 'Bearer secret',
        'Content-Type' => 'application/x-www-form-urlencoded' });
    is($answer->{status}, 204, "$form: 204");
}

sub wait_in {
    my ($in) = @_;

    $t->wait_for(sub {
        join(' ', map { $_->{in} ? 1 : 0 } @{$t->check('servers')->{servers}})
            eq $in
    }, "servers in: $in");
}

my $for = 'for=10m&reason=test';

# another check is ignored: a server that is out still gets nothing

$s->ready(0);
wait_in('1 0');
order("action=ignore&check=marker&$for");
is_deeply([$s->balance($t, 6)], [6, 0],
    'another check ignored: only the server that is in');

# the check of the servers is ignored, too: they all get requests

order("action=ignore&check=servers&$for");
$s->unready(0);
$t->wait_for(sub { !$t->check('servers')->{observed} }, 'no server in');
is($t->get('/')->{status}, 200, 'check of the servers ignored: passed on');
order('action=clear');

# an open gate is opened by an operator, since the probe is wrong

$t->write('marker');
$s->ready(0, 1);
$t->wait_ready;
order("action=open&$for");
$s->unready(0, 1);
$t->wait_for(sub { $t->gate->{state} eq 'initializing' }, 'no server ready');
is($t->get('/')->{status}, 200, 'gate opened by an operator: passed on');
order('action=clear');
is($t->get('/')->{status}, 503, 'no override: refused');

done_testing;
