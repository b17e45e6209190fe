#!/usr/bin/perl

# init_status: JSON with and without details, by its JSON Schema.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use JSON::PP;
use JSON::Validator;

my $schema = JSON::Validator->new->schema(
    "file://$FindBin::Bin/../schema/init-gate.schema.json")->schema;
my %body = map { $_ => JSON::Validator->new->schema({
        '$schema' => $schema->data->{'$schema'},
        '$defs' => $schema->data->{'$defs'},
        '$ref' => "#/\$defs/$_" }) }
    qw(refusal status details);

my $t = InitGate->new(http => <<'CONF');
    init_checks app {
        check file %%DIR%%/marker  name=marker;
        check file %%DIR%%/tree  name=tree  files=4  interval=50ms;
        check file %%DIR%%/later  name=later  after=marker;
        check file %%DIR%%/nice  name=nice  optional;
        interval 100ms;
        deadline 1h;
    }
    init_checks other { check file %%DIR%%/other; interval 100ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app; root %%DIR%%/html; }
        location = /init { init_status details=on; }
        location = /public { init_status; }
        location = /one { init_status other details=on; }
        location = /json { init_status format=json; }
    }
CONF

mkdir $t->path('tree');
$t->write('tree/1');
$t->write('html/index.html', 'here');
$t->run;


sub valid {
    my ($kind, $uri, $what) = @_;

    my $r = $t->get($uri);
    my @errors = $body{$kind}->validate(decode_json($r->{content}));

    is("@errors", '', "$what: as the schema says")
        or diag $r->{content};

    return $r;
}

sub gate { $t->json('/init')->{gates}[0] }

sub check {
    my ($name) = @_;

    return (grep { $_->{name} eq $name } @{gate()->{checks}})[0];
}


# from the first moment on

valid('details', '/init', 'at the start');
$t->wait_for(sub { gate()->{state} eq 'initializing'
    && check('tree')->{verdict} eq 'waiting' }, 'the first verdicts');

my $r = valid('details', '/init', 'details');
is($r->{status}, 200, 'status');
is($r->{headers}{'content-type'}, 'application/json', 'type');
is($r->{headers}{'cache-control'}, 'no-store', 'not to be cached');

valid('status', '/public', 'public');
valid('details', '/one', 'one gate');
valid('status', '/json', 'format=json');
$r = valid('refusal', '/', 'the refusal');
is($r->{status}, 503, 'the refusal: status');

# what people may know, and what only the operator

my $public = $t->json('/public')->{gates};
is_deeply([sort keys %{$public->[0]}], [sort qw(gate state ready progress
    eta_ms retry_after started_at checks)], 'public: a gate');
is_deeply([sort keys %{$public->[0]{checks}[0]}], [qw(name reason verdict)],
    'public: a check');

unlike($t->get($_)->{content}, qr/\Q@{[$t->dir]}/, "$_: no path")
    for qw(/public /);

my $gate = gate();
is($gate->{gate}, 'app', 'gate');
is($gate->{ready}, JSON::PP::false, 'ready');
cmp_ok(abs($gate->{progress} - 0.25 / 3), '<', 0.001, 'progress')
    or diag $gate->{progress};
is($gate->{opened_at}, undef, 'opened_at');
like($gate->{deadline_at}, qr/Z$/, 'deadline_at');
is($gate->{latched}, JSON::PP::false, 'latched');
is_deeply([map { $_->{state} } @{$gate->{history}}],
    [qw(starting initializing)], 'history');
is($gate->{refused}, 2, 'refused');
ok((grep { $_ == $gate->{prober}{pid} } $t->workers), 'prober');
is($gate->{trigger}, undef, 'trigger');

my $tree = check('tree');
is($tree->{type}, 'file', 'type');
is($tree->{required}, JSON::PP::true, 'required');
is($tree->{observed}, 1, 'observed');
is($tree->{expected}, 4, 'expected');
is($tree->{reason}, 'too_few', 'reason');
ok($tree->{message}, 'message');
cmp_ok($tree->{attempts}, '>=', 1, 'attempts');
is($tree->{passed_at}, undef, 'passed_at');
ok($tree->{last_checked}, 'last_checked');
is_deeply([map { $_->[0] } @{$tree->{recent}}], [('waiting')
    x @{$tree->{recent}}], 'recent');
cmp_ok($tree->{duration_ms}, '<', patience(100), 'duration_ms');

is(check('nice')->{required}, JSON::PP::false, 'optional is not required');
is(check('later')->{verdict}, 'pending', 'after= is pending');
ok(!exists check('later')->{reason}, 'and has no reason');
is(check('later')->{attempts}, 0, 'nor attempts');

$t->wait_for(sub { @{check('tree')->{recent}} == 32 }, '32 probes');
$t->wait_for(sub { check('tree')->{attempts} > 40 }, '40 probes');
is(scalar @{check('tree')->{recent}}, 32, 'recent: the last 32');
cmp_ok(check('tree')->{consecutive}, '>', 32, 'consecutive');

$t->write($_) for qw(marker later tree/2 tree/3 tree/4);
$t->wait_for(sub { gate()->{ready} }, 'the gate to open');

$r = valid('details', '/init', 'open');
$gate = gate();
is($gate->{state}, 'degraded', 'degraded');
is($gate->{progress}, 1, 'progress 1');
ok($gate->{opened_at}, 'opened_at');
is($gate->{latched}, JSON::PP::true, 'latched');
is($gate->{history}[-1]{state}, 'degraded', 'history');
ok(check('marker')->{passed_at}, 'passed_at');
ok(!exists check('marker')->{reason}, 'passed has no reason');
is(check('tree')->{observed}, 4, 'observed at the end');

is($t->get('/')->{status}, 200, 'passed');
is(gate()->{passed}, 1, 'and counted');
is($t->json('/init')->{ready}, JSON::PP::false, 'the other is closed');

# asked by any method that reads

is($t->head('/init')->{status}, 200, 'HEAD');
is($t->head('/init')->{content} // '', '', 'without a body');
is($t->post('/init', content => 'x' x 100000)->{status} =~ /^(?:200|405)$/, 1,
    'POST');
is($t->get('/init?x=1')->{status}, 200, 'arguments');

done_testing;
