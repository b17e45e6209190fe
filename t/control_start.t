#!/usr/bin/perl

# An order that comes while a prober starts: it is in force when it is answered
# by 204, and a recheck is not lost.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Witness;

plan(skip_all => 'the sanitizer has to be preloaded first')
    if InitGate::is_linked_in();

my $t = InitGate->new(workers => 2, main => $> ? '' : 'user root;',
    http => <<'CONF');
    init_checks app { check file %%DIR%%/marker  name=marker;  interval 1h; }
    server {
        listen 127.0.0.1:%%PORT_8080%% reuseport;
        access_log off;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
        location /control/ { init_control token_file=%%DIR%%/token; }
        location = /worker { add_header X-Worker $pid;  empty_gif; }
    }
CONF

$t->write('token', 's3cret-token');
$t->write('marker');

{
    local @ENV{qw(LD_PRELOAD STOP_FILE)}
        = ($t->preload('wake_stop'), $t->path('stop'));
    $t->run;
}

$t->wait_ready('app');
$t->allow(qr/exited on signal 9/);

# it has no title yet

sub children {
    my $master = $t->master;

    return split ' ',
        InitGate::Clock::slurp("/proc/$master/task/$master/children");
}

sub stopped { InitGate::Clock::slurp("/proc/$_[0]/stat") =~ /^.*\) T /s }

# kills the prober; the next one stops after its first publication, while the
# other worker receives these orders

sub ordered {
    my @orders = @_;

    my $prober = $t->prober;
    my %worker = worker_sockets($t, '/worker');
    my ($other) = grep { $_ != $prober } keys %worker;
    my ($next, @sockets);

    push @sockets, {worker_sockets($t, '/worker')}->{$other} for @orders;

    $t->write('stop');
    $t->signal('KILL', $prober);
    $t->wait_for(sub {
        ($next) = grep { $_ != $prober && $_ != $other } children();
        return $next && stopped($next);
    }, 'a stopped prober');
    ok(!-e $t->path('stop'), 'the next prober: stopped while it starts');

    $sockets[$_]->syswrite(head('POST', "/control/app?$orders[$_]",
        's3cret-token')) for 0 .. $#orders;

    # answered after the worker has read the orders

    $worker{$other}->syswrite(head('GET', '/worker'));
    status($worker{$other});

    $t->signal('CONT', $next);

    return join ' ', map { status($_) } @sockets;
}

sub everywhere {
    my %worker = worker_sockets($t, '/worker');

    return join ' ', map {
        $_->syswrite(head('GET', '/'));
        status($_);
    } values %worker;
}

is(everywhere(), '200 200', 'ready: requests pass');

for (['close', 503], ['open', 200], ['close', 503]) {
    my ($action, $status) = @$_;

    is(ordered("action=$action&for=1h&reason=r"), 204, "$action: 204");
    is(everywhere(), "$status $status", "$action: in force in each worker");
}

is(ordered('action=clear'), 204, 'clear: 204');
is(everywhere(), '200 200', 'clear: in force in each worker');

# of a latched gate

my $attempts = $t->check('marker')->{attempts};
is(ordered('action=recheck'), 204, 'recheck: 204');
$t->wait_for(sub { $t->check('marker')->{attempts} > $attempts }, 'a probe');
is($t->check('marker')->{attempts}, $attempts + 1, 'recheck: one probe');

$t->kill_prober;
$t->reload;
is($t->check('marker')->{attempts}, $attempts + 1,
    'a crash and a reload: no other probe');

done_testing;
