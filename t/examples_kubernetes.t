#!/usr/bin/perl

# conf-examples/kubernetes: the manifests are valid and consistent, and nginx
# responds to their probes as documented.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;
use InitGate::Fake;
use InitGate::Manifests;
use InitGate::Postgres qw(psql);

my $examples = "$FindBin::Bin/../conf-examples/kubernetes/";


# the validation is strict

my $dir = InitGate->new->dir;
my $text = InitGate::Manifests::slurp("${examples}edge/deployment.yaml");

for (['unknown', 'replicas: 2', 'replica: 2', qr/replica: unknown/],
     ['type', 'replicas: 2', 'replicas: "2"', qr/not of type int/],
     ['missing', 'containerPort: 8080', 'hostPort: 8080', qr/container_port/],
     ['twice', 'replicas: 2', "replicas: 2\n  replicas: 3", qr/given twice/],
     ['kind', 'apps/v1', 'apps/v2', qr/no such kind/],
     ['quantity', 'memory: 64Mi', 'memory: 64MB', qr/not a quantity/])
{
    my ($name, $from, $to, $regex) = @$_;

    (my $broken = $text) =~ s/\Q$from\E/$to/ or die "no \"$from\"";

    open my $fh, '>', "$dir/$name.yaml" or die "$name: $!";
    print $fh $broken;
    close $fh;

    my ($status, $said) = InitGate::Manifests::validate("$dir/$name.yaml");
    isnt($status, 0, "invalid manifest, $name: refused");
    like($said, $regex, "invalid manifest, $name: message");
}


# all of them

my $page = InitGate::Manifests::slurp("${examples}README.md");

# the secrets of the page: name => files

my %secrets;

for (($page =~ s/\\\n\s*//gr) =~ /^ +kubectl create secret generic (.*)$/mg) {
    my ($name, @files) = split ' ', s/--from-file=//gr;
    $secrets{$name}{$_} = 1 for @files;
}

sub same_labels {
    my ($m, $name) = @_;

    my $labels = $m->pod->{metadata}{labels};
    my ($key) = keys %$labels;

    is_deeply($_, $labels, "$name: labels of the pod")
        for $m->get('Deployment')->{spec}{selector}{matchLabels},
            map({ my %selector = %{$_->{spec}{selector}};
                  \%selector } grep { $_->{kind} eq 'Service' } $m->all),
            map({ $_->{spec}{selector}{matchLabels} }
                grep { $_->{kind} eq 'PodDisruptionBudget' } $m->all),
            map({ $_->{spec}{podSelector}{matchLabels} }
                grep { $_->{kind} eq 'NetworkPolicy' } $m->all),
            map({ $_->{labelSelector}{matchLabels} }
                @{$m->pod->{spec}{topologySpreadConstraints} // []});
}

sub fits_together {
    my ($m, $name) = @_;

    $m->valid or return;
    same_labels($m, $name);

    my $spec = $m->pod->{spec};
    my %volume = map { $_->{name} => $_ } @{$spec->{volumes}};
    my $containers = $m->containers;
    my %port = map { $_->{name} => $_->{containerPort} }
        map { @{$_->{ports} // []} } values %$containers;

    is($volume{gate}{configMap}{name}, $m->get('ConfigMap')->{metadata}{name},
        "$name: configuration mounted");
    ok($volume{secrets}{secret}, "$name: secrets are files");
    ok($secrets{$volume{secrets}{secret}{secretName}}{$_},
        "$name: $_ as on the page")
        for $m->conf =~ m{=/run/secrets/(?:app|edge)/([^;\s]+)}g;
    ok($port{$_->{targetPort}}, "$name: port $_->{targetPort}")
        for map { @{$_->{spec}{ports}} }
            grep { $_->{kind} eq 'Service' } $m->all;
    ok($m->conf =~ /^    listen $_;\n    listen \[::\]:$_;/m,
        "$name: port $_ over IPv4 and IPv6")
        for values %port;

    is($spec->{automountServiceAccountToken}, JSON::PP::false,
        "$name: no service account token");
    is($spec->{securityContext}{runAsNonRoot}, JSON::PP::true,
        "$name: not root");
    is($spec->{securityContext}{fsGroup}, 33, "$name: group of the secrets");

    # the grace is longer than every preStop

    for my $container (sort keys %$containers) {
        my $hook = $containers->{$container}{lifecycle}{preStop}{exec}{command};

        my ($seconds) = "@{$hook // []}" =~ /sleep (\d+)/;
        cmp_ok($seconds // 0, '>', 0, "$name, $container: preStop");
        cmp_ok($seconds // 0, '<=',
            $spec->{terminationGracePeriodSeconds} - 30,
            "$name, $container: preStop within the grace period");
    }

    my @pods = ($spec, map { $_->{spec}{template}{spec} }
        grep { $_->{kind} eq 'Job' } $m->all);

    for my $container (map { @{$_->{initContainers} // []},
        @{$_->{containers}} } @pods)
    {
        my $context = $container->{securityContext};
        my $what = "$name, $container->{name}";

        is($context->{readOnlyRootFilesystem}, JSON::PP::true,
            "$what: read-only file system");
        is($context->{allowPrivilegeEscalation}, JSON::PP::false,
            "$what: no privilege escalation");
        is_deeply($context->{capabilities}, { drop => ['ALL'] },
            "$what: no capabilities");
        ok($container->{resources}{limits}{memory}, "$what: memory limit");
        ok(!$container->{resources}{limits}{cpu}, "$what: no CPU limit");

        my ($cpu) = $container->{resources}{requests}{cpu} =~ /^(\d+)m$/;
        cmp_ok($cpu, '<=', 100, "$what: CPU request for a small node");

        my @unknown = grep { !$volume{$_->{name}} }
            @{$container->{volumeMounts}};
        is(scalar @unknown, 0, "$what: volumes defined");

        my @wrong = grep { $_->{name} =~ /secret|password|token/i }
            @{$container->{env} // []};
        is(scalar @wrong, 0, "$what: no secret in the environment");
    }

    ok($_->{livenessProbe}, "$name, $_->{name}: liveness probe")
        for values %$containers;

    return 1;
}

my %made = map { $_ => InitGate::Manifests->new($_) } 'sidecar', 'edge';

fits_together($made{$_}, $_) for sort keys %made;

is($made{sidecar}->get('Deployment')->{spec}{progressDeadlineSeconds}, 900,
    'sidecar: progressDeadlineSeconds');
unlike($made{sidecar}->conf, qr/deadline (?!10m)/,
    'sidecar: deadlines of the gates below that');


# the options and variants, as rendered by kubectl

SKIP: {
    skip InitGate::Manifests::why(), 1 if !InitGate::Manifests::kustomize();

    my %rendered = map { $_ => InitGate::Manifests->new($_) }
        'production', 'migration-job', 'notice';

    fits_together($rendered{$_}, $_) for sort keys %rendered;

    # production: all options

    my $m = $rendered{production};
    like($m->get('ConfigMap')->{metadata}{name}, qr/^app-gate-\w{10}$/,
        'production: digest in the name of the configuration');
    is_deeply([sort map { $_->{kind} } $m->all],
        [qw(ConfigMap Deployment NetworkPolicy PodDisruptionBudget Service
        Service ServiceMonitor)], 'production: all options');
    is($m->pod->{spec}{initContainers}[0]{name}, 'gate',
        'production: gate is an init container');
    is($m->pod->{spec}{initContainers}[0]{restartPolicy}, 'Always',
        'production: gate keeps running');
    is(scalar @{$m->pod->{spec}{topologySpreadConstraints}}, 2,
        'production: zones and nodes');

    my $metrics = $m->get('Service', 'app-metrics');
    my $monitor = $m->get('ServiceMonitor')->{spec};
    is($metrics->{metadata}{labels}{$_}, $monitor->{selector}{matchLabels}{$_},
        "production: ServiceMonitor selects by $_")
        for keys %{$monitor->{selector}{matchLabels}};
    is($monitor->{endpoints}[0]{port}, $metrics->{spec}{ports}[0]{name},
        'production: ServiceMonitor, port');
    is_deeply([sort map { map { $_->{port} } @{$_->{ports}} }
        @{$m->get('NetworkPolicy')->{spec}{ingress}}], [qw(http metrics)],
        'production: NetworkPolicy, ports');

    # the options take the name of the application

    my $overlay = InitGate->new->path('edge');
    symlink $examples, "$overlay-examples" or die "symlink: $!";
    mkdir $overlay;
    open my $fh, '>', "$overlay/kustomization.yaml" or die "overlay: $!";
    print $fh "resources:\n  - ../edge-examples/edge\ncomponents:\n",
        map { "  - ../edge-examples/options/$_\n" } 'topology-spread',
        'disruption-budget', 'network-policy', 'service-monitor';
    close $fh;

    my $edge = InitGate::Manifests->new($overlay);
    fits_together($edge, 'edge with options');
    is_deeply([sort map { $_->{metadata}{name} } grep {
        $_->{kind} ne 'ConfigMap' } $edge->all],
        [('edge') x 5, 'edge-metrics'], 'edge with options: names');

    # the Job has the same name everywhere

    $m = $rendered{'migration-job'};
    my $job = $m->get('Job')->{metadata};
    my $account = $m->get('ServiceAccount')->{metadata}{name};

    like($m->conf, qr{https://kubernetes\.default\.svc/apis/batch/v1/
        namespaces/$job->{namespace}/jobs/$job->{name}\s}x,
        'migration-job: URL of the Job');
    is_deeply($m->get('Role')->{rules}, [{ apiGroups => ['batch'],
        resources => ['jobs'], resourceNames => [$job->{name}],
        verbs => ['get'] }], 'migration-job: role limited to the Job');
    is($m->get('RoleBinding')->{subjects}[0]{name}, $account,
        'migration-job: role bound to the account');
    is($m->pod->{spec}{serviceAccountName}, $account,
        'migration-job: account of the pod');
    ok(!$m->get('Job')->{spec}{ttlSecondsAfterFinished},
        'migration-job: Job not deleted');

    my %mounts = map { my $c = $_; $c => join ' ', map { $_->{mountPath} }
        @{$m->containers->{$c}{volumeMounts}} } 'gate', 'app';
    like($mounts{gate}, qr{/run/secrets/api\b}, 'migration-job: token in the gate');
    unlike($mounts{app}, qr{/run/secrets/api\b}, 'migration-job: no token in the application');

    # the notice

    $m = $rendered{notice};
    my ($url) = map { $_->{value} } grep { $_->{name} eq 'INIT_GATE_URL' }
        @{$m->containers->{app}{env}};
    is($url, 'http://127.0.0.1:8081/notify/app/import', 'notice: URL');
    like($m->conf, qr/^\s*listen 127\.0\.0\.1:8081;/m, 'notice: loopback only');
    is_deeply([grep { $_->{name} eq 'data' } @{$m->pod->{spec}{volumes}}], [],
        'notice: no shared volume');
}


# the responses to probes; the rest of nginx.conf is in the image

my $app = InitGate::Fake->http(200, body => '{"status":"green"}');

my $to = '127.0.0.1:' . $app->port;

my %listen = (
    'listen [::]:8080;' => '',
    'listen [::]:9113;' => '',
    'listen 8080;' => 'listen 127.0.0.1:%%PORT_8080%%; '
        . 'access_log %%DIR%%/access.log;',
    'listen 9113;' => 'listen 127.0.0.1:%%PORT_9113%%;',
);

my %places = (
    sidecar => {
        '/data' => '%%DIR%%/data',
        '/run/secrets/app' => '%%DIR%%/secrets',
        'host=db' => 'host=127.0.0.1 port=%%PORT_5432%%',
        '127.0.0.1:8000' => $to,
        'init_hold 10s max=200' => 'init_hold off',
    },
    edge => {
        '/run/secrets/edge' => '%%DIR%%/secrets',
        'host=db.shop.svc' => 'host=127.0.0.1 port=%%PORT_5432%%',
        'cache.shop.svc' => '127.0.0.1:%%PORT_6379%%',
        'shop.shop.svc:8000' => $to,
        'search.shop.svc:9200' => $to,
        'shop.shop.svc.cluster.local:8000' => $to,
        'search.shop.svc.cluster.local:9200' => $to,
        'interval 2s' => 'interval 100ms',
        'init_hold 5s max=200' => 'init_hold off',
        'include /tmp/resolver.conf;' => '',
    },
    'migration-job' => {
        '/data' => '%%DIR%%/data',
        '/run/secrets' => '%%DIR%%/secrets',
        '127.0.0.1:8000' => $to,
        'kubernetes.default.svc' => 'localhost:%%PORT_6443%%',
        'interval 2s' => 'interval 100ms',
        'init_hold 10s max=200' => 'init_hold off',
    },
    notice => {
        '/run/secrets/app' => '%%DIR%%/secrets',
        'host=db' => 'host=127.0.0.1 port=%%PORT_5432%%',
        '127.0.0.1:8000' => $to,
        'listen 127.0.0.1:8081' => 'listen 127.0.0.1:%%PORT_8081%%',
        'store=/tmp/' => 'store=%%DIR%%/',
        'init_hold 10s max=200' => 'init_hold off',
    },
);

# parameters that this module may not have

sub lacks {
    my ($what, $http) = @_;

    my (undef, $said) = InitGate->new->conf_error($http);

    return $said =~ /unknown|invalid/ ? "the module has no \"$what\"" : '';
}

my %lacks = (
    json => lacks('json=', 'init_checks a '
        . '{ check http http://127.0.0.1:1/ json=/status value=green; }'),
    token => lacks('token_file=', 'init_checks a '
        . '{ check http http://127.0.0.1:1/ token_file=%%DIR%%/nginx.conf; }'),
    notify => lacks('check notify', 'init_checks a { check notify b; }'),
);

sub start {
    my ($name, $m) = @_;

    my $t = InitGate::Example->from_text("$examples$name",
        "load_module modules/ngx_http_init_gate_module.so;\n"
        . "events { }\nhttp {\n" . $m->conf . "}\n", %{$places{$name}},
        %listen);

    mkdir $t->path('data');
    $t->write("secrets/$_", "sesame\n")
        for 'db-password', 'cache-password', 'notify-token';

    return $t;
}

# a server with the users and databases of the example

sub database {
    my ($t, $name) = @_;

    my $database = $name eq 'edge' ? 'shop' : 'app';
    my $pg = $t->postgres(port => $t->port(5432));

    psql($pg, 'create role ' . ($name eq 'edge' ? 'edge' : 'app') . ' login');
    psql($pg, "create database $database");

    return sub { psql($pg, $_[0], $database) };
}

sub migrate {
    my ($database) = @_;

    $database->('create table schema_migrations '
        . '(version bigint primary key, dirty boolean not null); '
        . 'insert into schema_migrations values (42, false); '
        . 'grant select on schema_migrations to app');
}

sub probe {
    my ($t, $m, $probe) = @_;

    my $get = $m->containers->{gate}{"${probe}Probe"}{httpGet};

    is($get->{port}, 'http', "$probe: port of the clients");

    return $t->get($get->{path})->{status};
}

sub begin {
    my ($t, $m, $name) = @_;

    is($t->get('/')->{status}, 503, "$name, closed: refused");
    is(probe($t, $m, 'startup'), 200, "$name, closed: startup");
    is(probe($t, $m, 'liveness'), 200, "$name, closed: liveness");
    is(probe($t, $m, 'readiness'), $name eq 'edge' ? 200 : 503,
        "$name, closed: readiness");
    $t->restricted_ok('/init');

    my $metrics = $t->get('/metrics', port => $t->port(9113))->{content};
    like($metrics, qr/^nginx_init_gate_ready\{/m, "$name, closed: metrics");
    is($t->get('/metrics')->{status}, $t->get('/')->{status},
        "$name, closed: no metrics on the port of the clients");
}

sub opens {
    my ($t, $m, $name) = @_;

    $t->wait_for(sub { $t->get('/')->{status} != 503 }, 'the gate to open');

    is(probe($t, $m, $_), 200, "$name, open: $_")
        for 'startup', 'liveness', 'readiness';

    my $log = $t->read('access.log');
    like($log, qr{ / }, "$name: requests logged");
    unlike($log, qr{ /(?:ready|alive) }, "$name: probes not logged");
}

{
    my $t = start('sidecar', $made{sidecar});
    my $database = database($t, 'sidecar');

    $t->run;
    begin($t, $made{sidecar}, 'sidecar');
    migrate($database);
    $t->write('data/.initialized');
    opens($t, $made{sidecar}, 'sidecar');
}

SKIP: {
    skip $lacks{json}, 1 if $lacks{json};

    my $t = start('edge', $made{edge});
    my $database = database($t, 'edge');

    $t->run;
    begin($t, $made{edge}, 'edge');
    is($t->get('/search/')->{status}, 503, 'edge, closed: search refused');

    $t->redis('port ' . $t->port(6379));
    $t->command_ok('sh', '-c', 'redis-cli -p $0 config set requirepass '
        . 'sesame && seq 200 | sed "s/.*/HSET modules:index & x/" '
        . '| redis-cli -p $0 -a sesame --no-auth-warning',
        $t->port(6379), 'redis-cli hset');

    $database->('create schema shop; grant usage on schema shop to edge; '
        . 'create table shop.users (); create table shop.orders ()');

    opens($t, $made{edge}, 'edge');
    $t->wait_for(sub { $t->get('/search/')->{status} != 503 },
        'search to open');
}

# the API server, with the Job

SKIP: {
    my $why = $lacks{json} || $lacks{token}
        || (InitGate::Manifests::kustomize() ? '' : InitGate::Manifests::why());
    skip $why, 1 if $why;

    my $m = InitGate::Manifests->new('migration-job');
    my $t = start('migration-job', $m);
    my ($certificate, $key) = $t->certificate('localhost', '127.0.0.1');
    $t->write('secrets/api/ca.crt', $t->read($certificate));
    $t->write('secrets/api/token', "a-token-of-the-pod\n");

    my $job = '/apis/batch/v1/namespaces/default/jobs/app-migrate-42';

    my $api = InitGate::Fake->new(sub {
        my ($c) = @_;

        while (my $request = $c->read_until(qr/\r\n\r\n/)) {
            my $allowed = index($request, "GET $job ") == 0
                && $request =~ /^Authorization: Bearer a-token-of-the-pod\r$/mi;
            my $body = $c->word || '{"status":{"active":1}}';

            $c->send('HTTP/1.1 ' . ($allowed ? '200 OK' : '403 Forbidden')
                . "\r\nContent-Length: " . length($body) . "\r\n\r\n$body");
        }
    }, port => $t->port(6443), tls => [$certificate, $key]);

    $t->run;
    begin($t, $m, 'migration-job');
    $t->write('data/.initialized');
    $t->wait_for(sub { $api->connections }, 'a request');
    is(probe($t, $m, 'readiness'), 503, 'migration-job: Job active');
    $api->set('{"status":{"succeeded":1}}');
    opens($t, $m, 'migration-job');
}

SKIP: {
    my $why = $lacks{notify}
        || (InitGate::Manifests::kustomize() ? '' : InitGate::Manifests::why());
    skip $why, 1 if $why;

    my $m = InitGate::Manifests->new('notice');
    my $t = start('notice', $m);
    my $database = database($t, 'notice');
    my $post = sub {
        $t->post('/notify/app/import', port => $t->port(8081),
            headers => { 'Authorization' => 'Bearer sesame',
                'Content-Type' => 'application/x-www-form-urlencoded' },
            content => $_[0])->{status};
    };

    $t->run;
    begin($t, $m, 'notice');
    migrate($database);
    is($post->('verdict=running&observed=420&expected=1000'), 204,
        'notice, running: accepted');
    is(probe($t, $m, 'readiness'), 503, 'notice, running: not ready');
    is($post->('verdict=passed'), 204, 'notice, passed: accepted');
    opens($t, $m, 'notice');
    is($post->('verdict=running'), 204, 'notice, running again: accepted');
    is(probe($t, $m, 'readiness'), 503, 'notice, running again: not ready');
}

done_testing;
