# docs/install.md, "Any nginx": with the sources of nginx, and without the optional
# libraries, in a minimal Debian.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use InitGate::DebianRoot;

my $root = InitGate::DebianRoot->new;
my $at = $root->checkout =~ s/^\Q$root->{dir}\E//r;
my $install = 'apt-get -q -y install --no-install-recommends';

# the original archive of the source package of Debian

$root->online_ok($root->script(<<"SH"), 'sources of nginx');
sed 's/^deb /deb-src /' /etc/apt/sources.list > /etc/apt/sources.list.d/src.list
apt-get -q update
$install gcc make libc6-dev dpkg-dev pkg-config libpcre2-dev zlib1g-dev \\
    libssl-dev xz-utils
$install --download-only libc-ares-dev libpq-dev libhiredis-dev \\
    libnghttp2-dev libjansson-dev
cd /src
apt-get -q source --tar-only nginx
mkdir nginx
tar -C nginx --strip-components=1 -xf nginx_*.orig.tar.*
SH

my $commands = InitGate::DebianRoot::commands_after('docs/install.md',
    'A module fits the version of nginx') =~ s{/path/to/nginx-init-gate}{$at}gr;


# the error names the missing library and its package

for ('libc-ares-dev', 'libpq-dev', 'libhiredis-dev', 'libnghttp2-dev',
     'libjansson-dev')
{
    my ($status, $said) = $root->run(@{$root->script("cd /src/nginx\n",
        $commands)});

    isnt($status, 0, "without $_: make fails");
    like($said, qr/apt-get install \Q$_\E\)/, "without $_: message");
    $root->run_ok($root->script("$install $_\n"), "installed $_");
}


# as a dynamic module

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
    'dynamic module: built and loaded');
unlike($said, qr/\bwarning:/, 'dynamic module: no warnings');

$root->run_ok($root->script("NGINX_SRC=/src/nginx make\n",
    "ls build/ngx_http_init_gate_module.so\n"), 'NGINX_SRC=… make');


# without PostgreSQL and Redis, against an nginx that is not installed

$said = $root->run_ok($root->script(<<'SH'),
    'without PostgreSQL and Redis: built');
export INIT_GATE_POSTGRES=no INIT_GATE_REDIS=no INIT_GATE_GRPC=no
export INIT_GATE_JSON=no
export NGINX_SRC=/src/nginx
make
if ldd build/ngx_http_init_gate_module.so \
    | grep 'libpq\|hiredis\|nghttp2\|jansson'
then
    exit 1
fi

for check in 'postgres dbname=app' 'redis redis://cache' \
    'grpc app:50051' 'http http://app/ json=/a' 'file /there'; do
    sed "s,file /nowhere,$check," /nginx.conf > /other.conf
    /src/nginx/objs/nginx -t -p /src/nginx/ -c /other.conf \
        -g "load_module $PWD/build/ngx_http_init_gate_module.so;" || :
done
SH

like($said, qr/without $_ in \S+:4\n/, "without $_: check refused")
    for 'libpq', 'hiredis', 'libnghttp2', 'jansson';
like($said, qr/test is successful\n\z/,
    'without PostgreSQL and Redis: file check valid');


# as a static module

$said = $root->run_ok($root->script("cd /src/nginx\nmake -s clean\n",
    $commands =~ s/--add-dynamic-module=/--add-module=/r
        =~ s/^make modules$/make/mr,
    "objs/nginx -t -p /src/nginx/ -c /nginx.conf\n"), 'static module: built');
unlike($said, qr/\bwarning:/, 'static module: no warnings');

done_testing;
