#!/usr/bin/perl

# The time of day is set, forward and back: intervals, timeouts, deadlines and
# waits go on as if nothing had happened, and so do ordinary requests; only
# what tells the time of day follows.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Latency;
use InitGate::Checks 'check';
use InitGate::Fake;
use List::Util qw(min);
use Time::HiRes qw(time);

plan(skip_all => 'the sanitizer must come first') if InitGate::is_linked_in();

my $t = InitGate->new(workers => 1);
my $library = $t->path('clock.so');

system("cc -O1 -shared -fPIC -o $library $FindBin::Bin/preload/wall_clock.c -ldl")
    && die 'cc failed';
chmod 0755, $library;

# what is mapped is never replaced

my $clock = $t->write('clock', pack 'q', 0);
my $set = 0;

sub set {
    my ($by) = @_;

    $set += $by;
    open my $fh, '+<:raw', $clock or die "$clock: $!";
    syswrite $fh, pack 'q', $set;
}

my $asked = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.1 503 x\r\nContent-Length: 0\r\n"
        . "Connection: close\r\n\r\n");
});
my $silent = InitGate::Fake->new(sub { $_[0]->hang });

my $http = InitGate::Latency::GATE . <<"CONF";
    init_checks app {
        check http http://127.0.0.1:@{[$asked->port]}/  name=steady;
        check http http://127.0.0.1:@{[$silent->port]}/  name=silent;
        check file %%DIR%%/app;
        interval 300ms;  backoff 300ms;  timeout 300ms;
        deadline 1h;
    }
    init_checks late {
        check file %%DIR%%/never;
        deadline 4s;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
@{[InitGate::Latency::LOCATION]}
        location / { init_gate app;  init_hold 1500ms;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

my $started = time;

{
    local @ENV{qw(LD_PRELOAD CLOCK_FILE)} = ($library, $clock);
    $t->run(http => $http);
}

my $beside = InitGate::Latency->new($t);

sub attempts { map { check($t, $_)->{attempts} } qw(steady silent) }
sub today { substr check($t, 'steady')->{last_checked}, 0, 10 }
sub late { (grep { $_->{gate} eq 'late' } @{$t->json('/init')->{gates}})[0] }

# each is asked again in its time, whatever the clock says

sub goes_on {
    my ($name) = @_;

    my ($steady, $silent) = attempts();

    $t->wait_for(sub {
        my @now = attempts();
        return $now[0] > $steady + 2 && $now[1] > $silent + 1;
    }, "$name: more probes", 5);
}

my $day = 86400;

$t->wait_for(sub { (attempts())[1] > 1 }, 'the first probes');
my $first = today();
my $waiting = $t->connect;
my $begun = time;
$waiting->syswrite("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
$t->wait_for(sub { $t->json('/init')->{gates}[1]{held} == 1 }, 'one to wait');

$beside->begin;
set($day);
$t->wait_for(sub { today() ne $first }, 'another day');
is(late()->{state}, 'initializing', 'its deadline is not over');
set(-2 * $day);
$t->wait_for(sub { today() lt $first }, 'the day before');

my $answer = $t->http_read($waiting);
my $waited = time - $begun;
is($answer->{status}, 503, 'who waited is answered');
cmp_ok($waited, '>', 1.4, 'in time');
cmp_ok($waited, '<', patience(3), 'but not before');
cmp_ok($answer->{headers}{'retry-after'}, '<=', 120, 'and told when to come');

$t->wait_for(sub { late()->{state} eq 'overdue' }, 'its deadline');
cmp_ok(time - $started, '>', 3.9, 'the deadline is kept');
cmp_ok(time - $started, '<', patience(7), 'neither longer');

goes_on('back');
set(366 * $day);
goes_on('a year ahead');
set(-300 * $day);
goes_on('back again');
$beside->end('the clock is set');

# a probe's end and the next one's begin; this test sees them late, not early

my @times = $asked->times;
cmp_ok(min(map { $times[$_] - $times[$_ - 1] } 1 .. $#times), '>', 0.15,
    'never before its time');

my ($took) = $t->get('/init?format=prometheus')->{content}
    =~ /^init_gate_duration_seconds\{gate="app"\} (\S+)/m;
cmp_ok(abs($took - (time - $started)), '<', patience(2), 'durations');

done_testing;
