# The Debian package: built, looked at, installed, upgraded, removed, purged.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use InitGate::Root;

my $name = 'libnginx-mod-http-init-gate';
my $enabled = '/etc/nginx/modules-enabled/50-mod-http-init-gate.conf';
my @quiet = qw(env DEBIAN_FRONTEND=noninteractive);
my @apt = (@quiet, qw(apt-get -q -y -o Dpkg::Use-Pty=0));

# built, twice: the second one is newer

my $builder = InitGate::Root->new;
my $checkout = $builder->checkout;
my $at = '/src/nginx-init-gate';

$builder->online_ok(["$at/tools/install", 'deb'], 'what the build needs');
$builder->online_ok([@apt, qw(install --no-install-recommends lintian)],
    'lintian');

my $said = $builder->run_ok(['make', '-C', $at, 'deb'], 'make deb');
unlike($said, qr/\bwarning:/, 'no warning');

is_deeply([$builder->glob("$at/../*.deb"), $builder->glob("$at/obj-*"),
    $builder->glob("$at/debian/files")], [], 'nothing left in the checkout');

my ($deb) = $builder->glob("$at/build-deb/${name}_*.deb");
my ($changes) = $builder->glob("$at/build-deb/*.changes");

$said = $builder->run_ok(['lintian', '--fail-on', 'error,warning', '--info',
    '--allow-root', $changes], 'lintian');
unlike($said, qr/^[EW]:/m, 'nothing serious');

$said = $builder->run_ok(['dpkg-deb', '--contents', $deb], 'the contents');
like($said, qr/ \.\Q$_\E$/m, $_) for
    '/usr/lib/nginx/modules/ngx_http_init_gate_module.so',
    '/usr/share/nginx/modules-available/mod-http-init-gate.conf',
    '/usr/share/man/man7/ngx_http_init_gate_module.7.gz',
    "/usr/share/doc/$name/copyright",
    "/usr/share/doc/$name/examples/quick-start/nginx.conf";
unlike($said, qr/__pycache__/, 'no rubbish');

my $depends = $builder->run_ok(['dpkg-deb', '--field', $deb, 'Depends'],
    'what it depends on');
like($depends, $_, "it depends on $_")
    for qr/\bnginx-abi-/, qr/\blibpq5\b/, qr/\blibhiredis/, qr/\blibc-?ares2/;

my $changelog = $builder->read("$at/debian/changelog");
my ($version) = $changelog =~ /\((.*?)\)/;
my ($top) = $changelog =~ /^(.*?^ -- .*?\n)/ms;

$top =~ s/\(.*?\)/($version+1)/;
$builder->write("$at/debian/changelog", "$top\n$changelog");
rename "$builder->{dir}$deb", "$builder->{dir}/old.deb";
$builder->run_ok(['make', '-C', $at, 'deb'], 'make deb, of a newer version');

my ($newer) = $builder->glob("$at/build-deb/${name}_*.deb");

# installed on a machine that has nothing

my $root = InitGate::Root->new;
my %from = ('old.deb' => '/old.deb', 'new.deb' => $newer);

for my $to (sort keys %from) {
    system('cp', "$builder->{dir}$from{$to}", "$root->{dir}/$to") == 0
        or die "no $to";
}

$root->online_ok([qw(apt-get -q update)], 'apt-get update');
$root->online_ok([@apt, qw(install --download-only nginx curl),
    '/old.deb'], 'downloaded what follows');
$root->run_ok([@apt, qw(install nginx curl), '/old.deb'],
    'apt install nginx ./old.deb');

my $there = sub { -l "$root->{dir}$enabled" };

ok($there->(), 'enabled');
$root->run_ok(['nginx', '-t'], 'nginx -t');

# at work, and upgraded at work

$root->write('/etc/nginx/conf.d/gate.conf', <<'CONF');
init_checks app {
    check file /var/lib/app/.initialized;
    interval 100ms;
}
server {
    listen 127.0.0.1:8080;
    location / { init_gate app;  root /usr/share/nginx/html; }
    location = /ready { init_ready app; }
}
CONF

$root->write('/work.sh', <<'SH');
set -eux
status () {
    curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8080$1
}
until_is () {
    for try in $(seq 100); do
        [ "$(status $1)" != $2 ] || return 0
        sleep 0.1
    done
    exit 1
}
mkdir -p /var/lib/app
echo hello > /usr/share/nginx/html/hello.txt
nginx
until_is /ready 503
[ "$(status /hello.txt)" = 503 ]
apt-get -q -y -o Dpkg::Use-Pty=0 install /new.deb
[ "$(status /ready)" = 503 ]
nginx -s reload
touch /var/lib/app/.initialized
until_is /ready 200
[ "$(status /hello.txt)" = 200 ]
nginx -s quit
while [ -e /run/nginx.pid ]; do sleep 0.1; done
SH

$root->run_ok(['sh', '/work.sh'], 'closed, upgraded, open');
unlike($root->read('/var/log/nginx/error.log'), qr/\[(?:alert|crit|emerg)\]/,
    'no alerts');

my $installed = sub {
    my (undef, $said) = $root->run('dpkg-query', '-W', '-f',
        '${db:Status-Status} ${Version}', $name);
    return $said;
};

is($installed->(), "installed $version+1", 'upgraded');
ok($there->(), 'still enabled');

# what the administrator has disabled stays so

unlink "$root->{dir}$enabled";
unlink "$root->{dir}/etc/nginx/conf.d/gate.conf";
$root->run_ok([@apt, qw(install --allow-downgrades), '/old.deb'], 'downgrade');
$root->run_ok([@apt, qw(install), '/new.deb'], 'upgrade');
ok(!$there->(), 'not enabled again by an upgrade');

# removed, and back

$root->run_ok([@apt, 'remove', $name], 'apt remove');
$root->run_ok([@apt, 'install', '/new.deb'], 'apt install');
$root->run_ok(['dpkg', '--purge', $name], 'purged');
$root->run_ok([@apt, 'install', '/new.deb'], 'and installed');
ok($there->(), 'enabled');

$root->run_ok([@apt, 'remove', $name], 'apt remove');
ok(!$there->(), 'no more enabled');
ok(!-e "$root->{dir}/usr/lib/nginx/modules/ngx_http_init_gate_module.so",
    'the module is gone');
$root->run_ok(['nginx', '-t'], 'nginx -t without it');

$root->run_ok([@apt, 'install', '/new.deb'], 'installed again');
ok($there->(), 'enabled again');

$root->run_ok([@apt, 'purge', $name], 'apt purge');
$said = $root->run_ok(['find', '/etc', '/usr', '/var/lib/nginx',
    '/var/lib/dpkg/info', '-name', '*init*gate*'], 'what is left');
is($said, '', 'nothing');
$root->run_ok(['nginx', '-t'], 'nginx -t afterwards');

done_testing;
