#!/usr/bin/perl

# The old prober, or the new one, killed during a reload: one worker probes
# afterwards, and no request is refused.  A stopped prober has no heartbeat.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;

my $t = InitGate->new(http => InitGate::Load::LOG . <<'CONF');
    init_checks app { check file %%DIR%%/app;  interval 20ms 20ms;  latch off; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app;  empty_gif; }
        location = /init {
            init_status details=on;
            add_header X-Worker $pid;
            access_log off;
        }
    }
CONF

$t->allow(qr/exited on signal 9|kill\(.*failed|sendmsg\(\) failed/);
$t->write('app');
$t->run;

$t->wait_ready;

my $load = InitGate::Load->new($t, clients => 2);

# the master sleeps 100 ms between starting new workers and ending the old

open my $fh, '<', $t->path('error.log') or die $!;
my ($count, @new) = (0);

sub started {
    while (my $line = <$fh>) {
        next if $line !~ /start worker process (\d+)/;
        $count++;
        @new = (@new, $1)[-2, -1];
    }

    seek $fh, 0, 1;

    return $count;
}

for my $which (qw(old new) x 3) {
    my $prober = $t->prober;
    my $started = started();
    my %old = map { $_ => 1 } $t->workers;

    $t->signal('HUP');
    $t->wait_for(sub { started() >= $started + 2 }, 'new workers');
    $t->signal('KILL', $which eq 'old' ? $prober : $new[0]);

    $t->wait_for(sub { !grep { $t->alive($_) } keys %old },
        "old workers to exit ($which killed)");
    $t->wait_for(sub { $t->workers == 2 }, "two workers ($which killed)");

    # one of them probes, without a pause

    $t->wait_for(sub { $t->alive($t->prober) }, "a prober ($which killed)");

    my $attempts = $t->gate->{checks}[0]{attempts};
    my %probers;

    $t->wait_for(sub {
        my $gate = $t->gate;
        $probers{$gate->{prober}{pid}}++;
        $gate->{checks}[0]{attempts} > $attempts + 10;
    }, "ten verdicts ($which killed)");

    is(scalar keys %probers, 1, "$which prober killed: one worker probes");
    ok((grep { $probers{$_} } $t->workers),
        "$which prober killed: a new worker probes");
    is($t->gate->{state}, 'ready',
        "$which prober killed: gate ready");
}

# the prober is stopped; the status comes from the other worker

my $prober = $t->prober;
my $other;

$t->wait_for(sub {
    $other = $t->connect;
    $t->send('/init', socket => $other, keepalive => 1);
    return $t->http_read($other)->{headers}{'x-worker'} != $prober;
}, 'a connection to the other worker');

sub heartbeat {
    $t->send('/init', socket => $other, keepalive => 1);

    return JSON::PP::decode_json($t->http_read($other)->{content})
        ->{gates}[0]{prober}{heartbeat};
}

# another nginx, whose prober has heartbeats in the meantime

my $beside = InitGate->new(http => <<'CONF')->run;
    init_checks app { check file %%DIR%%; }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

sub beats {
    my ($nginx, $n) = @_;

    my %seen;
    $nginx->wait_for(sub {
        $seen{$nginx->gate->{prober}{heartbeat}}++;
        return keys %seen > $n;
    }, "$n heartbeats");
}

$t->signal('STOP', $prober);
my $last = heartbeat();
beats($beside, 3);
is(heartbeat(), $last, 'stopped prober: no heartbeat');
$t->signal('CONT', $prober);
$t->wait_for(sub { heartbeat() ne $last }, 'the next heartbeat');

my %count = $load->stop->counts;
delete $count{lost};
is_deeply([keys %count], [200], 'kills and reloads: no request is refused');
is(counters($t, 'app')->{held_passed}, 0,
    'kills and reloads: no request is held');

is_deeply([map { $_->{state} } @{$t->gate()->{history}}], ['starting', 'ready'],
    'kills and reloads: history');

done_testing;
