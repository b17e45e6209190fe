#!/usr/bin/perl

# init_control: overrides of a gate, where they show, and how they end.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use JSON::Validator;

my $t = InitGate->new(workers => 3, http => <<'CONF');
    init_checks app {
        check file %%DIR%%/one  name=one;
        check file %%DIR%%/two  name=two;
        interval 20ms;
        latch off;
        fall 1;
    }
    init_checks latched { check file %%DIR%%/three  name=three;  interval 20ms; }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /held { init_gate app;  init_hold 1m;  empty_gif; }
        location = /latched { init_gate latched;  empty_gif; }
        location = /init { init_status details=on; }
        location = /public { init_status app; }
        location = /ready { init_ready app; }
        location = /all { init_ready; }
        location /control/ { init_control token_file=%%DIR%%/token; }
    }
CONF

$t->write('token', 's3cret-token');
$t->run;

sub order {
    my ($form, $gate) = @_;

    return $t->post('/control/' . ($gate // 'app'), content => $form,
        headers => { 'Authorization' => 'Bearer s3cret-token',
                     'Content-Type' => 'application/x-www-form-urlencoded' });
}

sub ordered { order(@_)->{status} }

sub overrides { $t->gate($_[0] // 'app')->{overrides} // [] }

sub metric {
    my ($name) = @_;

    my $text = $t->get('/init?format=prometheus')->{content};
    return $text =~ /^nginx_init_gate_\Q$name\E (\S+)$/m ? $1 : undef;
}

$t->wait_state('initializing', 'app');
is_deeply(overrides(), [], 'no override: none is shown');
is(metric('override_active{gate="app",check="",action="open"}'), 0,
    'no override: metric');

# open

my @held = $t->hold(6, '/held', 'app');

is(ordered('action=open&for=1h&reason=a+%22good%22+reason'), 204, 'open: 204');
is($t->get('/')->{status}, 200, 'open: requests pass') for 1 .. 5;
is_deeply($t->statuses(@held), { 200 => 6 }, 'open: held requests are served');

my $gate = $t->gate('app');
is($gate->{state}, 'initializing', 'open: the state is the true one');
is($gate->{ready}, 1, 'open: ready');
my ($override) = @{overrides()};
is_deeply([@$override{qw(action check reason client)}],
    ['open', undef, 'a "good" reason', '127.0.0.1'], 'open: in the status');
cmp_ok(abs($t->time_of($override->{until}) - $t->time_of($override->{since})
    - 3600), '<', 0.1, 'open: until');

my $public = $t->json('/public')->{gates}[0]{overrides}[0];
is_deeply([sort keys %$public], [qw(action check since until)],
    'open: public status without reason and client');

my $schema = JSON::Validator->new
    ->schema("file://$FindBin::Bin/../docs/schema/init-gate.schema.json");
is_deeply([map { "$_" } $schema->validate($t->json($_))], [], "$_: schema")
    for '/init', '/public';

like($t->get('/ready')->{content}, qr/\A\[\+\]app overridden: open until \d{4}-\S+Z\n\[-\]one waiting: missing\n\[-\]two .*\nreadyz check passed\n\z/s,
    'open: readiness');
is($t->get($_)->{headers}{'x-init-gate'}, 'app; state=initializing; override=open',
    "open: X-Init-Gate of $_") for '/ready', '/init', '/public', '/all';
is(metric('override_active{gate="app",check="",action="open"}'), 1,
    'open: metric');
is(metric('ready{gate="app"}'), 1, 'open: metric of ready');
cmp_ok(abs(metric('override_until_timestamp_seconds{gate="app",check="",action="open"}')
    - $t->time_of($override->{until})), '<', 0.1, 'open: metric of the end');
$t->wait_log(qr/\[warn\].*init gate "app": "open" for 3600s was ordered: a "good" reason, client: 127\.0\.0\.1/);

# the later one wins

is(ordered('action=close&for=1m&reason=no'), 204, 'close: 204');
my $refusal = $t->get('/');
is($refusal->{status}, 503, 'close: refused');
is($refusal->{headers}{'x-init-gate'},
    'app; state=initializing; override=close', 'close: X-Init-Gate');
is_deeply([map { $_->{action} } @{overrides()}], ['close'],
    'close: in place of open');
like($t->get('/ready')->{content}, qr/^\[-\]app overridden: closed until/,
    'close: readiness');
is($t->get('/ready?exclude=one&exclude=two')->{status}, 503,
    'close: excluded checks do not matter');

# close a gate that is open by its checks

$t->write($_) for qw(one two);
$t->wait_state('ready', 'app');
is($t->get('/')->{status}, 503, 'close, ready: refused');
my $json = JSON::PP::decode_json($t->get('/')->{content});
is_deeply([@$json{qw(state ready)}, $json->{overrides}[0]{action}],
    ['ready', JSON::PP::false(), 'close'], 'close, ready: body');
is_deeply([map { "$_" } $schema->validate($json)], [], 'close: schema');
cmp_ok($t->get('/')->{headers}{'retry-after'}, '>=', 5,
    'close: Retry-After');
my $page = $t->get('/', headers => { Accept => 'text/html' })->{content};
like($page, qr/<html/, 'close: a page');
like($page, qr{<p class="far"><b></b>}, 'close, ready: no progress');
unlike($page, qr/<progress[^>]* value=/, 'close, ready: indeterminate bar');
like($t->json('/', headers => { Accept => 'application/problem+json' })
    ->{detail}, qr/has been closed/, 'close: problem details');

is(ordered('action=clear&reason=done'), 204, 'clear: 204');
is($t->get('/')->{status}, 200, 'clear: requests pass');
is_deeply(overrides(), [], 'clear: none is shown');
$t->wait_log(qr/\[warn\].*"clear" was ordered: done, client/);

# ignore

$t->remove('two');
$t->wait_state('initializing', 'app');
is(ordered('action=ignore&check=two&for=1h&reason=r'), 204, 'ignore: 204');
is($t->get('/')->{status}, 200, 'ignore: requests pass');
$gate = $t->gate('app');
is_deeply([@$gate{qw(state ready)}], ['initializing', 1],
    'ignore: state and ready');
is($gate->{overrides}[0]{check}, 'two', 'ignore: its check');
like($t->get('/ready')->{content},
    qr{^\[\+\]app/two overridden: ignored until}, 'ignore: readiness');
is(metric('override_active{gate="app",check="two",action="ignore"}'), 1,
    'ignore: metric');
$t->remove('one');
$t->wait_for(sub { $t->get('/')->{status} == 503 }, 'another check');
is($t->get('/')->{headers}{'x-init-gate'},
    'app; state=initializing; override=ignore',
    'another check: X-Init-Gate');
is(ordered('action=open&for=1h&reason=r'), 204, 'open beside ignore: 204');
is(scalar @{overrides()}, 2, 'open beside ignore: both are shown');
is($t->get('/')->{status}, 200, 'open beside ignore: requests pass');

# reloads: the same configuration, a changed one, a crash

$t->reload;
is($t->get('/')->{status}, 200, 'reload: requests pass');
$t->reload(http => $t->{http} =~ s/name=two;/name=two; check file %%DIR%%\/x name=x;/r);
is($t->get('/')->{status}, 200, 'changed checks: requests pass') for 1 .. 5;
is_deeply([map { $_->{action} } @{overrides()}], ['open', 'ignore'],
    'changed checks: overrides are kept');
$t->kill_prober;
is($t->get('/')->{status}, 200, 'prober killed: requests pass');
is(ordered('action=close&for=1h&reason=r'), 204, 'prober killed: 204');
$t->reload(http => $t->{http} =~ s/check file %%DIR%%\/x name=x;//r);
is($t->get('/')->{status}, 503, 'changed checks: closed') for 1 .. 5;
$t->write($_) for qw(one two);
$t->wait_state('ready', 'app');
$t->reload(http => $t->{http} =~ s/name=two;/name=two; check file %%DIR%%\/one name=x;/r);
is($t->get('/')->{status}, 503, 'changed checks, ready: closed') for 1 .. 5;

# the end: in time, and logged

is(ordered('action=close&for=300ms&reason=short'), 204, 'short: 204');
is($t->get('/')->{status}, 503, 'short: in force');
$t->wait_log(qr/"close" for 300ms was ordered: short/);
$t->wait_for(sub { $t->get('/')->{status} == 200 }, 'the end of an override');
is_deeply([map { $_->{action} } @{overrides()}], ['ignore'],
    'short: ended, the other one goes on');
$t->wait_log(qr/\[warn\].*init gate "app": override "close" by client 127\.0\.0\.1 has ended/);
is(ordered('action=clear'), 204, 'clear: 204');
is_deeply(overrides(), [], 'clear: all');

# recheck: a latched gate

$t->write('three');
$t->wait_ready('latched');
my $check = $t->check('three');
$t->remove('three');
is(ordered('action=recheck', 'latched'), 204, 'recheck: 204');
$t->wait_for(sub { $t->check('three')->{verdict} eq 'waiting' },
    'the verdict of a latched check');
is($t->check('three')->{attempts}, $check->{attempts} + 1,
    'recheck: one probe');
is($t->gate('latched')->{state}, 'ready', 'recheck: the gate stays ready');
is($t->get('/latched')->{status}, 200, 'recheck: requests pass');
is(ordered('action=recheck', 'latched'), 204, 'recheck again: 204');
$t->wait_for(sub { $t->check('three')->{attempts} == $check->{attempts} + 2 },
    'another probe');

# invalid orders

for (['', qr/^action must be/], ['action=shut', qr/^action must be/],
     ['action=open&reason=r', qr/^for must be/],
     ['action=open&for=1h', qr/^reason is required/],
     ['action=open&for=1h&reason=+', qr/^reason is required/],
     ['action=open&for=25h&reason=r', qr/at most 24h$/],
     ['action=open&for=0&reason=r', qr/^for must/],
     ['action=open&for=x&reason=r', qr/^for must/],
     ['action=open&for=-1s&reason=r', qr/^for must/],
     ['action=open&for=1h&reason=' . 'x' x 129, qr/^reason must not exceed/],
     ['action=open&for=1h&reason=r&check=one', qr/^check is allowed only/],
     ['action=ignore&for=1h&reason=r', qr/^check must be/],
     ['action=ignore&for=1h&reason=r&check=none', qr/^check must be/],
     ['action=clear&for=1h', qr/^for is allowed only/],
     ['action=recheck&check=one', qr/^check is allowed only/],
     ['action=open&for=1h&reason=r&who=me', qr/^unknown argument "who"/],
     ['action=open&for=1h&for=2h&reason=r', qr/^duplicate argument "for"/])
{
    my ($form, $detail) = @$_;
    my $answer = order($form);
    is("@$answer{qw(status reason)}", '422 Unprocessable Content',
        "\"$form\": 422");
    like(JSON::PP::decode_json($answer->{content})->{detail}, $detail,
        "\"$form\": detail");
}

for my $gate ('none', '', 'app/one', 'app/') {
    my $answer = order('action=clear', $gate);
    is($answer->{status}, 404, "gate \"$gate\": 404");
    like($answer->{content}, qr/no init gate with the name/,
        "gate \"$gate\": detail");
}
is($t->post('/control/app', content => 'action=clear', headers => {
    'Content-Type' => 'application/x-www-form-urlencoded' })->{status}, 401,
    'no token: 401');
is(ordered('action=open&for=24h&reason=r'), 204, '24 hours: 204');

# a restart

$t->quit;
$t->remove('one');
$t->run;
$t->wait_state('initializing', 'app');
is_deeply(overrides(), [], 'restart: overrides are forgotten');

done_testing;
