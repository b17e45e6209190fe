#!/usr/bin/perl

# init_status: JSON with and without details, validated by the JSON Schema.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use JSON::PP;
use JSON::Validator;
use Time::HiRes qw(time);

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
my $clock = $t->clock;
$t->run;


sub valid {
    my ($kind, $uri, $what) = @_;

    my $r = $t->get($uri);
    my @errors = $body{$kind}->validate(decode_json($r->{content}));

    is("@errors", '', "$what: valid by the schema")
        or diag $r->{content};

    return $r;
}


# from the start

valid('details', '/init', 'at the start');
$t->wait_for(sub { $t->gate('app')->{state} eq 'initializing'
    && $t->check('tree')->{verdict} eq 'waiting' }, 'the first verdicts');

my $r = valid('details', '/init', 'details');
is($r->{status}, 200, '/init: status');
is($r->{headers}{'content-type'}, 'application/json', '/init: type');
is($r->{headers}{'cache-control'}, 'no-store', '/init: Cache-Control');
is($r->{headers}{vary}, 'Accept', '/init: Vary');

valid('status', '/public', 'public');
valid('details', '/one', 'one gate');
valid('status', '/json', 'format=json');
is($t->get('/json', headers => {Accept => 'text/html'})
    ->{headers}{'content-type'}, 'application/json',
        'format=json, Accept text/html: JSON');
$r = valid('refusal', '/', 'the refusal');
is($r->{status}, 503, 'refusal: status');

# public and detailed members

my $public = $t->json('/public')->{gates};
is_deeply([sort keys %{$public->[0]}], [sort qw(gate state ready progress
    eta_ms retry_after started_at checks)], 'public: members of a gate');
is_deeply([sort keys %{$public->[0]{checks}[0]}], [qw(name reason verdict)],
    'public: members of a check');

unlike($t->get($_)->{content}, qr/\Q@{[$t->dir]}/, "$_: no path")
    for qw(/public /);

my $gate = $t->gate('app');
is($gate->{gate}, 'app', 'details: gate');
is($gate->{ready}, JSON::PP::false, 'details: ready');
cmp_ok(abs($gate->{progress} - 0.25 / 3), '<', 0.001, 'details: progress')
    or diag $gate->{progress};
is($gate->{opened_at}, undef, 'details: opened_at');
cmp_ok(abs($t->time_of($gate->{started_at}) - $begun), '<',
    patience(2) + $clock->delay, 'details: started_at');
cmp_ok(abs($t->time_of($gate->{deadline_at}) - $t->time_of($gate->{started_at}) - 3600), '<', 1,
    'details: deadline_at');
is($gate->{latched}, JSON::PP::false, 'details: latched');
is_deeply([map { $_->{state} } @{$gate->{history}}],
    [qw(starting initializing)], 'details: history');
is($gate->{history}[0]{at}, $gate->{started_at}, 'history: from the start');
is($gate->{refused}, 2, 'details: refused');
is($gate->{$_}, 0,
    "details: $_") for qw(held passed held_passed held_refused gone);
is($gate->{carried_over}, JSON::PP::false, 'details: carried_over');
cmp_ok(abs($t->time_of($gate->{prober}{heartbeat}) - time), '<',
    patience(2) + $clock->delay, 'details: heartbeat');
ok((grep { $_ == $gate->{prober}{pid} } $t->workers),
    'details: pid of the prober');
is($gate->{trigger}, undef, 'details: trigger');

my $tree = $t->check('tree');
is($tree->{type}, 'file', 'check: type');
is($tree->{required}, JSON::PP::true, 'check: required');
is($tree->{observed}, 1, 'check: observed');
is($tree->{expected}, 4, 'check: expected');
is($tree->{reason}, 'too_few', 'check: reason');
like($tree->{message}, qr/^1 of 4 files in /, 'check: message');
cmp_ok($tree->{attempts}, '>=', 1, 'check: attempts');
is($tree->{passed_at}, undef, 'check: passed_at');
cmp_ok(abs($t->time_of($tree->{last_checked}) - time), '<',
    patience(2) + $clock->delay, 'check: last_checked');
cmp_ok(abs($t->time_of($tree->{next_check}) - $t->time_of($tree->{last_checked}) - 0.0475), '<=',
    0.0035, 'check: next_check in 45 to 50 ms');
is($tree->{carried_over}, JSON::PP::false, 'check: carried_over');
is_deeply([map { $_->[0] } @{$tree->{recent}}], [('waiting')
    x @{$tree->{recent}}], 'check: recent');
cmp_ok($tree->{duration_ms}, '<', patience(100) + 1000 * $clock->delay,
    'check: duration_ms');

is($t->check('nice')->{required}, JSON::PP::false,
    'optional check: not required');
is($t->check('later')->{verdict}, 'pending', 'check after another: pending');
ok(!exists $t->check('later')->{reason}, 'check after another: no reason');
is($t->check('later')->{attempts}, 0, 'check after another: no attempts');

$t->wait_for(sub { @{$t->check('tree')->{recent}} == 32 }, '32 probes');
$t->wait_for(sub { $t->check('tree')->{attempts} > 40 }, '40 probes');
is(scalar @{$t->check('tree')->{recent}}, 32,
    'check, 40 probes: recent has 32');
cmp_ok($t->check('tree')->{consecutive}, '>', 32,
    'check, 40 probes: consecutive');

$t->write($_) for qw(marker later);
$t->wait_for(sub { $t->check('later')->{verdict} eq 'passed'
    && $t->check('marker')->{consecutive} > 2 }, 'all but the tree');

my $marker = $t->check('marker');
cmp_ok($t->time_of($marker->{passed_at}), '<', $t->time_of($marker->{last_checked}),
    'check that passed: passed_at is the first time');

$t->write("tree/$_") for 2 .. 4;
$t->wait_for(sub { $t->gate('app')->{ready}
    && !$t->check('tree')->{next_check} },
    'the gate to open');

$r = valid('details', '/init', 'open');
$gate = $t->gate('app');
is($gate->{state}, 'degraded', 'open: state');
is($gate->{progress}, 1, 'open: progress');
cmp_ok($t->time_of($gate->{opened_at}), '>', $t->time_of($gate->{started_at}),
    'open: opened_at');
is($gate->{opened_at}, $gate->{history}[-1]{at},
    'open: opened_at is the change of state');
is($gate->{latched}, JSON::PP::true, 'open: latched');
is($gate->{history}[-1]{state}, 'degraded', 'open: history');
ok(!exists $t->check('marker')->{reason},
    'open: no reason of a check that passed');

$tree = $t->check('tree');
is($tree->{observed}, 4, 'open: observed');
is($tree->{passed_at}, $tree->{last_checked},
    'open: passed_at is the last probe');
is($tree->{next_check}, undef, 'open: no next_check');
is($tree->{consecutive}, 1, 'open: consecutive');
cmp_ok($tree->{attempts}, '>', 40, 'open: attempts');
is_deeply([map { $_->[0] } @{$tree->{recent}}[-3 .. -1]],
    [qw(waiting waiting passed)], 'open: recent has the oldest first');

is($t->get('/')->{status}, 200, 'open: served');
is($t->gate('app')->{passed}, 1, 'open: counted');
is($t->json($_)->{ready}, JSON::PP::false,
    "$_, one of two gates closed: not ready")
    for qw(/init /order);

# selected gates and checks

sub gates { map { $_->{gate} } @{$t->json("/init?$_[0]")->{gates}} }

is_deeply([gates('gate=other')], ['other'], '?gate=: one gate');
is_deeply([gates('check=file')], ['other'], '?check=: gates with this check');
is_deeply([gates('gate=app&check=tree')], ['app'], '?gate=&check=: one gate');
is_deeply([map { $_->{name} }
    @{$t->json('/init?gate=app&check=tree')->{gates}[0]{checks}}], ['tree'],
    '?gate=&check=: one check');
is($t->json('/init?gate=app&check=tree')->{gates}[0]{checks}[0]{observed}, 4,
    '?gate=&check=: observed');
ok($t->json('/init?gate=app')->{ready}, '?gate=, other gate closed: ready');
valid('details', '/init?gate=app&check=tree', 'one check');
is($t->get("/init?$_")->{status}, 404, "?$_: no such gate or check")
    for qw(gate=no_such check=no_such gate=other&check=tree);
is($t->get('/init?format=xml')->{status}, 400, '?format=xml: 400');

# methods

is($t->head('/init')->{status}, 200, 'HEAD: status');
is($t->head('/init')->{content} // '', '', 'HEAD: no body');
my $post = $t->post('/init', content => 'x' x 100000);
is("$post->{status} $post->{headers}{allow}", '405 GET, HEAD', 'POST: status');

# an unread body is not parsed as the next request

my $s = $t->connect;
print $s "GET /public HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nx\r\n\r"
    . "GET /public HTTP/1.1\r\nHost: x\r\n\r\n";
$s->flush;
is($t->http_read($s)->{status}, 200,
    "GET with a body, request $_: served") for 1, 2;

is($t->get('/init?x=1')->{status}, 200, 'other arguments: ignored');

done_testing;
