#!/usr/bin/perl

# conf-examples/persistent-volume: a volume that is filled once.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;

my $t = InitGate::Example->new('persistent-volume/nginx.conf',
    '/data' => '%%DIR%%/data',
    'listen 8080;' => 'listen 127.0.0.1:%%PORT_8080%%;');

my $initialize = $t->file('initialize');
my $data = $t->path('data');
my $repository = $t->path('repository');

mkdir $data;
$t->run;

is($t->get('/1')->{status}, 503, 'empty volume: refused');
$t->restricted_ok('/init');

# no repository yet

isnt($t->run_command($initialize, $data, $repository), 0,
    'no repository: the initializer fails');
$t->wait_state('failed');

my ($marker) = @{$t->gate->{checks}};
like($marker->{message}, qr/clone: .*repository/, 'no repository: message');
is($t->get('/1')->{status}, 503, 'no repository: refused');

# 1,000 files

$t->write("repository/$_", "file $_\n") for 1 .. 1000;
$t->command_ok('sh', '-c', 'cd "$0" && git init -q && git add . && git '
    . '-c user.name=test -c user.email=test@localhost commit -qm files',
    $repository, 'git commit');

$t->command_ok($initialize, $data, $repository, 'initialize');
$t->wait_for(sub { $t->get('/1')->{status} == 200 }, 'the gate to open');

is($t->get('/1000')->{content}, "file 1000\n", 'cloned: files served');

cmp_ok($t->check('files')->{observed}, '>=', 1000,
    'cloned: files counted');

# everything is started again, with the same volume

my $inode = (stat "$data/files/1")[1];

$t->quit;
$t->remove('repository');
$t->run;

is($t->get('/1')->{status}, 200, 'restart: first request served');
$t->command_ok($initialize, $data, $repository, 'initialize, second run');
is((stat "$data/files/1")[1], $inode, 'second run: no second clone');

done_testing;
