#!/usr/bin/perl

# Workers killed, reloads that succeed and that fail, a binary upgrade, with
# checks under way: ordinary requests take as long as those to an nginx that
# is left alone.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Latency;
use InitGate::Fake;
use Time::HiRes qw(time);

my $silent = InitGate::Fake->silent(backlog => 1000)->port;
my $answers = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        while $c->read_until(qr/\r\n\r\n/);
})->port;

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

my $beside = InitGate::Latency->new($t, keepalive => 0);

sub ready {
    $t->wait_for(sub { $t->get('/ready')->{status} == 200 }, 'all gates');
}

sub app { (grep { $_->{gate} eq 'app' } @{$t->json('/init')->{gates}})[0] }

ready();
my $first = app();

# what is done so many times beside them

sub during {
    my ($name, $n, $code, %args) = @_;

    $beside->begin;

    for (1 .. $n) {
        $beside->more(50);
        $code->();
    }

    $beside->more(50);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $beside->end($name, %args);
}

during('the probing worker killed', 5, sub {
    my $prober = app()->{prober}{pid};
    $t->allow(qr/exited on signal 9/);
    $t->signal('KILL', $prober);
    my $begun = time;
    $t->wait_for(sub { (app()->{prober}{pid} // 0) != $prober }, 'another');
    note(sprintf 'probing again after %.0f ms', 1000 * (time - $begun));
}, lost => 5);

during('reloads', 5, sub { $t->reload });

during('reloads that fail', 5, sub {
    my $errors = $t->log_count(qr/\[emerg\]/);
    $t->allow(qr/unknown directive "nonsense"/);
    $t->conf(http => conf(1) . 'nonsense;');
    $t->signal('HUP');
    $t->wait_log(qr/\[emerg\]/, $errors + 1);
});

is_deeply([@{app()}{qw(state started_at opened_at)}],
    [@$first{qw(state started_at opened_at)}], 'the gate is as it was');

my $version = 1;

during('reloads of other checks', 5, sub {
    $t->reload(http => conf(++$version));
});

during('binary upgrades', 2, sub {
    my $old = $t->{pid};

    $t->signal('USR2');
    $t->wait_for(sub { -e $t->path('nginx.pid.oldbin') }, 'the old pid file');
    $t->wait_for(sub { ($t->master // $old) != $old }, 'the new pid file');

    $t->{pid} = $t->master;
    $t->wait_for(sub { $t->workers == 2 }, 'new workers');

    my $begun = time;
    $t->signal('QUIT', $old);
    $t->wait_for(sub { !$t->alive($old) }, 'the old ones to go');
    note(sprintf 'QUIT took %.0f ms', 1000 * (time - $begun));
    cmp_ok(time - $begun, '<', patience(2), 'QUIT');
});

ready();

done_testing;
