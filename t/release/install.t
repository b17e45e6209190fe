# The commands of docs/install.md and of conf-examples/README.md, in a minimal
# Debian.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use InitGate::DebianRoot;

my $at = '/src/nginx-init-gate';

# A root like an image of Debian, which starts no service by itself.  Packages
# are installed first, then the network has loopback only.

sub machine {
    my $root = InitGate::DebianRoot->new;

    $root->checkout;
    $root->write('/usr/sbin/policy-rc.d', "#!/bin/sh\nexit 101\n");
    chmod 0755, "$root->{dir}/usr/sbin/policy-rc.d";

    $root->online_ok([qw(apt-get -q update)], 'apt-get update');

    return $root;
}


# the package

my @blocks = InitGate::DebianRoot::commands('docs/install.md',
    'Debian package');
is(scalar @blocks, 4, 'package: blocks of the page');

my $root = machine();
my $start = time;

$root->online_ok($root->script($blocks[0]), 'build and install');
cmp_ok(time - $start, '<', 600, 'build and install: duration');

my $said = $root->run_ok($root->script(@blocks[1, 2],
    "nginx -s quit\n"), 'use');

like($said, qr/ 503 .*"gate":"app".* 200 OK.*\[\+\]file ok/s,
    'use: gate closed, then open');
unlike($root->read('/var/log/nginx/error.log'), qr/\[(?:alert|crit|emerg)\]/,
    'use: no alerts');

unlink "$root->{dir}/var/lib/app/.initialized";
$said = $root->run_ok($root->script(
    InitGate::DebianRoot::commands_after('conf-examples/README.md', 'To try one'),
    "curl -i http://localhost/\nnginx -s quit\n"), 'unchanged example');
like($said, qr/test is successful.* 503 .*X-Init-Gate: app;/s,
    'unchanged example: gate closed');

$said = $root->run_ok($root->script($blocks[3], "nginx -t\n",
    "service nginx stop\n"), 'removal');
unlike($said, qr/\[emerg\]/, 'removal: nginx accepts the configuration');
$said = $root->run_ok(['find', '/etc/nginx', '/usr/lib/nginx', '-name',
    '*init*gate*'], 'removal: find');
is($said, '', 'removal: nothing left');


# from source

@blocks = InitGate::DebianRoot::commands('docs/install.md', 'From source');
is(scalar @blocks, 2, 'source: blocks of the page');

$root = machine();
$start = time;

$root->online_ok($root->script($blocks[0]), 'build and install');
cmp_ok(time - $start, '<', 600, 'build and install: duration');

$said = $root->run_ok($root->script($blocks[1]), 'nginx -t with the module');
like($said, qr/test is successful/, 'nginx -t with the module: successful');

done_testing;
