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

# nginx removes the file of its pid at the end

my $quit = "nginx -s quit\nwhile [ -s /run/nginx.pid ]; do sleep 0.1; done\n";

my $said = $root->run_ok($root->script(@blocks[1, 2], $quit), 'use');

like($said, qr/ 503 .*"gate":"app".* 200 OK.*\[\+\]file ok/s,
    'use: gate closed, then open');
unlike($root->read('/var/log/nginx/error.log'), qr/\[(?:alert|crit|emerg)\]/,
    'use: no alerts');

unlink "$root->{dir}/var/lib/app/.initialized";

my @ways = map { InitGate::DebianRoot::commands_after('conf-examples/README.md',
    $_) } 'To try one', 'or, without changing';

$said = $root->run_ok($root->script("service nginx start\n", $ways[0], $quit),
    'example in conf.d');
like($said, qr/test is successful.* 503 .*X-Init-Gate: app;/s,
    'example in conf.d: gate closed');

$said = $root->run_ok($root->script($ways[1],
    "curl -i http://localhost:8080/\n", $quit), 'unchanged example');
like($said, qr/ 503 .*X-Init-Gate: app;/s, 'unchanged example: gate closed');

$said = $root->run_ok($root->script($blocks[3], "nginx -t\n",
    "service nginx stop\n"), 'removal');
unlike($said, qr/\[emerg\]/, 'removal: nginx accepts the configuration');
$said = $root->run_ok(['find', '/etc/nginx', '/usr/lib', '-name',
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
