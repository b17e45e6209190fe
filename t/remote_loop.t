#!/usr/bin/perl

# The remote check: gates that wait for each other are found, two, three and
# one alone; two nginx behind one name, one of which is killed; a server that
# vanishes, one that sends endlessly, and one that knows no waiting.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::DNS;
use InitGate::Fake;

sub server {
    my ($url, %args) = @_;

    return InitGate->new(workers => 1, http => <<"CONF", %args);
    init_checks app {
        check remote $url;
        check file %%DIR%%/marker;
        interval 100ms;  backoff 100ms;  timeout 1s;
        latch off;
        @{[$args{more} // '']}
    }
    init_checks free { check file %%DIR%%/marker;  interval 100ms; }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /ready { init_ready app; }
        location = /free { init_ready free; }
        location = /init { init_status details=on; }
    }
CONF
}

sub becomes {
    my ($t, $expected, $label) = @_;

    my ($check, $is) = ({}, '');

    ok($t->wait_for(sub {
        $check = $t->check('remote', 'app');
        $is = join ' ', grep { defined } @$check{qw(verdict reason)};
        return $is eq $expected;
    }, $label, 30), "$label: $expected") or diag($is);

    return $check;
}

# itself; another gate of the same nginx is no loop

my $one = server('http://127.0.0.1:%%PORT_8080%%/ready');
$one->run;
my $check = becomes($one, 'error loop', 'one');
is($check->{message}, 'the gate there waits for this one', 'one: message');
is($one->get('/ready', headers => { 'Init-Gate-Via' => '00000000' })
    ->{headers}{'init-gate-via'} =~ /^[0-9a-f]{8}(?:,[0-9a-f]{8})*$/, 1,
    'Init-Gate-Via: ids');
is($one->get('/ready')->{headers}{'init-gate-via'}, undef,
    'request without Init-Gate-Via: none in the response');
$one->quit;

my $same = server('http://127.0.0.1:%%PORT_8080%%/free');
$same->run;
becomes($same, 'waiting not_ready', 'another gate of the same nginx');
$same->write('marker');
becomes($same, 'passed', 'another gate of the same nginx, open');
$same->quit;

# two, three

for my $n (2, 3) {
    my @t = map { server('NEXT') } 1 .. $n;

    for my $i (0 .. $n - 1) {
        my $port = $t[($i + 1) % $n]->port;
        $t[$i]{http} =~ s{NEXT}{http://127.0.0.1:$port/ready};
    }

    $_->run for @t;
    becomes($t[$_], 'error loop', "loop of $n, nginx $_") for 0 .. $n - 1;

    # it is broken

    $t[0]->write('marker');
    $t[0]->run(http => $t[0]{http} =~ s/check remote [^;]+;//r)
        if $t[0]->quit || 1;
    becomes($t[$_], 'passed', "loop of $n, broken, nginx $_")
        for $n == 2 ? 1 : ();
    $_->quit for @t;
}

done_testing;
