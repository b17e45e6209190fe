#!/usr/bin/perl

# conf-examples/notify: an initializer that reports its progress by HTTP, and
# the clients.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;

my $t = InitGate::Example->new('notify/nginx.conf',
    '/var/lib/init-gate/import' => '%%DIR%%/store/import',
    '/etc/init-gate/notify' => '%%DIR%%/token',
    '127.0.0.1:8000' => '127.0.0.1:%%PORT_8082%%',
    'listen 127.0.0.1:8081;' => 'listen 127.0.0.1:%%PORT_8081%%;',
    'listen 8080;' => 'listen 127.0.0.1:%%PORT_8080%%;');

mkdir $t->path('store');
chmod 0777, $t->path('store');
$t->write('token', "an-example-token\n");
$t->run;

$ENV{NOTIFY_TOKEN_FILE} = $t->path('token');
$ENV{NOTIFY_URL} = 'http://127.0.0.1:' . $t->port(8081) . '/notify/app/import';
delete $ENV{PERL5LIB};

is($t->get('/ready')->{status}, 503, 'before: not ready');
$t->restricted_ok('/init');

# the clients

my %client = (
    map({ $_ => [split(), '-c', '. "$0"; notify "$@"', $t->file('notify.sh')] }
        'sh', 'dash', 'busybox sh', 'bash --posix'),
    python => [$t->file('notify.py')],
    node => [$t->file('notify.js')],
);

for my $name (sort keys %client) {
    SKIP: {
        my $command = $name eq 'python' ? 'python3' : (split ' ', $name)[0];
        skip "no $command" if !`sh -c 'command -v $command'`;

        $t->command_ok(@{$client{$name}}, qw(running 420 1000),
            "a \"text\" & more of $name", "$name: notified");
        is_deeply([@{$t->check('import')}{qw(verdict observed expected message)}],
            ['running', 420, 1000, "a \"text\" & more of $name"],
            "$name: in force");
        $t->command_ok(@{$client{$name}}, 'waiting', "$name: verdict alone");
        is($t->check('import')->{verdict}, 'waiting', "$name: in force");
        isnt(system(sh => '-c', '"$@" 2>/dev/null', 'sh', @{$client{$name}},
            'done'), 0, "$name, invalid: exit status");
    }
}

# the initializer

$ENV{STEP} = 0;
$t->command_ok('sh', $t->file('initialize'), 'initialize: exit status 0');
is($t->gate->{state}, 'ready', 'initialized: ready');
is($t->get('/ready')->{status}, 200, 'initialized: readiness');

# restarts

$t->quit;
$t->run;
$t->wait_for(sub { $t->get('/ready')->{status} == 200 }, 'the stored notice');
is($t->gate->{state}, 'ready', 'restart: ready');

# a failure

$t->quit;
unlink $t->path('store/import');
$t->run;
$ENV{STEP} = 'x';
isnt(system(sh => '-c', 'sh "$0" 2>/dev/null', $t->file('initialize')), 0,
    'a failure: exit status');
is_deeply([@{$t->check('import')}{qw(verdict reason message)}],
    ['failed', 'reported', 'initialize ended with an error'],
    'a failure: reported');

done_testing;
