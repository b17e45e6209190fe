#!/usr/bin/perl

# Every balancer uses only the servers that are in.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Servers;

my $t = InitGate->new(status => 8080);
my $s = InitGate::Servers->new($t, 4);

my %group = (
    rr        => ['', ''],
    keepalive => ["keepalive 8;", ''],
    least     => ['least_conn;', ''],
    ip        => ['ip_hash;', ''],
    hash      => ['hash $arg_k;', '?k=%'],
    chash     => ['hash $arg_k consistent;', '?k=%'],
    random    => ['random;', ''],
    random2   => ['random two;', ''],
    weight    => ['', '', 'weight=5', 'weight=3'],
    max_conns => ['', '', 'max_conns=100'],
);

$group{least_time} = ['least_time header;', '']
    if InitGate->version >= 1.031003;
$group{sticky} = ['sticky cookie srv;', ''] if InitGate->version >= 1.029006;

my ($upstreams, $checks, $locations) = ('', '', '');

for my $name (sort keys %group) {
    my ($balancer, undef, @params) = @{$group{$name}};

    $upstreams .= "    upstream $name {\n        zone $name 128k;\n"
        . "        $balancer\n" . $s->lines(@params) . "    }\n";
    $checks .= "    init_checks g_$name { check upstream $name http=/ready; "
        . "interval 50ms 50ms; fall 2; }\n";
    $locations .= "        location /$name { init_gate g_$name;  "
        . "proxy_http_version 1.1;  proxy_set_header Connection '';  "
        . "proxy_pass http://$name; }\n";
}

# a single server, and a group with only backup servers left

my @line = split /(?<=;\n)/, $s->lines('', '', '', 'backup');
my @down = split /(?<=;\n)/, $s->lines('', 'down', '', 'backup');

$upstreams .= "    upstream single { zone single 64k;\n$line[0] }\n"
    . "    upstream backup { zone backup 64k;\n$line[0]$line[3] }\n"
    . "    upstream down { zone down 64k;\n@down[0, 1] }\n";

for my $name (qw(single backup down)) {
    $checks .= "    init_checks g_$name { check upstream $name http=/ready; "
        . "interval 50ms 50ms; fall 2; }\n";
    $locations .= "        location /$name { init_gate g_$name;  "
        . "proxy_pass http://$name; }\n";
}

$t->run(http => <<"CONF");
$upstreams
$checks
    server {
        listen 127.0.0.1:%%PORT_8080%%;
$locations
        location = /init { init_status details=on; }
    }
CONF

sub in {
    my ($name) = @_;

    my %in = map { $_->{address} => $_->{in} }
        @{$t->check('upstream', "g_$name")->{servers}};

    return join ' ', map { $in{$s->address($_)} // 0 ? 1 : 0 } 0 .. 3;
}

sub wait_in {
    my ($in, @name) = @_;
    for my $name (@name) {
        $t->wait_for(sub { in($name) eq $in }, "$name: servers in: $in");
    }
}

my @names = sort keys %group;

# the servers that get requests with different keys: enough, since "random"
# may leave a server out

sub used {
    my ($name) = @_;

    my $n = $name =~ /random/ ? 60 : 24;

    return join ' ', map { $_ ? 1 : 0 }
        $s->balance($t, $n, "/$name$group{$name}[1]");
}

$s->ready(0, 2);
wait_in('1 0 1 0', @names);

for my $name (@names) {
    my $used = used($name);
    $used =~ s/^(?:1 0 0 0|0 0 1 0)$/1 0 1 0/ if $name =~ /^ip|sticky/;
    is($used, '1 0 1 0', "$name: two of four");
}

$s->unready(0, 2);
$s->ready(1);
wait_in('0 1 0 0', @names);
is(used($_), '0 1 0 0', "$_: another one") for @names;

$s->ready(0, 1, 2, 3);
wait_in('1 1 1 1', @names);

for my $name (grep { !/^ip|least|sticky/ } @names) {
    is(used($name), '1 1 1 1', "$name: all") if $name ne 'weight';
}

# a single server

wait_in('1 0 0 0', 'single');
is($t->get('/single')->{status}, 200, 'single server in: 200');
$s->unready(0);
wait_in('0 0 0 0', 'single');
is($t->get('/single')->{status}, 502, 'single server out: 502');

# backup servers are probed and used, too

wait_in('0 0 0 1', 'backup');
is($t->get('/backup')->{content}, $s->server(3)->port(8080) . "\n",
    'server out: the backup serves');
$s->ready(0);
$s->unready(3);
wait_in('1 0 0 0', 'backup');
is($t->get('/backup')->{content}, $s->server(0)->port(8080) . "\n",
    'backup out: the server serves');
$s->unready(0);
wait_in('0 0 0 0', 'backup');
is($t->get('/backup')->{status}, 502, 'both out: 502');

# "down" in the configuration stays

$s->ready(0, 1);
$t->wait_for(sub { in('down') eq '1 0 0 0' }, 'the server that is not down');
is(@{$t->check('upstream', 'g_down')->{servers}}, 1, 'down: not asked');
is_deeply([$s->balance($t, 10, '/down')], [10, 0, 0, 0], 'down: gets nothing');

done_testing;
