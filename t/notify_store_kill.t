#!/usr/bin/perl

# store=: all processes killed at any moment, while a thousand notices a second
# come: the file has an old notice or a new one, as a whole.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Witness;
use Compress::Zlib ();
use Time::HiRes qw(time sleep);

my $rounds = $ENV{TEST_NGINX_ROUNDS} || 10;
my $rate = 1000;

my $t = InitGate->new(level => 'notice', main => $> ? '' : 'user root;',
    http => <<'CONF');
    init_checks app {
        check notify import  store=%%DIR%%/store/import;
        latch off;
        interval 20ms;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        keepalive_requests 1000000;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
        location /notify/ { init_notify token_file=%%DIR%%/token; }
    }
CONF

mkdir $t->path('store');
$t->write('token', 's3cret-token');

# the numbers of the last notice that was sent and of the last that was answered

sub client {
    my ($n, $begun) = @_;

    my $socket = $t->connect;
    my $start = time;
    my $sent = 0;
    my $answered = 0;

    $SIG{PIPE} = 'IGNORE';

    for (my $i = 0; ; $i++) {
        my $left = $start + $i / $rate - time;
        sleep $left if $left > 0;

        $sent = $n + $i;
        $socket->syswrite(head('POST', "/notify/app/import?verdict=running"
            . "&observed=$sent&expected=1000000000", 's3cret-token')) or last;
        my $status = status($socket);
        last if $status != 204 && $status != 202;
        $answered = $sent;
        syswrite $begun, 'x';
    }

    $t->write('client', "$sent $answered");
}

# the number of the notice in the file

sub stored {
    my $text = $t->read('store/import');
    my ($sum, $rest) = $text
        =~ /\Ainit-gate-notice-1 ([0-9a-f]{8})\n(running \d+ .*\n)\z/s
        or return "invalid: $text";

    return "wrong sum: $text" if Compress::Zlib::crc32($rest) != hex $sum;
    return $rest =~ /^running (\d+) 1000000000 \d{13} $/ ? $1
        : "invalid: $text";
}

# so that a process is killed while it writes

my $library = InitGate::is_linked_in() ? '' : $t->preload('slow_write');

sub run {
    local $ENV{LD_PRELOAD} = $library if $library;
    $t->run;
}

my $next = 1;
my $last = 0;
my ($old, $new) = (0, 0);

for my $round (1 .. $rounds) {
    run();

    pipe my $reader, my $writer or die "pipe: $!";
    my $client = fork // die "fork: $!";

    if ($client == 0) {
        local $SIG{INT} = local $SIG{TERM} = 'DEFAULT';
        eval { client($next, $writer) };
        warn $@ if $@;
        POSIX::_exit(0);
    }

    # the first notice is stored at once, the next one a second later

    sysread $reader, my $byte, 1;
    $t->wait_for(sub { -e $t->path('store/import') }, 'the first file');
    sleep($round % 2 ? rand 0.02 : 0.98 + rand 0.08);

    $t->kill_all;
    close $writer;
    waitpid $client, 0;

    my ($sent, $answered) = split ' ', $t->read('client');
    my $stored = stored();

    like($stored, qr/^\d+$/, 'all killed: a whole notice');
    cmp_ok($stored, '>=', $last, 'all killed: not older than before');
    cmp_ok($stored, '<=', $sent, 'all killed: one that was sent');
    note("$answered answered, $stored stored");

    $stored > $last ? $new++ : $old++;
    $last = $stored;
    $next = $sent + 1;

    run();
    $t->wait_for(sub { $t->check('import')->{verdict} ne 'pending' },
        'a verdict');
    is($t->check('import')->{observed}, $stored,
        'next start: the stored notice');
    $t->quit;
}

# the first notice of each round is stored, unless nginx is killed before

cmp_ok($new, '>', $rounds / 5, "the file changed in $new of $rounds rounds");
unlike($t->log, qr/is ignored|cannot be stored/, 'nothing is logged');

done_testing;
