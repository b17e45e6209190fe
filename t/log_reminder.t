#!/usr/bin/perl

# A gate that stays closed is told of again, at warn: after a minute, and then
# at doubling intervals up to an hour.  The clock is put forward.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

plan(skip_all => 'the module loaded')
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

my $library = $t->path('reminder.so');

system("cc -O1 -shared -fPIC -o $library $FindBin::Bin/preload/monotonic_clock.c")
    && die 'cc failed';
chmod 0755, $library;

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

# it would have been told by then

sub beats {
    my %seen;

    $t->wait_for(sub {
        $seen{$t->json('/init')->{gates}[0]{prober}{heartbeat}}++;
        keys %seen > 3;
    }, 'beats');
}

$t->wait_for(sub { $t->json('/init')->{gates}[0]{checks}[0]{reason} },
    'a verdict');

later(50);
beats();
is(scalar(() = reminders()), 0, 'not before a minute');

later(15);
$t->wait_for(sub { reminders() }, 'a reminder', 5);

my $path = $t->path('marker');
like((reminders())[0],
    qr/init gate "app": check "schema" waiting: not there: \Q$path\E, /,
    'what it waits for');
like((reminders())[0], qr/, gate closed for 6\d+s$/, 'and since when');

later(100);
beats();
is(scalar(() = reminders()), 1, 'then not before two minutes');

later(30);
$t->wait_for(sub { (() = reminders()) == 2 }, 'the second', 5);
like((reminders())[1], qr/, gate closed for (?:19|20)\ds$/, 'after two');

# at an hour the doubling ends

for my $n (3 .. 8) {
    later(3610);
    $t->wait_for(sub { (() = reminders()) >= $n }, "reminder $n", 5);
}

is(scalar(() = grep { /check "(?:there|extra)"/ } reminders()), 0,
    'neither of what has passed, nor of what is optional');

$t->write('marker');
$t->wait_for(sub { $t->json('/init')->{ready} }, 'open', 5);
my $told = () = reminders();
later(4000);
beats();
is(scalar(() = reminders()), $told, 'none of an open gate');

done_testing;
