#!/usr/bin/perl

# conf-examples/required-and-background: open, though the index still loads.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;
use InitGate::Fake;

my $app = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
});

my $t = InitGate::Example->new('required-and-background/nginx.conf',
    '/var/lib/app' => '%%DIR%%/app',
    'http://127.0.0.1:8000' => 'http://127.0.0.1:' . $app->port,
    'listen 80;' => 'listen 127.0.0.1:%%PORT_8080%%;');

my $dir = $t->path('app');

mkdir $dir;
$t->run;

is($t->get('/')->{status}, 503, 'closed');
$t->restricted_ok('/init');

sub gate { (grep { $_->{gate} eq $_[0] } @{$t->json('/init')->{gates}})[0] }

sub check {
    my ($gate, $name) = @_;

    return (grep { $_->{name} eq $name } @{gate($gate)->{checks}})[0];
}

# the vectors take their time

$ENV{PAUSE} = 0.03;
$ENV{VECTORS} = 60;
$t->command_ok($t->file('initialize'), $dir, 'the catalogue');

$t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the gate to open');

is(gate('app')->{state}, 'degraded', 'degraded without the index');
is($t->get('/ready')->{status}, 200, 'ready');
is($t->get('/search')->{status}, 503, 'no search without the index');

$t->wait_for(sub { (check('search', 'vector-index')->{observed} // 0) > 1 },
    'progress', 10);
is(check('search', 'vector-index')->{expected}, 60, 'of so many');
is(check('app', 'vector-index')->{required}, JSON::PP::false, 'optional');

$t->wait_for(sub { $t->get('/search')->{status} == 200 }, 'the index', 20);
$t->wait_for(sub { gate('app')->{state} eq 'ready' }, 'ready, no more degraded');

done_testing;
