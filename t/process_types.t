#!/usr/bin/perl

# Kinds of processes and of event loops: a cache manager and loader beside,
# accept_mutex, reuseport, more workers than cores, poll and select.  Each is
# started, held at, opened, reloaded and crashed under load; only one process
# probes.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;
use Time::HiRes qw(time sleep);

sub try_it {
    my ($name, %args) = @_;

    my $listen = delete $args{listen} // '';
    my $more = delete $args{more} // '';
    my $workers = $args{workers} // 2;

    my $t = InitGate->new(%args, http => InitGate::Load::LOG . <<"CONF");
    $more

    init_checks app { check file %%DIR%%/app;  interval 20ms; }
    init_checks swings {
        check http http://127.0.0.1:%%PORT_8081%%/;
        check tcp 127.0.0.1:%%PORT_8081%%;
        interval 20ms 20ms;
        latch off;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%% $listen;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app swings;  init_hold 30s;  empty_gif; }
        location = /cached {
            init_gate app;
            proxy_pass http://127.0.0.1:%%PORT_8081%%;
        }
        location = /init { init_status details=on;  access_log off; }
    }
    server {
        listen 127.0.0.1:%%PORT_8081%%;
        access_log %%DIR%%/probes.log;
        return 200;
    }
CONF

    $t->allow(qr/exited on signal 9/);
    $t->run;

    my $gate = sub { $t->json('/init')->{gates}[$_[0] // 0] };

    $t->wait_for(sub { $gate->(1)->{ready}
        && $gate->()->{state} eq 'initializing' }, "$name: verdicts");

    is($t->prober, ($t->workers)[0], "$name: the first worker probes");

    my @waiting = map {
        my $socket = $t->connect;
        $socket->syswrite("GET / HTTP/1.1\r\nHost: a\r\n"
            . "Connection: close\r\n\r\n");
        $socket;
    } 1 .. 20;

    $t->wait_for(sub { $gate->()->{held} == 20 }, "$name: twenty to wait");

    my $begun = time;
    $t->write('app');
    my @served = grep { $_ && $_->{status} == 200 }
        map { $t->http_read($_) } @waiting;
    is(scalar @served, 20, "$name: served");
    cmp_ok(time - $begun, '<', patience(1), "$name: at once");
    undef @waiting;

    my $load = InitGate::Load->new($t, clients => 2);
    $load->more(20);

    # one probes: what the backend has seen is what it counts

    my $seen = sub { scalar(() = $t->read('probes.log') =~ /\n/g) };
    my $attempts = sub { $gate->(1)->{checks}[0]{attempts} };
    my ($attempted, $was_seen) = ($attempts->(), $seen->());

    $t->wait_for(sub { $attempts->() > $attempted + patience(10) },
        "$name: verdicts");

    my $differ = $seen->() - $was_seen - ($attempts->() - $attempted);
    cmp_ok(abs $differ, '<', patience(6), "$name: one probes") or diag $differ;

    $t->reload for 1 .. 2;
    $load->more(20);

    my $prober = $t->prober;
    $t->signal('KILL', $prober);
    $t->wait_for(sub { ($t->prober // $prober) != $prober },
        "$name: another prober");

    $t->reload;
    $load->more(20);

    my %count = $load->stop->counts;
    delete $count{lost};
    is_deeply([keys %count], [200], "$name: nobody was refused");

    $t->wait_for(sub { $t->workers == $workers }, "$name: workers");

    # the rest is the harness's: descriptors, QUIT in time, no alerts

    return $t;
}

my $t = try_it('cache', more => <<'CONF');
    proxy_cache_path %%DIR%%/cache keys_zone=one:1m loader_sleep=10ms;
    proxy_cache one;
CONF
like($t->log, qr/start cache manager process/, 'a cache manager is there');

try_it('accept_mutex', events => 'accept_mutex on;', workers => 3);
try_it('multi_accept', events => 'multi_accept on;', workers => 3);

# a socket for each worker, and so for the one that is killed

try_it('reuseport', listen => 'reuseport', workers => 3);
try_it('eight', workers => 8);

for my $method (qw(poll select)) {
    try_it($method, events => "use $method;")
        if `@{[InitGate::binary()]} -V 2>&1` =~ /with-${method}_module/;
}

done_testing;
