#!/usr/bin/perl

# conf-examples/persistent-volume: a volume that is filled once.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;

my $t = InitGate::Example->new('persistent-volume/nginx.conf',
    '/data' => '%%DIR%%/data',
    'listen 80;' => 'listen 127.0.0.1:%%PORT_8080%%;');

my $initialize = $t->file('initialize');
my $data = $t->path('data');
my $repository = $t->path('repository');

mkdir $data;
$t->run;

is($t->get('/1')->{status}, 503, 'closed');
$t->restricted_ok('/init');

# no repository yet

isnt($t->run_command($initialize, $data, $repository), 0, 'the clone fails');
$t->wait_for(sub { $t->json('/init')->{gates}[0]{state} eq 'failed' },
    'the failure to be seen');

my ($marker) = @{$t->json('/init')->{gates}[0]{checks}};
like($marker->{message}, qr/clone: .*repository/, 'the reason');
is($t->get('/1')->{status}, 503, 'nothing let through');

# 1,000 files

$t->write("repository/$_", "file $_\n") for 1 .. 1000;
$t->command_ok('sh', '-c', 'cd "$0" && git init -q && git add . && git '
    . '-c user.name=test -c user.email=test@localhost commit -qm files',
    $repository, 'a repository');

$t->command_ok($initialize, $data, $repository, 'the clone');
$t->wait_for(sub { $t->get('/1')->{status} == 200 }, 'the gate to open');

is($t->get('/1000')->{content}, "file 1000\n", 'the files are served');

my ($files) = grep { $_->{name} eq 'files' }
    @{$t->json('/init')->{gates}[0]{checks}};
cmp_ok($files->{observed}, '>=', 1000, 'all were counted');

# everything starts again, but for the volume

my $inode = (stat "$data/files/1")[1];

$t->quit;
$t->remove('repository');
$t->run;

is($t->get('/1')->{status}, 200, 'ready at once');
$t->command_ok($initialize, $data, $repository, 'the initialiser runs again');
is((stat "$data/files/1")[1], $inode, 'nothing is cloned again');

done_testing;
