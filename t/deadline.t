#!/usr/bin/perl

# deadline: the gate is overdue after it, closed or open; it counts from the
# first start of the gate, reloads included; a failure takes precedence; the
# gate may open late.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;
use Time::HiRes qw(time);

my $t = InitGate->new(also => InitGate::Load::BACKGROUND, http => <<'CONF');
    init_checks closed {
        check file %%DIR%%/marker  failed=%%DIR%%/failed;
        deadline SOON;
        interval 50ms;
    }
    init_checks ajar {
        check file %%DIR%%/marker  failed=%%DIR%%/failed;
        deadline SOON open;
        interval 50ms;
    }
    init_checks later {
        check file %%DIR%%/marker;
        deadline 1h open;
        interval 50ms;
    }
    init_checks far {
        check file %%DIR%%/marker;
        deadline FAR;
        interval 50ms;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        root %%DIR%%/html;
        location /closed { init_gate closed; }
        location /ajar { init_gate ajar; }
        location /later { init_gate later; }
        location = /init { init_status details=on; }
    }
CONF

$t->{http} =~ s/SOON/patience(500) . 'ms'/eg;
$t->{http} =~ s/FAR/patience(1500) . 'ms'/e;

$t->write("html/$_", 'here') for qw(closed ajar later);

my $start = time;
$t->run;
my $background = background($t);

$t->wait_state('initializing', 'later');
is($t->get("/$_")->{status}, 503, "$_, before the deadline: refused")
    for qw(closed later);

$t->wait_state('overdue', 'closed');
cmp_ok(time - $start, '>=', patience(0.5), 'overdue: not before the deadline');

$t->wait_state('overdue', 'ajar');
is($t->get('/closed')->{status}, 503, 'overdue, "deadline closed": refused');
is($t->get('/ajar')->{status}, 200, 'overdue, "deadline open": served');
$t->wait_log(qr/\[error\].*init gate "closed".*overdue/);

is($t->gate('ajar')->{ready}, JSON::PP::true,
    'overdue, "deadline open": ready');

# the deadline is not restarted

my $far = $t->time_of($t->gate('far')->{deadline_at});
$t->reload;
is($t->gate('closed')->{state}, 'overdue', 'reload: overdue');
is($t->get('/ajar')->{status}, 200, 'reload, "deadline open": served');
$t->wait_state('overdue', 'far');
cmp_ok(abs($t->time_of($t->gate('far')->{deadline_at}) - $far), '<', 0.01,
    'reload: the deadline counts from the first start');

$t->write('failed', 'disk full');
$t->wait_state('failed', $_) for qw(closed ajar);
is($t->get("/$_")->{status}, 503, "$_, failed: refused") for qw(closed ajar);
$t->wait_log(qr/\[error\].*init gate "closed".*failed/);

$t->remove('failed');
$t->wait_state('overdue', 'closed');

$t->write('marker');
$t->wait_state('ready', 'closed');
is($t->get("/$_")->{status}, 200,
    "$_, passed after the deadline: served") for qw(closed ajar);

unaffected($background);

done_testing;
