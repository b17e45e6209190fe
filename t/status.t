#!/usr/bin/perl

# init_status: JSON with and without details, by its JSON Schema.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use JSON::PP;
use JSON::Validator;
use Time::HiRes qw(time);
use Time::Local qw(timegm);

my $schema = JSON::Validator->new->schema(
    "file://$FindBin::Bin/../docs/schema/init-gate.schema.json")->schema;
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
        location = /order { init_status other app; }
    }
CONF

mkdir $t->path('tree');
$t->write('tree/1');
$t->write('html/index.html', 'here');
my $begun = time;
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


# seconds since the epoch

sub at {
    my ($text) = @_;

    $text =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)(\.\d{3})Z$/ or return 0;

    return timegm($6, $5, $4, $3, $2 - 1, $1) + $7;
}


# from the first moment on

valid('details', '/init', 'at the start');
$t->wait_for(sub { gate()->{state} eq 'initializing'
    && check('tree')->{verdict} eq 'waiting' }, 'the first verdicts');

my $r = valid('details', '/init', 'details');
is($r->{status}, 200, 'status');
is($r->{headers}{'content-type'}, 'application/json', 'type');
is($r->{headers}{'cache-control'}, 'no-store', 'not to be cached');
is($r->{headers}{vary}, 'Accept', 'Vary');

valid('status', '/public', 'public');
valid('details', '/one', 'one gate');
valid('status', '/json', 'format=json');
is($t->get('/json', headers => {Accept => 'text/html'})
    ->{headers}{'content-type'}, 'application/json', 'whatever is accepted');
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
cmp_ok(abs(at($gate->{started_at}) - $begun), '<', patience(2), 'started_at');
cmp_ok(abs(at($gate->{deadline_at}) - at($gate->{started_at}) - 3600), '<', 1,
    'deadline_at');
is($gate->{latched}, JSON::PP::false, 'latched');
is_deeply([map { $_->{state} } @{$gate->{history}}],
    [qw(starting initializing)], 'history');
is($gate->{refused}, 2, 'refused');
is($gate->{$_}, 0, $_) for qw(held passed held_passed held_refused gone);
is($gate->{carried_over}, JSON::PP::false, 'carried_over');
cmp_ok(abs(at($gate->{prober}{heartbeat}) - time), '<', patience(2),
    'heartbeat');
ok((grep { $_ == $gate->{prober}{pid} } $t->workers), 'prober');
is($gate->{trigger}, undef, 'trigger');

my $tree = check('tree');
is($tree->{type}, 'file', 'type');
is($tree->{required}, JSON::PP::true, 'required');
is($tree->{observed}, 1, 'observed');
is($tree->{expected}, 4, 'expected');
is($tree->{reason}, 'too_few', 'reason');
like($tree->{message}, qr/^1 of 4 files in /, 'message');
cmp_ok($tree->{attempts}, '>=', 1, 'attempts');
is($tree->{passed_at}, undef, 'passed_at');
cmp_ok(abs(at($tree->{last_checked}) - time), '<', patience(2),
    'last_checked');
cmp_ok(abs(at($tree->{next_check}) - at($tree->{last_checked}) - 0.0475), '<=',
    0.0035, 'next_check: in 45 to 50 ms');
is($tree->{carried_over}, JSON::PP::false, 'carried_over');
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

$t->write($_) for qw(marker later);
$t->wait_for(sub { check('later')->{verdict} eq 'passed'
    && check('marker')->{consecutive} > 2 }, 'all but the tree');

my $marker = check('marker');
cmp_ok(at($marker->{passed_at}), '<', at($marker->{last_checked}),
    'passed_at: the first time');

$t->write("tree/$_") for 2 .. 4;
$t->wait_for(sub { gate()->{ready} && !check('tree')->{next_check} },
    'the gate to open');

$r = valid('details', '/init', 'open');
$gate = gate();
is($gate->{state}, 'degraded', 'degraded');
is($gate->{progress}, 1, 'progress 1');
cmp_ok(at($gate->{opened_at}), '>', at($gate->{started_at}), 'opened_at');
is($gate->{opened_at}, $gate->{history}[-1]{at}, 'at the change of state');
is($gate->{latched}, JSON::PP::true, 'latched');
is($gate->{history}[-1]{state}, 'degraded', 'history');
ok(!exists check('marker')->{reason}, 'passed has no reason');

$tree = check('tree');
is($tree->{observed}, 4, 'observed at the end');
is($tree->{passed_at}, $tree->{last_checked}, 'passed_at: the last probe');
is($tree->{next_check}, undef, 'next_check: there is none');
is($tree->{consecutive}, 1, 'consecutive');
cmp_ok($tree->{attempts}, '>', 40, 'attempts');
is_deeply([map { $_->[0] } @{$tree->{recent}}[-3 .. -1]],
    [qw(waiting waiting passed)], 'recent: oldest first');

is($t->get('/')->{status}, 200, 'passed');
is(gate()->{passed}, 1, 'and counted');
is($t->json($_)->{ready}, JSON::PP::false, "$_: one of two is closed")
    for qw(/init /order);

# one of them

sub gates { map { $_->{gate} } @{$t->json("/init?$_[0]")->{gates}} }

is_deeply([gates('gate=other')], ['other'], '?gate=');
is_deeply([gates('check=file')], ['other'], '?check= of any gate');
is_deeply([gates('gate=app&check=tree')], ['app'], '?gate= and ?check=');
is_deeply([map { $_->{name} }
    @{$t->json('/init?gate=app&check=tree')->{gates}[0]{checks}}], ['tree'],
    'nothing but that check');
is($t->json('/init?gate=app&check=tree')->{gates}[0]{checks}[0]{observed}, 4,
    'with its own numbers');
ok($t->json('/init?gate=app')->{ready}, 'ready: those that are shown');
valid('details', '/init?gate=app&check=tree', 'one check');
is($t->get("/init?$_")->{status}, 404, "$_: there is none")
    for qw(gate=no_such check=no_such gate=other&check=tree);
is($t->get('/init?format=xml')->{status}, 400, 'no such format');

# asked by any method that reads

is($t->head('/init')->{status}, 200, 'HEAD');
is($t->head('/init')->{content} // '', '', 'without a body');
is($t->post('/init', content => 'x' x 100000)->{status}, 405, 'POST');

# a body that nobody reads does not become the next request

my $s = $t->connect;
print $s "GET /public HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nx\r\n\r"
    . "GET /public HTTP/1.1\r\nHost: x\r\n\r\n";
$s->flush;
is($t->http_read($s)->{status}, 200, "GET with a body, $_") for 1, 2;

is($t->get('/init?x=1')->{status}, 200, 'arguments');

done_testing;
