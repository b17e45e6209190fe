#!/usr/bin/perl

# master_process off: the one process probes, holds and serves; it ends by
# QUIT.  nginx itself serves nobody new after a HUP there, but nothing may
# crash, and who waits is not forgotten.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;
use Time::HiRes qw(time sleep);

my $t = InitGate->new(master => 0, http => '', also => InitGate::Load::BESIDE);

sub conf {
    my ($marker) = @_;

    return InitGate::Load::LOG . <<"CONF";
    init_checks app { check file %%DIR%%/$marker;  interval 20ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app;  init_hold 30s;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
    }
CONF
}

sub gate { $t->json('/init')->{gates}[0] }

sub waiting {
    my ($n) = @_;

    my @waiting = map {
        my $socket = $t->connect;
        $socket->syswrite("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        $socket;
    } 1 .. $n;

    $t->wait_for(sub { gate()->{held} == $n }, 'them to wait');

    return @waiting;
}

sub served {
    return scalar grep { $_ && $_->{status} == 200 }
        map { $t->http_read($_) } @_;
}

# start, open, QUIT

$t->run(http => conf('one'));
$t->wait_for(sub { eval { gate()->{state} eq 'initializing' } }, 'a verdict');
is(gate()->{prober}{pid}, $t->{pid}, 'the one process probes');

my @waiting = waiting(4);
$t->write('one');
is(served(@waiting), 4, 'served');
balanced($t, 'app');

my $load = InitGate::Load->new($t, clients => 2);
$load->more(20);
only($load, 200, 'open');

# QUIT, which is not graceful there: those who wait are answered

my $beside = beside($t, ends => 1);
$t->quit;
undisturbed($beside);
$t->remove('one');
$t->run;
$t->wait_for(sub { eval { gate()->{state} eq 'initializing' } }, 'a verdict');
@waiting = waiting(4);
$beside = beside($t, ends => 1);
cmp_ok($t->quit, '<', patience(1), 'QUIT');
is(scalar(grep { $_ && $_->{status} == 503 } map { $t->http_read($_) }
    @waiting), 4, 'those who wait are answered');
undisturbed($beside);

# HUP, with the checks as they were, and with others, while somebody waits

my $reloads = 0;

for my $marker ('one', 'two') {
    $t->remove($_) for qw(one two);
    $t->run(http => conf('one'));
    $t->wait_for(sub { eval { gate()->{state} eq 'initializing' } },
        'a verdict');
    @waiting = waiting(4);
    $beside = beside($t, ends => 1);
    my $done = $t->connect;
    $done->syswrite("GET /init HTTP/1.1\r\nHost: a\r\n\r\n");
    is($t->http_read($done)->{status}, 200, 'a connection that lives on');
    my $pid = $t->{pid};

    $t->conf(http => conf($marker));
    $t->signal('HUP');
    $t->wait_log(qr/\[notice\].*reconfiguring/, ++$reloads);

    my @answers = map { $t->http_read($_) } @waiting;
    is(scalar(grep { $_ && $_->{status} == 503 } @answers), 4,
        'HUP: those who wait are answered');

    # connections from before go on

    $done->syswrite("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    my $answer = $t->http_read($done);
    is($answer && $answer->{status}, 503, 'who comes now is answered, too');
    ok($t->alive($pid), 'nothing crashed');

    $t->signal('QUIT');
    $t->wait_for(sub {
        waitpid $t->{child}, POSIX::WNOHANG();
        !$t->alive($pid);
    }, 'the end');
    delete $t->{pid};

    # nginx has closed the log of their configuration
    my %count = $beside->stop->counts;
    is_deeply([keys %count], [200], 'and nobody noticed');
}

done_testing;
