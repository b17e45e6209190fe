#!/usr/bin/perl

# The old prober, or the new one, killed while a reload is under way: one
# probes afterwards, and nobody is refused.  Of one that stands still, the
# heartbeat tells.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;
use Time::HiRes qw(time sleep);

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

sub gate { $t->json('/init')->{gates}[0] }

$t->wait_for(sub { gate()->{ready} }, 'the gate to open');

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
        "$which: the end of the old");
    $t->wait_for(sub { $t->workers == 2 }, "$which: two workers");

    # one of them probes, and does so without a pause

    $t->wait_for(sub { $t->alive($t->prober) }, "$which: a prober");

    my $attempts = gate()->{checks}[0]{attempts};
    my %probers;

    $t->wait_for(sub {
        my $gate = gate();
        $probers{$gate->{prober}{pid}}++;
        $gate->{checks}[0]{attempts} > $attempts + 10;
    }, "$which: ten verdicts");

    is(scalar keys %probers, 1, "$which: one probes");
    ok((grep { $probers{$_} } $t->workers), 'one of the new ones');
    is(gate()->{state}, 'ready', 'ready all the time');
}

# stopped, while another worker is asked

my $prober = $t->prober;
my $other;

$t->wait_for(sub {
    $other = $t->connect;
    $other->syswrite("GET /init HTTP/1.1\r\nHost: a\r\n\r\n");
    return $t->http_read($other)->{headers}{'x-worker'} != $prober;
}, 'a connection to the other worker');

sub heartbeat {
    $other->syswrite("GET /init HTTP/1.1\r\nHost: a\r\n\r\n");

    return JSON::PP::decode_json($t->http_read($other)->{content})
        ->{gates}[0]{prober}{heartbeat};
}

$t->signal('STOP', $prober);
my $last = heartbeat();
sleep 2;    # the time of two
is(heartbeat(), $last, 'no heartbeat');
$t->signal('CONT', $prober);
$t->wait_for(sub { heartbeat() ne $last }, 'the next one');

my %count = $load->stop->counts;
delete $count{lost};
is_deeply([keys %count], [200], 'nobody was refused');
is(counters($t, 'app')->{held_passed}, 0, 'nor held');

is_deeply([map { $_->{state} } @{gate()->{history}}], ['starting', 'ready'],
    'history');

done_testing;
