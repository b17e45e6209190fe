#!/usr/bin/perl

# Workers killed, reloads that succeed and that fail, a binary upgrade, while
# checks are running: ordinary requests take as long as without these events.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Latency;
use InitGate::Fake;

my $silent = InitGate::Fake->silent(backlog => 1000)->port;
my $answers = InitGate::Fake->http(200, keepalive => 1)->port;

my $t = InitGate->new(workers => 2, level => 'notice');

sub conf {
    my ($version) = @_;

    my $checks = join "\n", map { (
        "        check http http://127.0.0.1:$answers/$version name=a$_
                        timeout=10s;",
        "        check http http://127.0.0.1:$silent/ name=s$_ optional;",
        "        check file %%DIR%%/app name=f$_;",
    ) } 1 .. 20;

    return InitGate::Latency::GATE . <<"CONF";
    init_checks app {
        interval 100ms 100ms;  backoff 100ms;  timeout 500ms;  latch off;
$checks
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
@{[InitGate::Latency::LOCATION]}
        location = /init { init_status details=on; }
        location = /ready { init_ready; }
    }
CONF
}

$t->write('app');
$t->run(http => conf(1));

my $latency = InitGate::Latency->new($t, keepalive => 0);

sub ready {
    $t->wait_for(sub { $t->get('/ready')->{status} == 200 },
        '/ready to answer 200');
}

ready();
my $first = $t->gate('app');

# the code runs N times, while requests are sent

sub during {
    my ($name, $n, $code, %args) = @_;

    $latency->begin;

    for (1 .. $n) {
        $latency->more(50);
        $code->();
    }

    $latency->more(50);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $latency->end($name, %args);
}

during('the prober killed', 5, sub {
    my $clock = $t->clock;
    $t->kill_prober;
    note(sprintf 'probing again after %.0f ms', 1000 * $clock->elapsed);
}, lost => 5);

during('reloads', 5, sub { $t->reload });

during('reloads that fail', 5, sub {
    my $errors = $t->log_count(qr/\[emerg\]/);
    $t->allow(qr/unknown directive "nonsense"/);
    $t->conf(http => conf(1) . 'nonsense;');
    $t->signal('HUP');
    $t->wait_log(qr/\[emerg\]/, $errors + 1);
});

is_deeply([@{$t->gate('app')}{qw(state started_at opened_at)}],
    [@$first{qw(state started_at opened_at)}],
    'kills and reloads: the gate is unchanged');

my $version = 1;

during('reloads of other checks', 5, sub {
    $t->reload(http => conf(++$version));
});

during('binary upgrades', 2, sub {
    (my $old, $t->{pid}) = $t->upgrade;

    my $clock = $t->clock;
    $t->signal('QUIT', $old);
    $t->wait_exit($old);
    note(sprintf 'QUIT took %.0f ms', 1000 * $clock->elapsed);
    cmp_ok($clock->seconds, '<', patience(2),
        'QUIT of the old binary: duration');
});

ready();

done_testing;
