#!/usr/bin/perl

# The metrics: names and labels, promtool accepts them without a warning, a real
# Prometheus scrapes them, each of the shipped alerts has tests and fires as
# specified, and every expression of the shipped Grafana dashboard has a result.

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
        check tcp unix:%%DIR%%/nothing  name=extra  optional;
        trigger http://127.0.0.1:%%PORT_8081%%/begin;
        deadline 1h;
        interval 100ms;
    }

    init_checks open {
        check file %%DIR%%  name=there;
    }

    init_checks partial {
        check file %%DIR%%  name=there;
        check tcp unix:%%DIR%%/nothing  name=side  optional;
        interval 100ms;
    }

    init_checks unable {
        check tcp unix:%%DIR%%/nothing  name=needed;
        interval 100ms;
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
$t->wait_for(sub { $t->gate('app')->{trigger}{state} eq 'retrying' },
             'the first attempt of the trigger');

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

# family, labels: exactly these

my %labels;

for (keys %metric) {
    my ($name, $labels) = /^(\w+)(?:\{(.*)\})?$/;
    $labels{$name} = join ',', ($labels // '') =~ /(\w+)="/g;
}

my $prefix = 'nginx_init_gate_';

is_deeply({ map { s/^\Q$prefix\E//r => $labels{$_} } keys %labels }, {
    ready => 'gate',
    state => 'gate,state',
    startup_duration_seconds => 'gate',
    requests_total => 'gate,protocol,decision',
    polls_total => 'gate',
    waits_total => 'gate',
    held_requests => 'gate',
    progress_ratio => 'gate',
    deadline_timestamp_seconds => 'gate',
    trigger_state => 'gate,state',
    check_info => 'gate,check,type,required',
    check_success => 'gate,check',
    check_verdict => 'gate,check,verdict',
    check_progress_ratio => 'gate,check',
    check_last_duration_seconds => 'gate,check',
    check_probes_total => 'gate,check,verdict',
    check_failures_total => 'gate,check,reason',
    prober_heartbeat_timestamp_seconds => '',
    build_info => 'version',
}, 'metrics: names and labels');

my %expected = (
    'ready{gate="app"}' => 0,
    'ready{gate="open"}' => 1,
    'state{gate="app",state="initializing"}' => 1,
    'state{gate="app",state="ready"}' => 0,
    'state{gate="open",state="ready"}' => 1,
    'state{gate="partial",state="degraded"}' => 1,
    'requests_total{gate="open",protocol="http",decision="passed"}' => 5,
    'requests_total{gate="app",protocol="http",decision="passed"}' => 0,
    'requests_total{gate="app",protocol="http",decision="gone"}' => 0,
    'polls_total{gate="app"}' => 0,
    'waits_total{gate="app"}' => 0,
    'held_requests{gate="app"}' => 1,
    'held_requests{gate="open"}' => 0,
    'progress_ratio{gate="app"}' => '0.3750',
    'progress_ratio{gate="open"}' => '1.0000',
    'progress_ratio{gate="unable"}' => undef,
    'deadline_timestamp_seconds{gate="open"}' => undef,
    'trigger_state{gate="app",state="retrying"}' => 1,
    'trigger_state{gate="app",state="succeeded"}' => 0,
    'trigger_state{gate="open",state="idle"}' => undef,
    'check_info{gate="app",check="schema",type="file",required="true"}' => 1,
    'check_info{gate="app",check="extra",type="tcp",required="false"}' => 1,
    'check_success{gate="app",check="schema"}' => 0,
    'check_success{gate="open",check="there"}' => 1,
    'check_verdict{gate="app",check="schema",verdict="waiting"}' => 1,
    'check_verdict{gate="app",check="schema",verdict="passed"}' => 0,
    'check_probes_total{gate="app",check="schema",verdict="passed"}' => 0,
    'check_progress_ratio{gate="app",check="tree"}' => '0.7500',
);

is($metric{"$prefix$_"}, $expected{$_}, $_) for sort keys %expected;

cmp_ok($metric{"${prefix}deadline_timestamp_seconds{gate=\"app\"}"}, '>',
       time + 3000, 'metrics: deadline');
cmp_ok($metric{"${prefix}requests_total{gate=\"app\",protocol=\"http\","
       . 'decision="refused"}'}, '>=', 3, 'metrics: refused requests');
cmp_ok($metric{"${prefix}check_probes_total{gate=\"app\",check=\"schema\","
       . 'verdict="waiting"}'}, '>', 0, 'metrics: probes');
cmp_ok($metric{"${prefix}check_failures_total{gate=\"app\",check=\"extra\","
       . 'reason="refused"}'}, '>', 0, 'metrics: errors');
is_deeply([grep { /failures_total\{.*check="(?:schema|tree)"/ } keys %metric],
          [], 'metrics: waiting checks have no failures');
cmp_ok(abs($metric{"${prefix}prober_heartbeat_timestamp_seconds"} - time),
       '<', 5, 'metrics: heartbeat');
like(join("\n", keys %metric),
     qr/^nginx_init_gate_build_info\{version="[\d.]+"\}/m, 'metrics: version');
unlike($answer->{content}, qr{\Q@{[$t->dir]}\E}, 'metrics: no path');


# a real Prometheus

for my $file ('prometheus.yml', 'alerts.yml') {
    open my $fh, '<', "$examples/prometheus/$file" or die "$file: $!";
    my $text = join '', <$fh>;

    $text =~ s/(scrape|evaluation)_interval: \d+s/$1_interval: 500ms/g;
    $text =~ s/for: \d+m/for: 1s/g;
    $text =~ s/> 60$/> 3600/m;
    $text =~ s/"127.0.0.1:80"/"127.0.0.1:@{[$t->port]}"/;

    $t->write("prometheus/$file", $text);
}

my $said_rules = `cd $examples/prometheus && promtool check rules alerts.yml \\
    && promtool test rules alerts_test.yml 2>&1`;
is($?, 0, 'alert rules: tests')
    or diag($said_rules);

sub example { local (@ARGV, $/) = "$examples/prometheus/$_[0]"; scalar <> }

my @rules = example('alerts.yml') =~ /- alert: (\w+)/g;
my $tests = example('alerts_test.yml');
my %tested;

$tested{$1}{$2 ? 'not' : 'fires'} = 1
    while $tests =~ /alertname: (\w+)\n\s+exp_alerts:(?: (\[\]))?/g;

cmp_ok(scalar @rules, '>', 5, 'alert rules: number');
is(join(' ', grep { !$tested{$_}{fires} || !$tested{$_}{not} } @rules), '',
   'alert rules: each has a test that it fires, and that it does not');

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

sub alerts {
    return join ', ', sort map {
        join ' ', $_->{labels}{severity}, $_->{labels}{alertname},
            grep { defined } @{$_->{labels}}{qw(gate check)}
    } grep { $_->{state} eq 'firing' } @{ask('alerts')->{data}{alerts} // []};
}

my $all = join ', ', 'info InitGateDegraded partial',
    'warning InitGateCheckError unable needed',
    'warning InitGateClosed app', 'warning InitGateClosed unable';

$t->wait_for(sub { alerts() eq $all }, 'the alerts');
is(alerts(), $all, 'alerts: of optional checks, only degraded');


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

$t->wait_for(sub { alerts() !~ / app/ }, 'the alert to end');
like($t->http_read($waiting)->{raw} // '', qr/^HTTP\/1\.1 404/,
     'held request: passed on when the gate opens');

kill 'TERM', $pid;
waitpid $pid, 0;
undef $pid;

done_testing;
