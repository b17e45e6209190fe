#!/usr/bin/perl

# Name servers: silent, failing, or wrong for one of the address families; and
# those of the "resolver" directive of a gate.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::DNS;
use InitGate::Etc;
use InitGate::Fake;

etc('hosts', "127.0.0.1 in.hosts\n");

my $t = InitGate->new(quit => 2, workers => 1);
my $port = $t->port(1);


sub conf {
    my ($names, $http, $gate) = @_;

    my $checks = join "\n", map { "check tcp $_:$port name=$_;" } @$names;

    return <<"CONF";
    $http

    init_checks app {
        $gate
        $checks
        check file /no/such/file name=never;
        interval 50ms;
        backoff 50ms;
    }

    server {
        listen 127.0.0.1:$port;
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
    }
CONF
}


my $started;

sub load {
    my ($names, $http, $gate) = @_;

    my $conf = conf($names, $http // '', $gate // '');
    $started++ ? $t->reload(http => $conf) : $t->run(http => $conf);
}


# all responses are for IPv4

sub v4 { $_[0] eq 'A' ? [$_[1] // '127.0.0.1'] : [] }

sub at { (addr => "127.0.0.$_[0]", port => 53) }


# Podman: NXDOMAIN for a host that has no IPv6 address; and other wrong
# responses.  No check would pass in time if the second family were awaited

my $odd = InitGate::DNS->new(sub {
    my ($name, $type) = @_;

    my ($other, $domain) = $name =~ /^(\w+)\.(dns\.podman|example)$/
        or return 'NXDOMAIN';

    return v4($type) if $type eq 'A' && $other !~ /^six/;
    return ['::1'] if $type eq 'AAAA' && $other =~ /^six/;

    return if $other =~ /silent/;
    return $other =~ /fails/ ? 'SERVFAIL' : $other =~ /refuses/ ? 'REFUSED'
        : $other =~ /empty/ ? [] : 'NXDOMAIN';
}, at(1));

etc('resolv.conf', "nameserver 127.0.0.1\nsearch dns.podman\n");

my @second = map { ($_, "$_.example") }
    qw(absent silent fails refuses empty);

load(\@second, '', 'timeout 1s;');
settles($t, $_, 'passed') for @second;

SKIP: {
    skip 'no IPv6 here', 1
        if !IO::Socket::IP->new(LocalHost => '::1', Proto => 'udp');

    my @six = map { "six$_" } qw(absent silent empty);

    $t->conf(http => conf(\@six, '', 'timeout 1s;')
        =~ s/listen \S+:$port;/listen [::1]:$port;/r);
    $t->reload;
    settles($t, $_, 'passed') for @six;
}

# a search list whose last domain has all names: both address families are taken
# from the domain in which the first one was found

my $wild = InitGate::DNS->new(sub {
    my ($name, $type) = @_;

    return $type eq 'A' ? ['127.0.0.1'] : [] if $name eq 'four.near.example';
    return $type eq 'A' ? [] : ['::3'] if $name eq 'six.near.example';
    return $type eq 'A' ? ['127.0.0.9'] : ['::2'] if $name =~ /wild\.example$/;
    return 'NXDOMAIN';
}, at(2));

etc('resolv.conf', "nameserver 127.0.0.2\nsearch near.example wild.example\n");
load(['four', 'six', 'none']);
settles($t, 'four', 'passed');
settles($t, 'six', qr/^error/, qr/\[::3\]/);
settles($t, 'none', qr/^error/, qr/127\.0\.0\.9|::2/);
ok(!(grep { /^(?:four|six)\.wild/ } $wild->queries),
    'found in the first domain: no other domain queried');

# the first of several fails, or does not run: the next one is queried

my %bad = map { $_->[0] => InitGate::DNS->new($_->[1], at($_->[2])) }
    ['fails', sub { 'SERVFAIL' }, 3], ['refuses', sub { 'REFUSED' }, 4],
    ['silent', sub { }, 5];
my $good = InitGate::DNS->new(sub {
    my ($name, $type) = @_;
    return $name =~ /^(?:found\.example|deep\.five\.example)$/
        ? v4($type) : 'NXDOMAIN';
}, at(6));

for ([3, 'one that fails'], [4, 'one that refuses'], [5, 'one that is silent'],
     [99, 'one that is not there'])
{
    my ($number, $what) = @$_;

    etc('resolv.conf', "nameserver 127.0.0.$number\nnameserver 127.0.0.6\n");
    load(['found.example']);
    settles($t, 'found.example', 'passed');
    is($t->check('found.example')->{recent}[0][0], 'passed',
        "$what: the next one is asked in the same probe");
}

# in order, without rotation

ok((grep { /^found/ } $bad{$_}->queries), "$_: asked first")
    for sort keys %bad;

my @first = $odd->queries;
etc('resolv.conf', "nameserver 127.0.0.6\nnameserver 127.0.0.1\n");
load(['found.example']);
settles($t, 'found.example', 'passed');
probed($t, 'found.example') for 1 .. 3;
is(scalar(() = $odd->queries), @first,
    'the second one: queried only after a failure');

# a silent one, and a complete search list, in 3 s

etc('resolv.conf', "nameserver 127.0.0.5\nnameserver 127.0.0.6\n"
    . 'search ' . join(' ', map { "$_.example" } qw(one two three four five))
    . "\n");
load(['deep'], '', 'timeout ' . patience(3) . 's;');
settles($t, 'deep', 'passed');

# no response from any of them: less than the timeout of a probe

etc('resolv.conf', "nameserver 127.0.0.5\n");
load(['found.example'], '', 'timeout ' . patience(3) . 's;');
settles($t, 'found.example', 'error dns',
    qr/^cannot resolve "found\.example": no response from the name server$/);

# stopped, and started again

etc('resolv.conf', "nameserver 127.0.0.7\n");
settles($t, 'found.example', 'error dns', qr/name server/);

my $back = InitGate::DNS->new(sub { v4($_[1]) }, at(7));
settles($t, 'found.example', 'passed');
$back->stop;
settles($t, 'found.example', 'error dns', qr/name server/);
$back = InitGate::DNS->new(sub { v4($_[1]) }, at(7));
settles($t, 'found.example', 'passed');

# a name in flight is sent to the new ones when the file changes, which the next
# probe of another check notices; a slow machine may need another attempt

etc('resolv.conf', "nameserver 127.0.0.5\n");
load(['found.example'], '', 'timeout ' . patience(20) . 's;'
    . 'check tcp other.example:1 timeout=50ms;');

sub failures {
    my $n = 0;
    $n += $_ for $t->get('/init?format=prometheus')->{content}
        =~ /check_failures_total\{[^}]*check="found\.example"[^}]*\} (\d+)/g;
    return $n;
}

my $again;

for (1 .. 10) {
    etc('resolv.conf', "nameserver 127.0.0.5\n");
    settles($t, 'found.example', 'error dns');

    my $asked = () = grep { /^found/ } $bad{silent}->queries;
    my $failures;
    $t->wait_for(sub {
        $failures = failures();
        (() = grep { /^found/ } $bad{silent}->queries) > $asked
    }, 'a name in flight');

    etc('resolv.conf', "nameserver 127.0.0.6\n");
    settles($t, 'found.example', 'passed');
    last if $again = failures() == $failures;
}

ok($again, 'resolv.conf changed during a lookup: no failure');

# a response too long for UDP, whose first addresses are unused

my $long = InitGate::DNS->new(sub {
    my ($name, $type) = @_;
    return v4($type) if $type ne 'A';
    return [(map { "127.1.0.$_" } 1 .. 14), '127.0.0.1',
            map { "127.2.0.$_" } 1 .. 60];
}, at(8), tcp => 1);

etc('resolv.conf', "nameserver 127.0.0.8\n");
load(['long.example']);
settles($t, 'long.example', 'passed');
ok((grep { $_ eq 'tcp' } $long->queries), 'long response: queried by TCP');

# "resolver" of http does not apply to checks

my $nginx = InitGate::DNS->new(sub { v4($_[1]) });
etc('resolv.conf', "nameserver 127.0.0.6\nsearch five.example\n");
load(['in.hosts', 'deep', 'none.example'],
    'resolver 127.0.0.1:' . $nginx->port . ';');
settles($t, $_, 'passed') for qw(in.hosts deep);
settles($t, 'none.example', 'error dns', qr/host not found$/);
is(scalar(() = $nginx->queries), 0, 'resolver of http: not queried');

# with that of the gate, the search list and /etc/hosts still apply

my $own = InitGate::DNS->new(sub {
    my ($name, $type) = @_;
    return $name =~ /^(?:mine\.five\.example|mine\.example)$/
        ? v4($type) : 'NXDOMAIN';
});

load(['in.hosts', 'mine', 'mine.example', 'found.example'], '',
    'resolver 127.0.0.5 127.0.0.1:' . $own->port . ';');
settles($t, $_, 'passed') for qw(in.hosts mine mine.example);
my $before = () = $good->queries;
probed($t, 'found.example');
settles($t, 'found.example', 'error dns', qr/host not found$/);
is(scalar(() = $good->queries), $before,
    'name servers of the host: not queried');

done_testing;
