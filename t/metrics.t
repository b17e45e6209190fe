#!/usr/bin/perl

# The metrics: promtool accepts them without a warning, a real Prometheus
# scrapes them, the shipped alert fires for a gate that stays closed, and every
# expression of the shipped Grafana dashboard has a result.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

use HTTP::Tiny;
use JSON::PP;

my $examples = "$FindBin::Bin/../conf-examples";

my $t = InitGate->new(http => <<'CONF');
    init_checks app {
        check file %%DIR%%/marker  name=schema;
        check file %%DIR%%/tree  name=tree  files=4;
        check file %%DIR%%/broken/file  name=extra  optional;
        interval 100ms;
    }

    init_checks open {
        check file %%DIR%%  name=there;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app; }
        location = /open { init_gate open;  empty_gif; }
        location = /held { init_gate app;  init_hold 10m; }
        location = /init { init_status details=on; }
        location = /init/metrics { init_status format=prometheus; }
    }
CONF

$t->write("tree/$_") for 1 .. 3;
$t->run;

$t->wait_for(sub { $t->get('/')->{headers}{'x-init-gate'} =~ /initializing/ },
             'the first probes');

$t->get('/') for 1 .. 3;
$t->get('/open') for 1 .. 5;

my $waiting = $t->connect;
$waiting->syswrite("GET /held HTTP/1.0\r\n\r\n");
$t->wait_held(1, 'app');


# the text

my $answer = $t->get('/init/metrics');

is($answer->{status}, 200, 'metrics: status');
like($answer->{headers}{'content-type'},
     qr{^text/plain; version=0\.0\.4}, 'metrics: type');

$t->write('metrics', $answer->{content});
my $said = `promtool check metrics < @{[$t->path('metrics')]} 2>&1`;
is($?, 0, 'promtool: exit status 0');
is($said, '', 'promtool: no output');

my %metric = map { /^([^# ]\S*(?:\{.*\})?) (\S+)$/ ? ($1, $2) : () }
    split /\n/, $answer->{content};

my %expected = (
    'init_gate_ready{gate="app"}' => 0,
    'init_gate_ready{gate="open"}' => 1,
    'init_gate_state{gate="app",state="initializing"}' => 1,
    'init_gate_state{gate="app",state="ready"}' => 0,
    'init_gate_state{gate="open",state="ready"}' => 1,
    'init_gate_requests_total{gate="open",decision="passed"}' => 5,
    'init_gate_requests_total{gate="app",decision="passed"}' => 0,
    'init_gate_requests_total{gate="app",decision="gone"}' => 0,
    'init_gate_held_requests{gate="app"}' => 1,
    'init_gate_held_requests{gate="open"}' => 0,
    'init_check_success{gate="app",check="schema"}' => 0,
    'init_check_success{gate="open",check="there"}' => 1,
    'init_check_verdict{gate="app",check="schema",verdict="waiting"}' => 1,
    'init_check_verdict{gate="app",check="schema",verdict="passed"}' => 0,
);

is($metric{$_}, $expected{$_}, $_) for sort keys %expected;

cmp_ok($metric{'init_check_progress_ratio{gate="app",check="tree"}'}, '==',
       0.75, 'counting check: progress');
cmp_ok($metric{'init_gate_requests_total{gate="app",decision="refused"}'},
       '>=', 3, 'refusals: counted');
cmp_ok($metric{'init_check_probes_total{gate="app",check="schema"}'}, '>', 0,
       'probes: counted');
cmp_ok($metric{
       'init_check_failures_total{gate="app",check="schema",reason="missing"}'
       }, '>', 0, 'failures: counted by reason');
cmp_ok(abs($metric{'init_gate_prober_heartbeat_timestamp_seconds'} - time),
       '<', 5, 'heartbeat: now');
like(join("\n", keys %metric), qr/^init_gate_info\{version="[\d.]+"\}/m,
     'info: version');
unlike($answer->{content}, qr{\Q@{[$t->dir]}\E}, 'metrics: no path');


# a real Prometheus

for my $file ('prometheus.yml', 'alerts.yml') {
    open my $fh, '<', "$examples/prometheus/$file" or die "$file: $!";
    my $text = join '', <$fh>;

    $text =~ s/(scrape|evaluation)_interval: \d+s/$1_interval: 500ms/g;
    $text =~ s/for: \d+m/for: 1s/g;
    $text =~ s/"127.0.0.1:80"/"127.0.0.1:@{[$t->port]}"/;

    $t->write("prometheus/$file", $text);
}

my $said_rules = `cd $examples/prometheus && promtool test rules \\
    alerts_test.yml 2>&1`;
is($?, 0, 'alert rules: fires after five minutes')
    or diag($said_rules);

my $prometheus = 'http://127.0.0.1:' . $t->port(9090);
my $pid = fork // die "fork: $!";

if ($pid == 0) {
    open STDOUT, '>', $t->path('prometheus/log');
    open STDERR, '>&', \*STDOUT;
    exec 'prometheus', '--config.file=' . $t->path('prometheus/prometheus.yml'),
        '--storage.tsdb.path=' . $t->path('prometheus/data'),
        '--web.listen-address=127.0.0.1:' . $t->port(9090)
        or POSIX::_exit(127);
}

END { kill 'KILL', $pid if $pid }

my $http = HTTP::Tiny->new(timeout => patience(60));

sub ask {
    my ($path, %args) = @_;

    my $query = $http->www_form_urlencode(\%args);
    my $reply = $http->get("$prometheus/api/v1/$path?$query");

    return eval { decode_json($reply->{content}) } // {};
}

sub results {
    my ($expr) = @_;

    my $reply = ask('query', query => $expr);

    return ($reply->{status} // '') eq 'success'
           ? scalar @{$reply->{data}{result}} : -1;
}

$t->wait_for(sub { results('up == 1') == 1 }, 'Prometheus to scrape');

$t->wait_for(sub {
    grep { $_->{state} eq 'firing'
           && $_->{labels}{alertname} eq 'InitGateClosed'
           && $_->{labels}{gate} eq 'app' } @{ask('alerts')->{data}{alerts}};
}, 'the alert');

my @alerts = map { "$_->{labels}{alertname} " . ($_->{labels}{gate} // '') }
    @{ask('alerts')->{data}{alerts}};

is(join(', ', sort @alerts), 'InitGateClosed app',
   'alert: fires only for the gate that stays closed');


# the Grafana dashboard

open my $fh, '<', "$examples/grafana/init-gate.json" or die "$!";
my $dashboard = decode_json(join '', <$fh>);

for my $panel (@{$dashboard->{panels}}) {
    for my $target (@{$panel->{targets}}) {
        my $expr = $target->{expr} =~ s/\$__rate_interval/10s/gr
            =~ s/\$(?:gate|instance)\b/.*/gr;

        $t->wait_for(sub { results($expr) > 0 },
                     "\"$panel->{title}\": $expr");
        cmp_ok(results($expr), '>', 0, "Grafana: $panel->{title}");
    }
}

for my $variable (@{$dashboard->{templating}{list}}) {
    my ($metric, $label) = ($variable->{definition} // '')
        =~ /^label_values\((\w+), (\w+)\)$/ or next;
    my $found = ask("label/$label/values", 'match[]' => $metric);
    ok(@{$found->{data} // []}, "Grafana: \$$variable->{name}");
}


# the gate opens: the alert ends

$t->write("tree/4");
$t->write('marker');

$t->wait_for(sub { !@{ask('alerts')->{data}{alerts} // [1]} },
             'the alert to end');
like($t->http_read($waiting)->{raw} // '', qr/^HTTP\/1\.1 404/,
     'held request: passed on when the gate opens');

kill 'TERM', $pid;
waitpid $pid, 0;
undef $pid;

done_testing;
