#!/usr/bin/perl

# The end of an override is logged once, whichever process notices it: after
# reloads, after the prober was stopped, and by a configuration without it.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $gates = 'init_checks app { check file %%DIR%%/never;  interval 20ms; }'
    . ' init_checks two { check file %%DIR%%/never;  interval 20ms; }';
my $control = 'location /control/ { init_control token_file=%%DIR%%/token; }';

my $t = InitGate->new(workers => 2, level => 'notice',
    http => conf($gates, $control));

sub conf {
    my ($gates, $control) = @_;

    return <<"CONF";
    $gates
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
        $control
    }
CONF
}

$t->write('token', 's3cret-token');
$t->run;
$t->wait_state('initializing', 'app');

sub ordered {
    my ($form, $gate) = @_;

    return $t->post('/control/' . ($gate // 'app') . "?$form", headers => {
        Authorization => 'Bearer s3cret-token' })->{status};
}

# 202: by a slow machine

sub accepted { like($_[0], qr/^20[24]$/, "$_[1]: accepted") }

my ($ends, $line) = (0, qr/\[warn\].*override "\w+"(?: of check \S+)? by client 127\.0\.0\.1 has ended/);

sub ended {
    my ($label) = @_;

    $t->wait_log($line, ++$ends);

    # a later one would be there by now

    accepted(ordered('action=close&for=1ms&reason=r'), "$label: next");
    $t->wait_log($line, ++$ends);
    is($t->log_count($line), $ends, "$label: logged once");
}

# in time

accepted(ordered('action=open&for=100ms&reason=r'), 'alone');
$t->wait_log(qr/"open" for 100ms was ordered: r/);
ended('alone');

accepted(ordered('action=open&for=1500ms&reason=r'), 'clear');
$t->wait_log(qr/"open" for 1500ms was ordered: r/);
accepted(ordered('action=clear'), 'clear');

# while nginx reloads

for (1 .. 3) {
    accepted(ordered('action=open&for=150ms&reason=r'), 'reload');
    $t->signal('HUP') for 1 .. 3;
    ended('reload');
    $t->reload;
}

# while no prober runs

my $prober = $t->prober;

accepted(ordered('action=open&for=200ms&reason=r'), 'prober stopped');
$t->signal('STOP', $prober);
my $clock = $t->clock;
$t->wait_for(sub { $clock->elapsed > 0.3 }, 'the end of the override');
$t->allow(qr/exited on signal 9/);
$t->signal('KILL', $prober);
ended('prober stopped');

# by a configuration without it

accepted(ordered('action=open&for=1h&reason=r', 'two'), 'two');
accepted(ordered('action=ignore&check=file&for=1h&reason=r'), 'ignore');
$t->reload(http => conf($gates =~ s/init_checks two.*//r, $control));
ended('a gate that was removed');
is($t->gate('app')->{overrides}[-1]{action}, 'ignore', 'the other gate: kept');
$t->reload(http => conf($gates, ''));
$t->wait_log($line, ++$ends);
is($t->gate('app')->{overrides}, undef, 'without init_control: not in force');
$t->reload(http => conf($gates, $control));
is($t->gate('app')->{overrides}, undef, 'init_control again: not in force');
is($t->log_count($line), $ends, 'without init_control: logged once');
is($t->get('/')->{status}, 503, 'init_control again: refused');

accepted(ordered('action=open&for=1h&reason=r'), 'again');
$t->reload(http => 'server { listen 127.0.0.1:%%PORT_8080%%;'
    . ' location / { empty_gif; } }');
$t->wait_log($line, ++$ends);
ok(1, 'without gates: logged');

done_testing;
