#!/usr/bin/perl

# Thousands of names, found and not found, queried and canceled: no descriptor,
# connection of nginx or memory is leaked, also if name servers stop and start
# meanwhile; a query in flight does not delay the exit.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::DNS;
use InitGate::Etc;

etc('hosts', "127.0.0.1 in.hosts\n");
etc('resolv.conf', "nameserver 127.0.0.1\n");

my $dns = InitGate::DNS->new(sub {
    my ($name, $type) = @_;

    return $type eq 'A' ? ['127.0.0.1'] : [] if $name =~ /^(?:found|other)/;
    return $type eq 'A' ? ['127.0.0.1'] : undef if $name =~ /^half/;
    return [map { "127.0.0.1" } 1 .. 100] if $name =~ /^long/;
    return $name =~ /^fails/ ? 'SERVFAIL' : $name =~ /^none/ ? 'NXDOMAIN'
        : undef;
}, addr => '127.0.0.1', port => 53, tcp => 1);
my $other = InitGate::DNS->new(sub { $_[1] eq 'A' ? ['127.0.0.1'] : [] });

my $t = InitGate->new(quit => 2, workers => 1, level => 'info',
    events => 'worker_connections 48;');

my @names = qw(in.hosts found.example half.example long.example none.example
    fails.example);

my $checks = join "\n", (map { "check tcp $_:1 name=$_;" } @names),
    map { "check tcp silent$_.example:1 name=silent$_ timeout=50ms;" } 1 .. 2;

my $conf = <<"CONF";
    init_checks app {
        $checks
        interval 10ms;
        backoff 10ms;
    }
    init_checks other {
        resolver 127.0.0.1:@{[$other->port]};
        check tcp other.example:1 name=other;
        interval 10ms;
        backoff 10ms;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { return 200; }
        location = /init { init_status details=on; }
    }
CONF

$t->run(http => $conf);

my ($worker) = $t->workers;

sub attempts {
    my $n = 0;
    $n += $_->{attempts} for map { @{$_->{checks}} } @{$t->json('/init')->{gates}};
    return $n;
}

sub some {
    my ($more) = @_;

    my $from = attempts();
    $t->wait_for(sub { attempts() > $from + $more }, "$more probes", 60);
}

some(500);

my $memory = $t->memory($worker);
my $descriptors = () = $t->descriptors($worker);

some(2000);

# name servers are changed repeatedly, with names in flight

for (1 .. 30) {
    etc('resolv.conf', "nameserver 127.0.0.1\n# $_\n");
    etc('hosts', "127.0.0.1 in.hosts\n# $_\n");
    some(10);
}

cmp_ok(scalar(() = $t->descriptors($worker)), '<=', $descriptors + 4,
    'many lookups: descriptors');

SKIP: {
    skip 'memory is counted otherwise', 1 if !$t->memory_counts;
    cmp_ok($t->memory($worker), '<', $memory + 1024, 'many lookups: memory');
}

settles($t, $_, 'error refused') for @names[0 .. 3], 'other';
settles($t, $_, 'error dns') for @names[4, 5];
settles($t, 'silent1', 'error timeout');

# no connection for the socket of a name server: only alerts of nginx itself

$t->allow(qr/\[alert\].*worker_connections are not enough$/);

$t->reload(http => <<'CONF');
    init_checks app {
        check tcp none.example:1 name=none;
        interval 20ms;
        backoff 20ms;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { return 200; }
        location = /init { init_status details=on; }
    }
CONF

settles($t, 'none', 'error dns');
($worker) = $t->workers;

my $starved = qr/cannot resolve "none\.example": no free connection/;
my @clients;

$t->wait_for(sub {
    return 1 if $t->log_count($starved);

    my $open = () = $t->descriptors($worker);
    my $asked = () = $dns->queries;

    push @clients, $t->connect;
    $clients[-1]->syswrite("GET / HTTP/1.1\r\n");

    # accepted; then a probe has begun, or failed to

    return $t->wait_for(sub {
        $t->log_count($starved)
            || $dns->queries > $asked + 4
               && (() = $t->descriptors($worker)) > $open - 2
    }, 'a probe') && 0;
}, 'connections to be exhausted', 60);

cmp_ok(scalar @clients, '>', 20, 'clients: take all connections');

@clients = ();
settles($t, 'none', 'error dns');

# in flight: a reload, and the exit

$dns->stop;
$dns = InitGate::DNS->new(sub { }, addr => '127.0.0.1', port => 53);

sub in_flight {
    my $asked = () = $dns->queries;
    $t->wait_for(sub { $dns->queries > $asked }, 'a name in flight');
}

$t->reload(http => $conf =~ s/timeout=50ms/timeout=60s/gr);
in_flight();

for (1 .. 5) {
    $t->reload;
    in_flight();
}

cmp_ok($t->quit, '<', patience(2), 'lookup in flight: QUIT in time');

$t->run(master => 0);
in_flight();
cmp_ok($t->quit, '<', patience(2), 'lookup in flight, no master: QUIT in time');

done_testing;
