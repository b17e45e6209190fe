# README.md, "Building": with nginx's own sources, and with what may be left
# out, in a Debian that has nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use InitGate::Root;

my $root = InitGate::Root->new;
my $at = $root->checkout =~ s/^\Q$root->{dir}\E//r;
my $install = 'apt-get -q -y install --no-install-recommends';

# as nginx publishes it: of Debian's source package, the archive alone

$root->online_ok($root->script(<<"SH"), "nginx's own sources");
sed 's/^deb /deb-src /' /etc/apt/sources.list > /etc/apt/sources.list.d/src.list
apt-get -q update
$install gcc make libc6-dev dpkg-dev pkg-config libpcre2-dev zlib1g-dev \\
    libssl-dev xz-utils
$install --download-only libc-ares-dev libpq-dev libhiredis-dev
cd /src
apt-get -q source --tar-only nginx
mkdir nginx
tar -C nginx --strip-components=1 -xf nginx_*.orig.tar.*
SH

my $commands = InitGate::Root::commands_after('README.md',
    "With nginx's own sources") =~ s{/path/to/nginx-init-gate}{$at}gr;


# what is missing is named, with its package

for ('libc-ares-dev', 'libpq-dev', 'libhiredis-dev') {
    my ($status, $said) = $root->run(@{$root->script("cd /src/nginx\n",
        $commands)});

    isnt($status, 0, "without $_");
    like($said, qr/apt-get install \Q$_\E\)/, 'is told to install it');
    $root->run_ok($root->script("$install $_\n"), "installed $_");
}


# to be loaded

$root->write('/nginx.conf', <<'CONF');
error_log stderr;
pid /tmp/nginx.pid;
events { }
http { init_checks app { check file /nowhere; } }
CONF

my $said = $root->run_ok($root->script("cd /src/nginx\n", $commands, <<'SH'),
make >/dev/null
objs/nginx -t -p /src/nginx/ -c /nginx.conf \
    -g 'load_module objs/ngx_http_init_gate_module.so;'
SH
    'to be loaded');
unlike($said, qr/\bwarning:/, 'no warning');

$root->run_ok($root->script("NGINX_SRC=/src/nginx make\n",
    "ls build/ngx_http_init_gate_module.so\n"), 'NGINX_SRC=… make');


# without PostgreSQL and Redis; ours is not the nginx that is installed

$said = $root->run_ok($root->script(<<'SH'), 'without both');
export INIT_GATE_POSTGRES=no INIT_GATE_REDIS=no NGINX_SRC=/src/nginx
make
if ldd build/ngx_http_init_gate_module.so | grep 'libpq\|hiredis'; then
    exit 1
fi

for check in 'postgres dbname=app' 'redis redis://cache' 'file /there'; do
    sed "s,file /nowhere,$check," /nginx.conf > /other.conf
    /src/nginx/objs/nginx -t -p /src/nginx/ -c /other.conf \
        -g "load_module $PWD/build/ngx_http_init_gate_module.so;" || :
done
SH

like($said, qr/without $_ in \S+:4\n/, "no check that needs $_")
    for 'libpq', 'hiredis';
like($said, qr/test is successful\n\z/, 'and the others are there');


# linked in

$said = $root->run_ok($root->script("cd /src/nginx\nmake -s clean\n",
    $commands =~ s/--add-dynamic-module=/--add-module=/r
        =~ s/^make modules$/make/mr,
    "objs/nginx -t -p /src/nginx/ -c /nginx.conf\n"), 'linked in');
unlike($said, qr/\bwarning:/, 'no warning');

done_testing;
