#!/usr/bin/perl

# docs/recipes.md: each recipe runs as written against a scripted server with
# the responses of the real one.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;

my $t = InitGate->new(quit => 2, workers => 1);
my $dir = $t->dir;

plan(skip_all => 'built without jansson')
    if ($t->conf_error(
        'init_checks a { check http http://127.0.0.1:1/ json=/a; }'))[1]
        =~ /built without jansson/;

# a server: "METHOD URI" => responses before and after initialization, each a
# status and a body; allowed is the value of the header that it requires, or
# code that returns it

sub server {
    my ($uris, %args) = @_;

    my $allowed = delete $args{allowed};

    return InitGate::Fake->new(sub {
        my ($c) = @_;

        while (defined(my $head = $c->read_until(qr/\r\n\r\n/))) {
            my ($request) = $head =~ m{^(\S+ \S+) HTTP/1\.1\r\n};
            my $body = $head =~ /^Content-Length: (\d+)\r$/m
                ? $c->read_bytes($1) : '';
            my ($header) = $head =~ /^Authorization: (.*)\r$/m;
            my $wanted = ref $allowed ? $allowed->() : $allowed;

            $request .= " $body" if $body ne '';

            my ($status, $said) = defined $wanted && ($header // '') ne $wanted
                ? (401, '{"kind":"Status","reason":"Unauthorized","code":401}')
                : @{($uris->{$request} // [[404, '{}'], [404, '{}']])
                    ->[$c->word eq '' || $c->word eq 'pulled'
                       && $request !~ /pull/ ? 0 : 1]};

            $c->send("HTTP/1.1 $status x\r\nContent-Type: application/json\r\n"
                . 'Content-Length: ' . length($said) . "\r\n\r\n$said")
                or return;
        }
    }, %args);
}

$t->write('kubernetes/v1/token', "eyJ.one.x\n");
$t->write('kubernetes/v2/token', "eyJ.two.x\n");
$t->write('kubernetes/allowed', 'eyJ.one.x');
symlink 'v1', "$dir/kubernetes/..data" or die $!;
symlink '..data/token', "$dir/kubernetes/token" or die $!;
$t->write('consul', "consul-management-token\n");
$t->write('vllm', "sk-0123456789\n");

my ($kubernetes_crt, $kubernetes_key) =
    $t->certificate('kubernetes.default.svc');
my ($vault_crt, $vault_key) = $t->certificate('vault.internal');

my $job = '{"kind":"Job","apiVersion":"batch/v1","metadata":{"name":"migrate",'
    . '"namespace":"shop","generation":1},"spec":{"parallelism":1,'
    . '"completions":1,"backoffLimit":6},"status":';
my $deployment = '{"kind":"Deployment","apiVersion":"apps/v1","metadata":'
    . '{"name":"api","namespace":"shop","generation":1},"spec":{"replicas":3},'
    . '"status":{"observedGeneration":1,"replicas":3,"updatedReplicas":3,';

my $billing = '{"Node":{"Node":"n","Address":"10.0.0.1"},"Service":'
    . '{"ID":"billing-1","Service":"billing","Port":8000},"Checks":[{"CheckID":'
    . '"service:billing-1","Status":"passing"}]}';

my $sealed = sub { '{"initialized":true,"sealed":' . $_[0] . ',"standby":true,'
    . '"performance_standby":false,"replication_performance_mode":"disabled",'
    . '"replication_dr_mode":"disabled","server_time_utc":1763750000,'
    . '"version":"1.15.2"}' };

my $vllm = sub { '{"object":"list","data":[' . join(',', map {
    qq({"id":"$_","object":"model","created":1732200000,"owned_by":"vllm",)
    . qq("root":"$_","parent":null,"max_model_len":131072,"permission":[]}) } @_)
    . ']}' };

my %server = (
    'Kubernetes' => server({
        'GET /apis/batch/v1/namespaces/shop/jobs/migrate' => [
            [200, $job . '{"startTime":"2026-11-20T08:00:00Z","active":1,'
                . '"ready":1,"uncountedTerminatedPods":{}}}'],
            [200, $job . '{"startTime":"2026-11-20T08:00:00Z","succeeded":1,'
                . '"completionTime":"2026-11-20T08:01:00Z","conditions":'
                . '[{"type":"Complete","status":"True"}],"ready":0}}'],
        ],
        'GET /apis/apps/v1/namespaces/shop/deployments/api' => [
            [200, $deployment . '"readyReplicas":1,"availableReplicas":1,'
                . '"unavailableReplicas":2,"conditions":[{"type":"Available",'
                . '"status":"False"}]}}'],
            [200, $deployment . '"readyReplicas":3,"availableReplicas":3,'
                . '"conditions":[{"type":"Available","status":"True"}]}}'],
        ],
    }, tls => [$kubernetes_crt, $kubernetes_key],
        allowed => sub { 'Bearer ' . $t->read('kubernetes/allowed') }),

    'Elasticsearch, OpenSearch' => server({
        'GET /_cluster/health' => [map { [200, '{"cluster_name":"docker-cluster"'
            . qq(,"status":"$_","timed_out":false,"number_of_nodes":1,)
            . '"number_of_data_nodes":1,"active_primary_shards":1,'
            . '"active_shards":1,"unassigned_shards":1,"active_shards_percent'
            . '_as_number":50.0}'] } qw(red yellow)],
        'GET /orders/_count' => [map { [200, qq({"count":$_,"_shards":)
            . '{"total":1,"successful":1,"skipped":0,"failed":0}}'] } 420, 1200],
    }),

    'RabbitMQ' => server({
        'GET /api/health/checks/alarms' => [
            [503, '{"status":"failed","reason":"There are alarms in effect in '
                . 'the cluster","alarms":[{"node":"rabbit@a","resource":"disk"}'
                . ']}'],
            [200, '{"status":"ok"}']],
        'GET /api/queues/%2F/orders' => [map { [200, qq({"consumers":$_,)
            . '"durable":true,"messages":0,"name":"orders","state":"running",'
            . '"vhost":"/"}'] } 1, 2],
    }, allowed => 'Basic bW9uaXRvcjpzM2NyZXQ='),

    'Consul' => server({
        'GET /v1/status/leader' => [[200, '""'], [200, '"10.0.0.1:8300"']],
        'GET /v1/health/service/billing?passing' =>
            [[200, "[$billing]"], [200, "[\n$billing,\n$billing]"]],
        'GET /v1/kv/shop/schema?raw' => [[404, ''], [200, '42']],
    }),

    'Vault' => server({
        'GET /v1/sys/health?standbyok=true' =>
            [[503, $sealed->('true')], [200, $sealed->('false')]],
    }, tls => [$vault_crt, $vault_key]),

    'Spring Boot Actuator' => server({
        'GET /actuator/health/readiness' =>
            [[503, '{"status":"OUT_OF_SERVICE"}'], [200, '{"status":"UP"}']],
    }),

    'vLLM' => server({
        'GET /v1/models' => [[200, $vllm->('meta-llama/Llama-3.1-8B')],
            [200, $vllm->('meta-llama/Llama-3.1-8B-Instruct', 'sql-lora')]],
    }, allowed => 'Bearer sk-0123456789'),

    'Ollama' => server({
        'GET /api/tags' => [[200, '{"models":[]}'], [200, '{"models":[{"name":'
            . '"llama3.2:latest","model":"llama3.2:latest","modified_at":'
            . '"2026-11-20T08:00:00Z","size":2019393189,"digest":"a80c","details"'
            . ':{"format":"gguf","family":"llama","parameter_size":"3.2B"}}]}']],
        'POST /api/pull {"model":"llama3.2","stream":false}' =>
            [[500, '{"error":"pull model manifest: no such host"}'],
             [200, '{"status":"success"}']],
    }),
);

# check: verdict and message before initialization

my %before = (
    job => ['waiting missing', qr{"/status/succeeded" is not in the body}],
    deployment => ['waiting too_few', qr/is 1, not yet 3$/],
    cluster => ['waiting mismatch', qr/is "red"/],
    orders => ['waiting too_few', qr/is 420, not yet 1000$/],
    broker => ['waiting bad_status', qr/^HTTP 503$/],
    consumers => ['waiting too_few', qr/is 1, not yet 2$/],
    leader => ['waiting mismatch', qr/is ""/],
    billing => ['waiting too_few', qr/has 1 elements, not yet 2$/],
    schema => ['waiting bad_status', qr/^HTTP 404$/],
    vault => ['waiting bad_status', qr/^HTTP 503$/],
    app => ['waiting bad_status', qr/^HTTP 503$/],
    'model vLLM' => ['waiting mismatch', qr{Llama-3.1-8B", not "meta-llama/}],
    adapter => ['waiting mismatch', qr/does not match$/],
    'model Ollama' => ['waiting mismatch', qr/is "\[\]"/],
);

# where the servers of the page are here

my %place = (
    'https://kubernetes.default.svc' => 'https://127.0.0.1:%%PORT%%',
    '/var/run/secrets/kubernetes.io/serviceaccount/token' =>
        "$dir/kubernetes/token",
    '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt' =>
        "$kubernetes_crt sni=kubernetes.default.svc",
    'https://vault.internal:8200' => 'https://127.0.0.1:%%PORT%%',
    '/etc/ssl/vault.pem' => "$vault_crt sni=vault.internal",
    '/run/secrets' => $dir,
    map({ ("http://$_" => 'http://127.0.0.1:%%PORT%%') }
        qw(search:9200 rabbitmq:15672 127.0.0.1:8500 app:8080 127.0.0.1:8000
           127.0.0.1:11434)),
);

my %used;

sub placed {
    my ($lines, $port) = @_;

    my $places = join '|', map { quotemeta } sort { length $b <=> length $a }
        keys %place;

    $lines =~ s/($places)/$used{$1} = 1; $place{$1}/eg;

    return $lines =~ s/%%PORT%%/$port/gr;
}

my $page = do {
    open my $fh, '<', "$FindBin::Bin/../docs/recipes.md" or die $!;
    local $/;
    <$fh>;
};

my ($conf, %gate) = ('');

while ($page =~ /^## (.+?)\n(.*?)(?=^## |\z)/msg) {
    my ($title, $text) = ($1, $2);
    my @blocks = $text =~ /^```nginx\n(.*?)^```/msg;
    my $lines = placed(join('', @blocks), $server{$title}
        ? $server{$title}->port : die "no server: $title");
    my $name = $title =~ s/\W.*//r;

    $gate{$title} = $name;
    $conf .= "init_checks $name {\n$lines\n interval 100ms; backoff 100ms;\n"
        . "timeout 1m; }\n";
}

is_deeply([sort keys %gate], [sort keys %server], 'recipes: all of them');
is_deeply([sort keys %used], [sort keys %place], 'places: all of them used');

$t->run(http => <<"CONF");
    $conf

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

my $tested = 0;

for my $title (sort keys %gate) {
    my $gate = $gate{$title};

    for my $check (map { $_->{name} } @{$t->gate($gate)->{checks}}) {
        my ($expected, $message) =
            @{$before{"$check $gate"} // $before{$check} // []};
        $tested++;

        $t->wait_for(sub { ($t->check($check, $gate)->{verdict} // 'pending')
            ne 'pending' }, "$gate $check");
        my $got = $t->check($check, $gate);
        is("$got->{verdict} $got->{reason}", $expected,
            "$title, $check, before: verdict");
        like($got->{message}, $message, "$title, $check, before: message");
    }
}

is($tested, scalar keys %before, 'checks: all of them');

# the token rotates: the old one is rejected, before the new one is there

$t->write('kubernetes/allowed', 'eyJ.two.x');
$t->wait_for(sub { ($t->check('job', 'Kubernetes')->{message} // '')
    eq 'HTTP 401' }, 'the old token to be rejected');
is($t->check('job', 'Kubernetes')->{message}, 'HTTP 401',
    'Kubernetes, old token: rejected');

symlink 'v2', "$dir/kubernetes/..new" or die $!;
rename "$dir/kubernetes/..new", "$dir/kubernetes/..data" or die $!;
ok($t->wait_for(sub { $t->check('job', 'Kubernetes')->{reason} eq 'missing' },
    'the new token'), 'Kubernetes, new token: used');

# the trigger of Ollama fails at first

$t->wait_for(sub { $t->gate('Ollama')->{trigger}{attempts} > 1 }, 'attempts');
is($t->gate('Ollama')->{trigger}{message}, 'HTTP 500',
    'Ollama, trigger, before: HTTP 500');

$server{Ollama}->set('pulled');
ok($t->wait_for(sub { $t->gate('Ollama')->{trigger}{state} eq 'succeeded' },
    'the trigger to succeed'), 'Ollama, trigger, after: succeeded');

for my $title (sort keys %gate) {
    $server{$title}->set('initialized');
    ok($t->wait_ready($gate{$title}), "$title, after: ready");
}

done_testing;
