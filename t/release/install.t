# docs/install.md and conf-examples/README.md, word by word, in Debians that
# have nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use InitGate::DebianRoot;

my $at = '/src/nginx-init-gate';

# A root that is a user's machine: sudo is there, and systemctl, which has
# nothing to talk to in a chroot.  Like an image of Debian's, it starts no
# service by itself; what needs packages comes first, and then the network is
# one of loopback only.

sub machine {
    my $root = InitGate::DebianRoot->new;

    $root->checkout;
    $root->write('/usr/local/bin/sudo', "#!/bin/sh\nexec \"\$\@\"\n");
    $root->write('/usr/local/bin/systemctl', <<'SH');
#!/bin/sh
[ "$*" = "reload nginx" ] || exit 1
[ -s /run/nginx.pid ] && exec nginx -s reload || exec nginx
SH
    $root->write('/usr/sbin/policy-rc.d', "#!/bin/sh\nexit 101\n");
    chmod 0755, map { "$root->{dir}$_" } '/usr/local/bin/sudo',
        '/usr/local/bin/systemctl', '/usr/sbin/policy-rc.d';

    $root->online_ok([qw(apt-get -q update)], 'apt-get update');

    return $root;
}


# the package

my @blocks = InitGate::DebianRoot::commands('docs/install.md',
    'Debian package');
is(scalar @blocks, 3, 'the blocks of the package');

my $root = machine();
my $start = time;

$root->online_ok($root->script($blocks[0]), 'build and install');
cmp_ok(time - $start, '<', 600, 'in minutes');

my $said = $root->run_ok($root->script(@blocks[1, 2],
    "nginx -s quit\n"), 'and use');

like($said, qr/ 503 .*"gate":"app".* 200 OK.*\[\+\]file ok/s,
    'closed, then open');
unlike($root->read('/var/log/nginx/error.log'), qr/\[(?:alert|crit|emerg)\]/,
    'no alerts');

unlink "$root->{dir}/var/lib/app/.initialized";
$said = $root->run_ok($root->script(
    InitGate::DebianRoot::commands_after('conf-examples/README.md', 'To try one'),
    "curl -i http://localhost/\n"), 'an example as it is');
like($said, qr/test is successful.* 503 .*X-Init-Gate: app;/s, 'works');


# from source

@blocks = InitGate::DebianRoot::commands('docs/install.md', 'From source');
is(scalar @blocks, 2, 'the blocks of the source');

$root = machine();
$start = time;

$root->online_ok($root->script($blocks[0]), 'build and install');
cmp_ok(time - $start, '<', 600, 'in minutes');

$said = $root->run_ok($root->script($blocks[1]), 'loaded');
like($said, qr/test is successful/, 'and nginx takes it');

done_testing;
