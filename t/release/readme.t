# README.md, "Installing", word by word, in Debians that have nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use InitGate::Root;

my $at = '/src/nginx-init-gate';

# the commands of a section

sub commands {
    my ($title) = @_;

    open my $fh, '<', "$FindBin::Bin/../../README.md" or die "README.md: $!";
    my $text = do { local $/; <$fh> };

    my ($section) = $text =~ /^### \Q$title\E\n(.*?)^##/ms
        or die "README.md has no \"$title\"";

    return $section =~ /^```sh\n(.*?)^```/msg;
}

# A root that is a user's machine: sudo is there, and systemctl, which has
# nothing to talk to in a chroot.  Like an image of Debian's, it starts no
# service by itself; what needs packages comes first, and then the network is
# one of loopback only.

sub machine {
    my $root = InitGate::Root->new;

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

sub script {
    my ($root, @blocks) = @_;

    $root->write('/script.sh', "cd $at\nset -e\n" . join '', @blocks);

    return ['sh', '/script.sh'];
}


# the package

my @blocks = commands('As a Debian package');
is(scalar @blocks, 3, 'the blocks of the package');

my $root = machine();
my $start = time;

$root->online_ok(script($root, $blocks[0]), 'build and install');
cmp_ok(time - $start, '<', 600, 'in minutes');

my $said = $root->run_ok(script($root, @blocks[1, 2],
    "nginx -s quit\n"), 'and use');

like($said, qr/ 503 .*"gate":"app".* 200 OK.*\[\+\]file ok/s,
    'closed, then open');
unlike($root->read('/var/log/nginx/error.log'), qr/\[(?:alert|crit|emerg)\]/,
    'no alerts');


# from source

@blocks = commands('From source');
is(scalar @blocks, 2, 'the blocks of the source');

$root = machine();
$start = time;

$root->online_ok(script($root, $blocks[0]), 'build and install');
cmp_ok(time - $start, '<', 600, 'in minutes');

$said = $root->run_ok(script($root, $blocks[1]), 'loaded');
like($said, qr/test is successful/, 'and nginx takes it');


# with nginx's own source, the commands of "Building"

$root->online_ok(script($root, "tools/nginx-source /src/nginx\n",
    'apt-get -q -y install libpcre2-dev zlib1g-dev libssl-dev '
    . "libhiredis-dev libpq-dev\n"), 'the source of nginx');

open my $fh, '<', "$FindBin::Bin/../../README.md" or die "README.md: $!";
my $text = do { local $/; <$fh> };
my ($commands) = $text =~ /^With nginx's own sources.*?\n\n(    .*?)\n\n/ms
    or die 'README.md has no "With nginx\'s own sources"';

$commands =~ s/^    //mg;
$commands =~ s{/path/to/nginx-init-gate}{$at}g;

$root->run_ok(script($root, "cd /src/nginx\n$commands\n", <<'SH'), 'built');
ls -l objs/ngx_http_init_gate_module.so
make >/dev/null
cat > objs/nginx.conf <<END
load_module objs/ngx_http_init_gate_module.so;
error_log stderr;
pid objs/nginx.pid;
events { }
http { init_checks app { check file /nowhere; } }
END
objs/nginx -t -p /src/nginx/ -c objs/nginx.conf
SH

$root->run_ok(script($root, "make -s clean\n",
    "NGINX_SRC=/src/nginx make\n", "ls build/ngx_http_init_gate_module.so\n"),
    'NGINX_SRC=/path/to/nginx make');

done_testing;
