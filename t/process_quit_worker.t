#!/usr/bin/perl

# QUIT only to the first worker process: it probes until it exits, and the
# worker process that nginx starts in its place continues.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new(http => <<'CONF');
    init_checks one { check file %%DIR%%/one;  interval 50ms; }
    init_checks two { check file %%DIR%%/two;  interval 50ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /slow {
            root %%DIR%%;
            limit_rate 1;
            limit_rate_after 1k;
        }
        location = /init { init_status details=on; }
    }
CONF

sub gate {
    my ($name) = @_;

    return (grep { $_->{gate} eq $name } @{$t->json('/init')->{gates}})[0];
}

$t->write('slow', 'x' x 4096);
$t->run;
$t->wait_for(sub { gate('one')->{state} eq 'initializing' }, 'a verdict');

# a response that takes long, in the worker process that probes

my $first = $t->prober;
my ($other) = grep { $_ != $first } $t->workers;

$t->signal('STOP', $other);

my $slow = $t->connect;
$slow->syswrite("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
my $head = '';
$slow->sysread($head, 4096, length $head) or die "no answer"
    until $head =~ /\r\n\r\n/;

$t->signal('CONT', $other);

$t->signal('QUIT', $first);
$t->wait_log(qr/ $first#\d+: gracefully shutting down/);

$t->write('one');
ok($t->wait_for(sub { gate('one')->{ready} }, 'the gate to open'),
    'QUIT to the first worker: the gate opens');
is($t->prober, $first, 'QUIT to the first worker: it still probes');
ok($t->alive($first), 'QUIT to the first worker: it has a connection');

# without it, another one probes

close $slow;

$t->wait_for(sub { !$t->alive($first) }, 'the worker process to exit');
$t->write('two');
ok($t->wait_for(sub { gate('two')->{ready} }, 'the other gate to open'),
    'first worker ended: its successor probes');
isnt($t->prober, $first, 'first worker ended: another pid');

done_testing;
