#!/usr/bin/perl

# conf-examples/on-demand: the first request starts the initialisation.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;

my $t = InitGate::Example->new('on-demand/nginx.conf',
    '/var/lib/app' => '%%DIR%%/app',
    '127.0.0.1:8000' => '127.0.0.1:%%PORT_8081%%',
    'listen 80;' => 'listen 127.0.0.1:%%PORT_8080%%;');

sub gate { $t->json('/init')->{gates}[0] }

mkdir $t->path('app');
chmod 0777, $t->path('app');
$t->run;
$t->spawn_command($t->file('app.py'), $t->path('app'), $t->port(8081));

$t->wait_for(sub {
    my $socket = eval { $t->connect($t->port(8081)) };
    return defined $socket;
}, 'the application to listen', 10);

$t->wait_for(sub { gate()->{checks}[0]{attempts} > 1 }, 'two probes');
is(gate()->{trigger}{state}, 'idle', 'nobody came, nothing began');
is($t->get('/alive')->{status}, 200, 'nginx is there');
is($t->get('/initialize')->{status}, 404, 'not for clients');
ok(!-e $t->path('app/.progress'), 'nothing has been initialised');
$t->restricted_ok('/init');

my $answer = $t->get('/', timeout => 15);
is($answer->{content}, "hello\n", 'the first one waits, and is served');

is(gate()->{trigger}{state}, 'succeeded', 'the application was asked');
is(scalar(() = $t->read('command.log') =~ /POST \/initialize/g), 1, 'once');

# ready at once from now on, and nobody is asked again

$t->quit;
$t->run;
is($t->get('/')->{status}, 200, 'after a restart');
is(scalar(() = $t->read('command.log') =~ /POST \/initialize/g), 1,
    'still once');

done_testing;
