#!/usr/bin/perl

# Types of processes and event methods: cache manager and loader, accept_mutex,
# reuseport, more workers than cores, poll and select.  With each of them nginx
# is started, holds requests, opens the gate, is reloaded and has a worker
# killed under load; only one process probes.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;

sub works_with {
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
        timeout 1m;
        latch off;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%% $listen;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app swings;  init_hold 10m;  empty_gif; }
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

    $t->wait_ready('swings');
    $t->wait_state('initializing', 'app');

    is($t->prober, ($t->workers)[0], "$name: the first worker probes");

    my @waiting = $t->hold(20, '/', 'app');

    my $clock = $t->clock;
    $t->write('app');
    is_deeply($t->statuses(@waiting), { 200 => 20 }, "$name: held, served");
    cmp_ok($clock->seconds, '<', patience(1), "$name: held, served in time");
    undef @waiting;

    my $load = InitGate::Load->new($t, clients => 2);
    $load->more(20);

    # the backend gets as many probes as one process counts

    my $seen = sub { scalar(() = $t->read('probes.log') =~ /\n/g) };
    my $attempts = sub { $t->check('http')->{attempts} };

    # probes in between may or may not be counted
    my @begin = ($seen->(), $attempts->(), $seen->());

    $t->wait_for(sub { $attempts->() > $begin[1] + 30 }, "$name: verdicts");

    my @end = ($seen->(), $attempts->(), $seen->());
    my $counted = $end[1] - $begin[1];

    cmp_ok($end[0] - $begin[2], '<=', $counted + 2,
        "$name: no more probes than one process counts");
    cmp_ok($end[2] - $begin[0], '>=', $counted - 2,
        "$name: no fewer probes than it counts");

    $t->reload for 1 .. 2;
    $load->more(20);

    $t->kill_prober;

    $t->reload;
    $load->more(20);

    my %count = $load->stop->counts;
    delete $count{lost};
    is_deeply([keys %count], [200], "$name: none refused");

    $t->wait_for(sub { $t->workers == $workers }, "$name: workers");

    # the harness tests descriptors, QUIT and alerts

    return $t;
}

my $t = works_with('cache', more => <<'CONF');
    proxy_cache_path %%DIR%%/cache keys_zone=one:1m loader_sleep=10ms;
    proxy_cache one;
CONF
like($t->log, qr/start cache manager process/, 'cache: cache manager started');

works_with('accept_mutex', events => 'accept_mutex on;', workers => 3);
works_with('multi_accept', events => 'multi_accept on;', workers => 3);

# each worker has a socket of its own, also the one that is killed

works_with('reuseport', listen => 'reuseport', workers => 3);
works_with('eight', workers => 8);

for my $method (qw(poll select)) {
    works_with($method, events => "use $method;")
        if `@{[InitGate::binary()]} -V 2>&1` =~ /with-${method}_module/;
}

done_testing;
