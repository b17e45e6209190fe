#!/usr/bin/perl

# A configuration that takes long to read: the time of a gate begins when it is
# probed.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use POSIX ();
use Time::HiRes qw(sleep);

my $t = InitGate->new(http => <<'CONF');
    init_checks app {
        check file %%DIR%%/marker;
        interval 200ms;
        rise 3;
    }
    init_checks late {
        check file %%DIR%%/never;
        interval 50ms;
        deadline LATE open;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /late { init_gate late;  empty_gif; }
        location = /init { init_status details=on; }
    }

    server {
        listen 127.0.0.1:%%PORT_8081%% ssl;
        ssl_certificate %%DIR%%/slow.crt;
        ssl_certificate_key KEY;
    }
CONF

my $late = patience(3);
my $reading = 3.5;

my ($crt, $key) = $t->certificate('localhost');
my $slow = $t->path('slow.crt');

$t->{http} =~ s/LATE/$late . 's'/e;
$t->{http} =~ s/KEY/$key/;

$t->write('marker');

# nginx reads a certificate that comes late

POSIX::mkfifo($slow, 0600) or die "mkfifo: $!";

my $pem = do { local (@ARGV, $/) = $crt; <> };
my $writer = fork // die "fork: $!";

if ($writer == 0) {
    open my $fh, '>', $slow or POSIX::_exit(1);
    sleep $reading;
    syswrite $fh, $pem;
    POSIX::_exit(0);
}

$t->run;

is($t->get('/')->{status}, 200,
    'slow configuration: a request waits for the first verdicts');
is($t->get('/late')->{status}, 503,
    'slow configuration: closed before the deadline');

waitpid $writer, 0;
is($?, 0, 'slow configuration: certificate read late');

my $gate;

sub late { (grep { $_->{gate} eq 'late' } @{$t->json('/init')->{gates}})[0] }

$t->wait_for(sub { $gate = late(); $gate->{state} eq 'overdue' }, 'overdue',
    $late + patience(10));

is_deeply([map { $_->{state} } @{$gate->{history}}],
    ['starting', 'initializing', 'overdue'],
    'slow configuration: overdue after the deadline');
is($t->get('/late')->{status}, 200,
    'slow configuration: open after the deadline');

done_testing;
