#!/usr/bin/perl

# A worker with held requests waits for the eventfd, not for a timer of a few
# milliseconds: by the arguments and results of its system calls.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Strace;

plan_traced();

my $t = InitGate->new(http => <<'CONF');
    init_checks app { check file %%DIR%%/marker;  interval 20ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  init_hold 60s;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

$t->run;
$t->wait_state('initializing');

my $prober = $t->prober;
my ($other) = grep { $_ != $prober } $t->workers;

# the prober is stopped while the request arrives, so the other worker has it

$t->signal('STOP', $prober);

my $socket = $t->connect;
$socket->syswrite("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
$t->wait_log(qr/\Q$other\E#.*init gate "app" holds/);

my $pid = trace($t, $other, '-e', 'trace=epoll_wait,writev,sendto');

# the first one may be the rest of a timer

sub timeouts { $t->read('strace') =~ /^epoll_wait\(.*, (-?\d+)\)\s+= 0$/mg }

$t->wait_for(sub { grep { $_ > 20 } timeouts() },
    'a timer of the worker, not a poll');
$t->write('marker');
$t->signal('CONT', $prober);

is(($t->http_read($socket) // {})->{status}, 200, 'held request: served');

$t->wait_for(sub { $t->read('strace') =~ /^(?:writev|sendto).* 200 OK/m },
    'the response to be traced');
kill 'INT', $pid;
waitpid $pid, 0;

my @lines = split /\n/, $t->read('strace');
my ($result) = join("\n", @lines)
    =~ /.*^epoll_wait\([^\n]*\)\s+= (\d+)\n(?:writev|sendto)\([^\n]* 200 OK/ms;

cmp_ok($result // 0, '>', 0, 'before the response: an event, not the timer');

done_testing;
