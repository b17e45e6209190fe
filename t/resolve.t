#!/usr/bin/perl

# Names, resolved as on the host: /etc/hosts, then the name servers and search
# domains of /etc/resolv.conf.  In a private network, so that port 53 is free,
# and with private copies of these two files.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::DNS;
use InitGate::Etc;
use IO::Socket::IP;
use Time::HiRes qw(time sleep);

etc('hosts', <<'HOSTS');
# those of the host
127.0.0.1	here.example alias  # and not this: commented
127.0.0.2	several
127.0.0.3	several
::1		six
not-an-address	broken
127.0.0.1	broken
127.0.0.3	in.localhost
HOSTS

etc('resolv.conf', <<'CONF');
# no name server yet: 127.0.0.1 is used, as in the C library
CONF

my %zone = (
    'db.cluster.local' => ['127.0.0.1'],
    'db.svc.cluster.local' => 'SERVFAIL',
    'two.dots.example' => ['127.0.0.1'],
    'flat' => ['127.0.0.1'],
    'nowhere.cluster.local' => ['10.1.2.3'],
    'many.example' => [map { "127.0.0.$_" } 2 .. 9, 1],
    'six.example' => ['::1'],
    'broken.example' => 'SERVFAIL',
    'refused.example' => 'REFUSED',
);

my $dns = InitGate::DNS->new(sub {
    my ($name, $type, $word) = @_;

    return if $name eq 'silent.example' || $word eq 'silent';

    my $found = $zone{$name};
    $found = ['127.0.0.1'] if "$name $word" eq 'late.example late';
    return 'NXDOMAIN' if !$found;
    return $found if !ref $found;

    return [grep { $type eq 'AAAA' ? /:/ : !/:/ } @$found];
}, addr => '127.0.0.1', port => 53);

my $limit = patience(1);

# if the timeout of the probe is longer than that of a name server

my @quiet = $limit > 1
    ? ('error dns', qr/no response from the name server$/)
    : ('error timeout', qr/while resolving$/);

my $t = InitGate->new(quit => 2, workers => 1);
my $port = $t->port(1);
my $six = IO::Socket::IP->new(LocalHost => '::1', Proto => 'udp');
my $listen6 = $six ? "listen [::1]:$port;" : '';


sub conf {
    my ($names) = @_;

    my $checks = join "\n", map {
        my $name = s/\.$/_dot/r;
        "check tcp $_:$port name=$name;"
    } @$names;

    return <<"CONF";
    init_checks app {
$checks
        check tcp in.localhost:%%PORT_3%% name=in.localhost;
        check file /no/such/file name=never;
        interval 50ms;
        backoff 50ms;
        timeout ${limit}s;
    }

    server {
        listen 127.0.0.1:$port;
        listen 127.0.0.3:$port;
        listen 127.0.0.3:%%PORT_3%%;
        $listen6
        listen 127.0.0.1:%%PORT_8080%%;
        location / { return 200; }
        location = /init { init_status app details=on; }
    }
CONF
}


# /etc/hosts only

$t->run(http => conf([qw(here.example HERE.Example alias several broken six
    localhost sub.localhost LocalHost. commented unknown.example)]));

settles($t, $_, 'passed') for qw(here.example HERE.Example alias several broken
    localhost sub.localhost LocalHost_dot in.localhost);

SKIP: {
    skip 'no IPv6 here', 1 if !$six;
    settles($t, 'six', 'passed');
}

settles($t, $_, 'error dns', qr/^cannot resolve "$_": host not found$/)
    for qw(commented unknown.example);

ok((grep { $_ eq 'unknown.example a' } $dns->queries),
    'no name server in the file: 127.0.0.1 is queried');
ok(!(grep { /localhost/ } $dns->queries), 'names below localhost: not queried');

# the name servers and the search list, read again once they have changed

my @names = qw(db two.dots.example flat flat. nowhere many.example
    six.example broken.example refused.example none.example silent.example
    late.example);

etc('resolv.conf', <<'CONF');
nameserver 127.0.0.1
search svc.cluster.local cluster.local
CONF

$t->reload(http => conf(\@names));

settles($t, $_, 'passed')
    for qw(db two.dots.example flat flat_dot many.example);

settles($t, 'six.example', 'passed') if $six;
settles($t, 'nowhere', 'error unreachable', qr/10\.1\.2\.3:$port/);
settles($t, 'broken.example', 'error dns', qr/name server failure/);
settles($t, 'refused.example', 'error dns', qr/name server failure/);
settles($t, 'none.example', 'error dns',
    qr/^cannot resolve "none\.example": host not found$/);
settles($t, 'silent.example', $quiet[0], $quiet[1]);
settles($t, 'late.example', 'error dns', qr/host not found/);

my @asked = map { s/ a$//r } grep { / a$/ } $dns->queries;
my %asked = map { $_ => 1 } @asked;
my @db = grep { /^db\b/ } @asked;

# a failed name is queried more than once

shift @db while @db > 1 && $db[0] eq $db[1];
is("@db[0 .. 1]", 'db.svc.cluster.local db.cluster.local',
    'search list: in order, also after a failure');
ok(!$asked{db}, 'search list: ends at the first match');
ok($asked{'flat.svc.cluster.local'}, 'name without dots: searched first');
ok(!$asked{'two.dots.example.svc.cluster.local'},
    'name with dots: queried as it is');
ok($asked{'none.example.cluster.local'},
    'name with dots: then with the search list');
ok((grep { /^many\.example aaaa$/ } $dns->queries), 'IPv6: queried');

$dns->set('late');
settles($t, 'late.example', 'passed');

# changed files are read again, without a reload

etc('hosts', "127.0.0.1 none.example\n");
$t->wait_for(sub { $t->check('none.example')->{verdict} eq 'passed' },
    'the changed /etc/hosts');
pass('/etc/hosts changed: read again');

# even twice in one second, when size and time are the same

sleep 0.01 while time - int time > 0.1;
etc('hosts', "127.0.0.1 none.exampl1\n");
$t->wait_for(sub { $t->check('none.example')->{verdict} ne 'passed' },
    'the name to be removed');
etc('hosts', "127.0.0.1 none.example\n");
$t->wait_for(sub { $t->check('none.example')->{verdict} eq 'passed' },
    'the second change of /etc/hosts');
pass('/etc/hosts changed again: read again');

my $second = InitGate::DNS->new(sub {
    my ($name, $type) = @_;
    return $type eq 'A' ? ['127.0.0.1'] : [];
}, addr => '127.0.0.2', port => 53);

etc('resolv.conf', "nameserver 127.0.0.2\noptions ndots:2\nsearch new\n");
$t->wait_for(sub { $t->check('broken.example')->{verdict} eq 'passed' },
    'the changed name server');
is((grep { /^broken/ } $second->queries)[0], 'broken.example.new a',
    '/etc/resolv.conf changed: read again, with ndots');

# the first name server is silent: the second one is queried

$dns->set('silent');
etc('resolv.conf', "nameserver 127.0.0.1\nnameserver 127.0.0.2\n");
$t->reload(http => conf(['one.of.two']) =~ s/timeout \d+/'timeout ' . 4 * $limit/er);

$t->wait_for(sub { $t->check('one.of.two')->{verdict} eq 'passed' },
    'the second name server');
is($t->check('one.of.two')->{recent}[0][0], 'passed',
    'first name server silent: the second one responds in time');

# a silent name server does not delay requests or the exit

etc('resolv.conf', "nameserver 127.0.0.1\n");
$t->reload(http => conf([qw(quiet1.example quiet2.example)]));
settles($t, 'quiet1.example', $quiet[0], $quiet[1]);

my ($worker) = $t->workers;
my $attempts = $t->check('quiet1.example')->{attempts};
my $descriptors = () = $t->descriptors($worker);
my $worst = 0;

$t->wait_for(sub {
    my $start = time;
    $t->get('/');
    my $took = time - $start;
    $worst = $took if $worst < $took;
    return $t->check('quiet1.example')->{attempts} > $attempts + 1;
}, 'more silence');

cmp_ok($worst, '<', patience(0.3), 'lookups: no delay of other requests');
cmp_ok(scalar(() = $t->descriptors($worker)), '<=', $descriptors + 2,
    'lookups: no descriptor leaked');

done_testing;
