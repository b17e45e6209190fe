#!/usr/bin/perl

# nginx starts without delay if servers are down, "nginx -t" opens no connection,
# and QUIT does not wait for running probes.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;

my $t = InitGate->new(quit => 1);

my $silent = InitGate::Fake->silent;
my $blackhole = InitGate::Fake->blackhole;
my $watched = InitGate::Fake->new(sub { $_[0]->hang });
my $nobody = $t->port(9);

sub conf {
    my ($port) = @_;

    my $n = 0;
    my $checks = join "\n", map { "check $_ name=c" . $n++ . ";" }
        "file %%DIR%%/no/such/directory/marker",
        map { ("postgres \"host=127.0.0.1 port=$_ dbname=x user=x\"",
               "redis redis://127.0.0.1:$_/0",
               "http http://127.0.0.1:$_/",
               "tcp 127.0.0.1:$_") } @$port;

    return <<"CONF";
    init_checks app {
        $checks
        check postgres "host=no-such-name.invalid user=x" name=p;
        check redis redis://no-such-name.invalid/0 name=r;
        check http http://no-such-name.invalid/ name=h;
        check tcp no-such-name.invalid:1 name=t;
        interval 100ms;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  root %%DIR%%; }
        location = /plain { return 200 plain; }
        location = /init { init_status details=on; }
    }
CONF
}


# the server would get a connection

my ($status, $said) = $t->conf_error(conf([$watched->port]));

is($status, 0, 'everything down: configuration valid') or diag $said;
is($watched->connections, 0, 'nginx -t: no connection');


my @ports = ($nobody, $silent->port, $blackhole->port, $watched->port);
my $clock = $t->clock;

$t->run(http => conf(\@ports));

is($t->get('/plain')->{content}, 'plain',
    'everything down: location without a gate served');
cmp_ok($clock->seconds, '<', patience(2), 'everything down: started in time');

$t->wait_for(sub { $watched->connections }, 'a probe');
$t->wait_for(sub {
    !grep { $_->{verdict} eq 'pending' && $_->{name} =~ /^(?:c0|c1)$/ }
        @{$t->gate->{checks}};
}, 'verdicts');

is($t->get('/')->{status}, 503, 'everything down: refused');

# with probes hanging in each type of check

my $took = $t->quit;
ok(defined $took && $took < patience(0.5), 'QUIT, probes running: quick')
    or diag $took;

# the same in a worker that exits after a reload, and by TERM

$t->run;
$t->wait_for(sub { $watched->connections > 4 }, 'probes');

my @old = $t->workers;
$clock = $t->clock;
$t->reload;
$t->wait_exit(@old);
cmp_ok($clock->seconds, '<', patience(3),
    'reload, probes running: old workers exit in time');

$took = $t->quit('TERM');
ok(defined $took && $took < patience(0.5), 'TERM, probes running: quick')
    or diag $took;

done_testing;
