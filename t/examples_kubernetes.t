#!/usr/bin/perl

# conf-examples/kubernetes: the manifests are valid and consistent, and nginx
# answers their probes as the page describes.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;
use InitGate::Fake;
use InitGate::Postgres qw(psql);

my $top = "$FindBin::Bin/..";
my $examples = "$top/conf-examples/kubernetes";

sub validate {
    my ($path) = @_;

    my $said = qx(/usr/bin/python3 $top/t/kubernetes/validate.py $path 2>&1);

    return ($? >> 8, $said);
}

sub slurp {
    my ($path) = @_;

    open my $fh, '<', $path or die "$path: $!";
    local $/;

    return <$fh>;
}


# the validation is strict

my $dir = InitGate->new->dir;
my $text = slurp("$examples/edge.yaml");

for (['unknown', 'replicas: 2', 'replica: 2', qr/replica: unknown/],
     ['type', 'replicas: 2', 'replicas: "2"', qr/not of type int/],
     ['missing', 'containerPort: 8080', 'hostPort: 8080', qr/container_port/],
     ['twice', 'replicas: 2', "replicas: 2\n  replicas: 3", qr/given twice/],
     ['kind', 'policy/v1', 'policy/v2', qr/no such kind/],
     ['quantity', 'memory: 64Mi', 'memory: 64MB', qr/not a quantity/])
{
    my ($name, $from, $to, $regex) = @$_;

    (my $broken = $text) =~ s/\Q$from\E/$to/ or die "no \"$from\"";

    open my $fh, '>', "$dir/$name.yaml" or die "$name: $!";
    print $fh $broken;
    close $fh;

    my ($status, $said) = validate("$dir/$name.yaml");
    isnt($status, 0, "invalid manifest, $name: refused");
    like($said, $regex, "invalid manifest, $name: message");
}


# the secrets of the page: name => files

my $page = slurp("$examples/README.md") =~ s/\\\n\s*//gr;
my %secrets = map { my ($name, @files) = split ' ', s/--from-file=//gr;
                    $name => \@files }
    $page =~ /^    kubectl create secret generic (.*)$/mg;

my %manifests;

for my $name ('sidecar', 'edge') {
    my ($status, $said) = validate("$examples/$name.yaml");
    is($status, 0, "$name.yaml: valid") or diag($said);

    my %found = map { $_->{kind} => $_ } @{JSON::PP::decode_json($said)};
    $manifests{$name} = \%found;

    my $pod = $found{Deployment}{spec}{template};
    my $labels = $pod->{metadata}{labels};
    my $spec = $pod->{spec};

    is_deeply($_, $labels, "$name: labels of the pod")
        for $found{Deployment}{spec}{selector}{matchLabels},
            $found{Service}{spec}{selector},
            $found{PodDisruptionBudget}{spec}{selector}{matchLabels};

    my %volume = map { $_->{name} => $_ } @{$spec->{volumes}};
    my %port = map { $_->{name} => 1 }
        map { @{$_->{ports} // []} } @{$spec->{containers}};

    is($volume{gate}{configMap}{name}, $found{ConfigMap}{metadata}{name},
        "$name: configuration mounted");
    ok($volume{secrets}{secret}, "$name: secrets are files");
    is_deeply([sort { $a cmp $b } @{$secrets{$volume{secrets}{secret}
            {secretName}}}],
        [sort map { m{^/run/secrets/\w+/(.*)} } $found{ConfigMap}{data}
            {'gate.conf'} =~ /password_file=(\S+)/g],
        "$name: secrets as on the page");
    ok($port{$_->{targetPort}}, "$name: port $_->{targetPort}")
        for @{$found{Service}{spec}{ports}};
    is($spec->{automountServiceAccountToken}, JSON::PP::false,
        "$name: no service account token");
    is($spec->{securityContext}{runAsNonRoot}, JSON::PP::true,
        "$name: not root");
    is($spec->{securityContext}{fsGroup}, 33, "$name: group of the secrets");

    for my $container (@{$spec->{containers}}) {
        my $context = $container->{securityContext};
        my $what = "$name, $container->{name}";

        is($context->{readOnlyRootFilesystem}, JSON::PP::true,
            "$what: read-only file system");
        is($context->{allowPrivilegeEscalation}, JSON::PP::false,
            "$what: no privilege escalation");
        is_deeply($context->{capabilities}, { drop => ['ALL'] },
            "$what: no capabilities");
        ok($container->{resources}{limits}{memory}, "$what: memory limit");
        ok(!$container->{env}, "$what: no environment");

        my @unknown = grep { !$volume{$_->{name}} }
            @{$container->{volumeMounts}};
        is(scalar @unknown, 0, "$what: volumes defined");

        ok($container->{livenessProbe}, "$what: liveness probe");
    }
}


# the responses to probes; the rest of nginx.conf is in the image

my $app = InitGate::Fake->http(200, body => 'green');

my $to = '127.0.0.1:' . $app->port;

my %places = (
    sidecar => {
        '/data' => '%%DIR%%/data',
        '/run/secrets/app' => '%%DIR%%/secrets',
        'host=db' => 'host=127.0.0.1 port=%%PORT_5432%%',
        '127.0.0.1:8000' => $to,
    },
    edge => {
        '/run/secrets/edge' => '%%DIR%%/secrets',
        'host=db.shop.svc.cluster.local' =>
            'host=127.0.0.1 port=%%PORT_5432%%',
        'cache.shop.svc.cluster.local' => '127.0.0.1:%%PORT_6379%%',
        'shop.shop.svc.cluster.local:8000' => $to,
        'search.shop.svc.cluster.local:9200' => $to,
        'kube-dns.kube-system.svc.cluster.local' => '127.0.0.1:1',
        'interval 2s' => 'interval 100ms',
    },
);

sub start {
    my ($name) = @_;

    my $conf = $manifests{$name}{ConfigMap}{data}{'gate.conf'};

    my $t = InitGate::Example->from_text("$examples/$name.yaml",
        "load_module modules/ngx_http_init_gate_module.so;\n"
        . "events { }\nhttp {\n$conf}\n", %{$places{$name}},
        'listen 8080;' => 'listen 127.0.0.1:%%PORT_8080%%;');

    mkdir $t->path('data');
    $t->write("secrets/$_-password", "sesame\n") for 'db', 'cache';

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

sub probe {
    my ($t, $name, $probe) = @_;

    my ($gate) = grep { $_->{startupProbe} }
        @{$manifests{$name}{Deployment}{spec}{template}{spec}{containers}};
    my $get = $gate->{"${probe}Probe"}{httpGet};

    is($get->{port}, 'http', "$name, $probe: port of the clients");

    return $t->get($get->{path})->{status};
}

for my $name ('sidecar', 'edge') {
    my $t = start($name);
    my $database = database($t, $name);

    $t->run;

    is($t->get('/')->{status}, 503, "$name, closed: refused");
    is(probe($t, $name, 'startup'), 200, "$name, closed: startup");
    is(probe($t, $name, 'liveness'), 200, "$name, closed: liveness");
    is(probe($t, $name, 'readiness'), $name eq 'edge' ? 200 : 503,
        "$name, closed: readiness");
    $t->restricted_ok('/init');

    if ($name eq 'sidecar') {
        $database->('create table schema_migrations '
            . '(version bigint primary key, dirty boolean not null); '
            . 'insert into schema_migrations values (42, false); '
            . 'grant select on schema_migrations to app');
        $t->write('data/.initialized');

    } else {
        $t->restricted_ok('/metrics');
        like($t->get('/metrics')->{content}, qr/^init_gate_ready\{/m,
            "$name, closed: metrics");
        is($t->get('/search/')->{status}, 503, "$name, closed: search refused");

        $t->redis('port ' . $t->port(6379));
        $t->command_ok('sh', '-c', 'redis-cli -p $0 config set requirepass '
            . 'sesame && seq 200 | sed "s/.*/HSET modules:index & x/" '
            . '| redis-cli -p $0 -a sesame --no-auth-warning',
            $t->port(6379), 'redis-cli hset');

        $database->('create schema shop; grant usage on schema shop to edge; '
            . 'create table shop.users (); create table shop.orders ()');
    }

    $t->wait_for(sub { $t->get('/')->{status} != 503 }, 'the gate to open');

    is(probe($t, $name, $_), 200, "$name, open: $_")
        for 'startup', 'liveness', 'readiness';

    if ($name eq 'edge') {
        $t->wait_for(sub { $t->get('/search/')->{status} != 503 },
            'search to open');
    }
}

done_testing;
