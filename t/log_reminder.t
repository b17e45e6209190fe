#!/usr/bin/perl

# A gate that stays closed is logged again, at warn: after a minute, and then
# at doubling intervals up to an hour.  The clock of nginx is put forward.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

plan(skip_all => 'the module has to be loaded, without valgrind')
    if InitGate::is_linked_in() || $ENV{TEST_NGINX_VALGRIND};

my $t = InitGate->new(workers => 1, main => 'env LATER;', http => <<'CONF');
    init_checks app {
        check file %%DIR%%/marker  name=schema;
        check file %%DIR%%/there   name=there;
        check file %%DIR%%/none    name=extra  optional;
        interval 50ms 50ms;
        latch off;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

my $library = $t->preload('monotonic_clock');

$t->write('there');
$t->write('later');

{
    local $ENV{LD_PRELOAD} = $library;
    local $ENV{LATER} = $t->path('later');
    $t->run;
}

sub reminders { $t->log =~ /(\[warn\] .*init gate "app".*)/g }

my $now = 0;

sub later {
    my ($seconds) = @_;

    $now += $seconds;
    $t->write('later', 'x' x $now);
}

# the line would be logged by then

sub beats {
    my %seen;

    $t->wait_for(sub {
        $seen{$t->gate->{prober}{heartbeat}}++;
        keys %seen > 3;
    }, 'heartbeats');
}

$t->wait_state('initializing');

later(50);
beats();
is(scalar(() = reminders()), 0, 'closed for 50 s: no line');

later(15);
$t->wait_for(sub { reminders() }, 'a reminder', 5);

my $path = $t->path('marker');
like((reminders())[0],
    qr/init gate "app": check "schema" waiting: not there: \Q$path\E, /,
    'closed for a minute: check in the line');
like((reminders())[0], qr/, gate closed for 6\d+s$/,
    'closed for a minute: time in the line');

later(100);
beats();
is(scalar(() = reminders()), 1, 'closed for 165 s: no second line');

later(30);
$t->wait_for(sub { (() = reminders()) == 2 }, 'the second', 5);
like((reminders())[1], qr/, gate closed for (?:19|20)\ds$/,
    'second line: time');

# the interval is an hour at most

for my $n (3 .. 8) {
    later(3610);
    $t->wait_for(sub { (() = reminders()) >= $n }, "reminder $n", 5);
}

is(scalar(() = grep { /check "(?:there|extra)"/ } reminders()), 0,
    'lines: no passed and no optional checks');

$t->write('marker');
$t->wait_ready;
my $told = () = reminders();
later(4000);
beats();
is(scalar(() = reminders()), $told, 'open gate: no line');

done_testing;
