#!/usr/bin/perl

# A prober that hangs: the second worker process probes in its place, once,
# until one of the two has ended.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new(workers => 3, http => <<'CONF');
    init_checks one { check file %%DIR%%/one;  interval 50ms; }
    init_checks two { check file %%DIR%%/two;  interval 50ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

my $taken = qr/\[error\].*worker process (\d+) does not respond/;

# a request may meet a worker process that is stopped

sub gate {
    my ($name) = @_;

    my $response = HTTP::Tiny->new(timeout => 1)
        ->get('http://127.0.0.1:' . $t->port(8080) . '/init');
    return if $response->{status} != 200;

    return (grep { $_->{gate} eq $name }
        @{JSON::PP::decode_json($response->{content})->{gates}})[0];
}

sub probed_by { my $gate = gate('two') or return 0; $gate->{prober}{pid} }

$t->run;
$t->wait_for(sub { (gate('one') // {})->{state} eq 'initializing' }, 'a verdict');

my $first = $t->prober;

$t->signal('STOP', $first);
$t->wait_log($taken, 1, patience(30));

my ($hung) = $t->log =~ $taken;
is($hung, $first, 'log: pid of the prober that hangs');

$t->write('one');
ok($t->wait_for(sub { (gate('one') // {})->{ready} }, 'the gate to open',
    patience(30)), 'hung prober: another worker process probes');

my $second = probed_by() || probed_by() || probed_by();
isnt($second, $first, 'log: pid of the new prober');

# it continues, and no longer probes

$t->signal('CONT', $first);
$t->wait_for(sub { (gate('two') // {})->{prober}{pid} == $second }, 'a status')
    for 1 .. 5;
is($t->prober, $second, 'hung prober continued: the new one still probes');

# the present prober ends: the first one, which still runs, or its successor,
# probes

$t->signal('KILL', $second);
$t->allow(qr/exited on signal 9/);
$t->wait_for(sub { !$t->alive($second) }, 'its end');

$t->write('two');
ok($t->wait_for(sub { (gate('two') // {})->{ready} }, 'the other gate to open',
    patience(30)), 'hung prober continued: gate probed');
is($t->log_count($taken), 1, 'hung prober: logged once');

done_testing;
