# The Debian package: built, examined, installed, upgraded, removed, purged.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use InitGate::DebianRoot;

my $name = 'libnginx-mod-http-init-gate';
my $enabled = '/etc/nginx/modules-enabled/50-mod-http-init-gate.conf';
my @quiet = qw(env DEBIAN_FRONTEND=noninteractive);
my @apt = (@quiet, qw(apt-get -q -y -o Dpkg::Use-Pty=0));

# built twice, the second time with a newer version

my $builder = InitGate::DebianRoot->new;
my $checkout = $builder->checkout;
my $at = '/src/nginx-init-gate';

$builder->online_ok(["$at/tools/install", 'deb'], 'tools/install deb');
$builder->online_ok([@apt, qw(install --no-install-recommends lintian
    autopkgtest nginx curl)], 'apt install lintian autopkgtest');

my $said = $builder->run_ok(['make', '-C', $at, 'deb'], 'make deb');
unlike($said, qr/\bwarning:/, 'make deb: no warnings');

is_deeply([$builder->glob("$at/../*.deb"), $builder->glob("$at/obj-*"),
    $builder->glob("$at/debian/files")], [],
        'make deb: no files left in the checkout');

my ($deb) = $builder->glob("$at/build-deb/${name}_*.deb");
my ($changes) = $builder->glob("$at/build-deb/*.changes");

# a standard may be newer than the release

my @lintian = (qw(lintian -i -I --pedantic --allow-root
    --suppress-tags newer-standards-version --fail-on),
    'error,warning,info,pedantic');

$said = $builder->run_ok([@lintian, $changes], 'lintian: package');
unlike($said, qr/^[EWIP]:/m, 'lintian: package has no tags');

$said = $builder->run_ok(['dpkg-deb', '--contents', $deb],
    'dpkg-deb --contents');
like($said, qr/ \.\Q$_\E$/m, $_) for
    '/usr/lib/nginx/modules/ngx_http_init_gate_module.so',
    '/usr/share/nginx/modules-available/mod-http-init-gate.conf',
    '/usr/share/man/man7/ngx_http_init_gate_module.7.gz',
    "/usr/share/doc/$name/copyright",
    "/usr/share/doc/$name/SECURITY.md",
    "/usr/share/doc/$name/docs/schema/init-gate.schema.json",
    "/usr/share/doc/$name/examples/quick-start/nginx.conf";
unlike($said, qr/__pycache__/, 'package: no __pycache__');

my $depends = $builder->run_ok(['dpkg-deb', '--field', $deb, 'Depends'],
    'package: dependencies');
like($depends, $_, "it depends on $_")
    for qr/\bnginx-abi-/, qr/\blibpq5\b/, qr/\blibhiredis/,
        qr/\blibnghttp2/, qr/\blibjansson4/, qr/\blibc-?ares2/;

# built again, elsewhere: the same bytes

$builder->run_ok(['sh', '-ec', <<"SH"], 'package: reproducible');
cp -R $at/build-deb/source /src/elsewhere
umask 027
TZ=Asia/Tokyo make -C /src/elsewhere deb
cmp $deb /src/elsewhere/build-deb/@{[$deb =~ s,.*/,,r]}
SH

my $changelog = $builder->read("$at/debian/changelog");
my ($version) = $changelog =~ /\((.*?)\)/;
my ($top) = $changelog =~ /^(.*?^ -- .*?\n)/ms;

$top =~ s/\(.*?\)/($version+1)/;
$top =~ s/:\d\d (?=\+\d{4}$)/:59 /m;
$builder->write("$at/debian/changelog", "$top\n$changelog");
rename "$builder->{dir}$deb", "$builder->{dir}/old.deb";
$builder->run_ok(['make', '-C', $at, 'deb'], 'make deb, newer version');

my ($newer) = $builder->glob("$at/build-deb/${name}_*.deb");

# sh waits for the processes that nginx leaves to the first one

$builder->run_ok(['sh', '-c', 'autopkgtest -B --ignore-restrictions='
    . "isolation-container $newer $at/ -- null; exit \$?"], 'autopkgtest');
$builder->run_ok(['cp', $newer, '/new.deb'], 'newer package: kept');
$newer = '/new.deb';

# the source package

$builder->run_ok(['make', '-C', $at, 'dsc'], 'make dsc');
my ($source) = $builder->glob("$at/build-deb/*_source.changes");
$said = $builder->run_ok([@lintian, $source], 'lintian: source package');
unlike($said, qr/^[EWIP]:/m, 'lintian: source package has no tags');

# installed in a minimal Debian

my $root = InitGate::DebianRoot->new;
my %from = ('old.deb' => '/old.deb', 'new.deb' => $newer);

for my $to (sort keys %from) {
    system('cp', "$builder->{dir}$from{$to}", "$root->{dir}/$to") == 0
        or die "no $to";
}

$root->online_ok([qw(apt-get -q update)], 'apt-get update');
$root->online_ok([@apt, qw(install --download-only nginx curl),
    '/old.deb'], 'apt install --download-only');
$root->run_ok([@apt, qw(install nginx curl), '/old.deb'],
    'apt install nginx ./old.deb');

my $there = sub { -l "$root->{dir}$enabled" };

ok($there->(), 'installed: module enabled');
$root->run_ok(['nginx', '-t'], 'nginx -t, installed');

# upgraded while nginx runs

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

$root->run_ok(['sh', '/work.sh'], 'gate closed, package upgraded, gate open');
unlike($root->read('/var/log/nginx/error.log'), qr/\[(?:alert|crit|emerg)\]/,
    'upgraded while nginx runs: no alerts');

my $installed = sub {
    my (undef, $said) = $root->run('dpkg-query', '-W', '-f',
        '${db:Status-Status} ${Version}', $name);
    return $said;
};

is($installed->(), "installed $version+1", 'upgraded: version');
ok($there->(), 'upgraded: module enabled');

# a module that the administrator has disabled

unlink "$root->{dir}$enabled";
unlink "$root->{dir}/etc/nginx/conf.d/gate.conf";
$root->run_ok([@apt, qw(install --allow-downgrades), '/old.deb'], 'downgrade');
$root->run_ok([@apt, qw(install), '/new.deb'], 'upgrade');
ok(!$there->(), 'module disabled, upgraded: still disabled');

# removed and installed again

$root->run_ok([@apt, 'remove', $name], 'apt remove');
$root->run_ok([@apt, 'install', '/new.deb'], 'apt install');
$root->run_ok(['dpkg', '--purge', $name], 'dpkg --purge');
$root->run_ok([@apt, 'install', '/new.deb'], 'apt install after purge');
ok($there->(), 'purged, installed: module enabled');

$root->run_ok([@apt, 'remove', $name], 'apt remove');
ok(!$there->(), 'removed: module not enabled');
ok(!-e "$root->{dir}/usr/lib/nginx/modules/ngx_http_init_gate_module.so",
    'removed: no module');
$root->run_ok(['nginx', '-t'], 'nginx -t, removed');

$root->run_ok([@apt, 'install', '/new.deb'], 'apt install after remove');
ok($there->(), 'removed, installed: module enabled');

$root->run_ok([@apt, 'purge', $name], 'apt purge');
$said = $root->run_ok(['find', '/etc', '/usr', '/var/lib/nginx',
    '/var/lib/dpkg/info', '-name', '*init*gate*'], 'find after purge');
is($said, '', 'purged: no files left');
$root->run_ok(['nginx', '-t'], 'nginx -t, purged');

done_testing;
