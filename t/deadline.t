#!/usr/bin/perl

# deadline: overdue after it, closed or open; from the gate's first start on,
# reloads included; failed wins; opening late is possible.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;
use Time::HiRes qw(time);

my $t = InitGate->new(also => InitGate::Load::BESIDE, http => <<'CONF');
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
        location = /init { init_status details=on; }
    }
CONF

$t->{http} =~ s/SOON/patience(1500) . 'ms'/eg;
$t->{http} =~ s/FAR/patience(3) . 's'/e;

$t->write("html/$_", 'here') for qw(closed ajar);

my $start = time;
$t->run;
my $beside = beside($t);

sub state_of {
    my ($name) = @_;

    return (map { $_->{state} } grep { $_->{gate} eq $name }
        @{$t->json('/init')->{gates}})[0];
}

$t->wait_for(sub { state_of('closed') eq 'initializing' }, 'a verdict');
is($t->get("/$_")->{status}, 503, "$_: before") for qw(closed ajar);

$t->wait_for(sub { state_of('closed') eq 'overdue' }, 'the deadline');
cmp_ok(time - $start, '>=', patience(1.5), 'not before');

$t->wait_for(sub { state_of('ajar') eq 'overdue' }, 'the other');
is($t->get('/closed')->{status}, 503, 'overdue: closed');
is($t->get('/ajar')->{status}, 200, 'overdue: open, where it says so');
$t->wait_log(qr/\[error\].*init gate "closed".*overdue/);

my ($gate) = grep { $_->{gate} eq 'ajar' } @{$t->json('/init')->{gates}};
is($gate->{ready}, JSON::PP::true, 'open is ready');

# the clock does not begin again

$t->reload;
is(state_of('closed'), 'overdue', 'overdue over a reload');
is($t->get('/ajar')->{status}, 200, 'and open over it');
$t->wait_for(sub { state_of('far') eq 'overdue' }, 'the far deadline');
cmp_ok(time - $start, '<', patience(4.5), 'counted from before the reload');

$t->write('failed', 'disk full');
$t->wait_for(sub { state_of('closed') eq 'failed' }, 'failure');
$t->wait_for(sub { state_of('ajar') eq 'failed' }, 'failure of the other');
is($t->get("/$_")->{status}, 503, "$_: failed") for qw(closed ajar);
$t->wait_log(qr/\[error\].*init gate "closed".*failed/);

$t->remove('failed');
$t->wait_for(sub { state_of('closed') eq 'overdue' }, 'overdue again');

$t->write('marker');
$t->wait_for(sub { state_of('closed') eq 'ready' }, 'opening late');
is($t->get("/$_")->{status}, 200, "$_: open") for qw(closed ajar);

undisturbed($beside);

done_testing;
