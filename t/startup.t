#!/usr/bin/perl

# nginx starts at once whatever is down, "nginx -t" asks nobody, and QUIT does
# not wait for probes under way.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use Time::HiRes qw(time);

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


# somebody listens, and would notice

my ($status, $said) = $t->conf_error(conf([$watched->port]));

is($status, 0, 'configuration taken with everything down') or diag $said;
is($watched->connections, 0, 'nginx -t connects to nobody');


my @ports = ($nobody, $silent->port, $blackhole->port, $watched->port);
my $start = time;

$t->run(http => conf(\@ports));

is($t->get('/plain')->{content}, 'plain', 'serves what is not gated');
cmp_ok(time - $start, '<', patience(2), 'started at once');

$t->wait_for(sub { $watched->connections }, 'a probe');
$t->wait_for(sub {
    !grep { $_->{verdict} eq 'pending' && $_->{name} =~ /^(?:c0|c1)$/ }
        @{$t->json('/init')->{gates}[0]{checks}};
}, 'verdicts');

is($t->get('/')->{status}, 503, 'closed');

# with probes hanging in each type of check

my $took = $t->quit;
ok(defined $took && $took < patience(0.5), "QUIT with probes under way")
    or diag $took;

# and the same in a worker that exits for a reload, and by TERM

$t->run;
$t->wait_for(sub { $watched->connections > 4 }, 'probes');

my @old = $t->workers;
$t->reload;
$t->wait_for(sub { !grep { $t->alive($_) } @old }, 'old workers to go', 2);

$took = $t->quit('TERM');
ok(defined $took && $took < patience(0.5), "TERM with probes under way")
    or diag $took;

done_testing;
