#!/usr/bin/perl

# Allocations that fail: while the configuration is read, each of them in turn,
# and nginx does not start; during requests and probes, every Nth, and nginx
# continues.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::DNS;
use InitGate::Fake;
use InitGate::HTTP2;

plan(skip_all => 'x86-64, and the module loaded') if InitGate::is_linked_in()
    || $ENV{TEST_NGINX_VALGRIND} || (POSIX::uname())[4] ne 'x86_64';

my $t = InitGate->new(workers => 1);
my $library = $t->preload('allocations');

my $http = InitGate::Fake->http(200, body => 'ready')->port;

my $grpc = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->send(settings());

    for (my $stream = 1; $c->read_until(qr/\x0a\x01x/); $stream += 2) {
        $c->send(headers($stream, ':status' => 200,
            'content-type' => 'application/grpc')
            . data($stream, message("\x08\x01"))
            . end($stream, 'grpc-status' => 0));
    }
})->port;

my $dns = InitGate::DNS->new(sub {
    my ($name, $type) = @_;
    return $name ne 'app.example' ? 'NXDOMAIN'
        : $type eq 'A' ? ['127.0.0.1'] : [];
});

my $conf = <<"CONF";
    init_checks app {
        resolver 127.0.0.1:@{[$dns->port]};
        check file %%DIR%%/app  contains=x;
        check file %%DIR%%  name=tree  files=1 glob=*  after=file;
        check postgres "host=127.0.0.1 port=1 user=a" tables=a,b  rows=t:1
            name=tables optional;
        check postgres postgres://a:b\@127.0.0.1:1/c  migrations=flyway
            optional;
        check redis redis://a:b\@127.0.0.1:1/1 key=k match=x optional;
        check redis redis://127.0.0.1:1 sentinel=main name=sentinel optional;
        check http http://localhost:$http/ match=ready "header=A: b"
            status=200-299  optional;
        check tcp localhost:$http  optional;
        check tcp localhost:$http  "send=GET / HTTP/1.0\\r\\n\\r\\n"
            contains=ready match=y  name=text  optional;
        check grpc localhost:$grpc  service=x  optional;
        check tcp app.example:$http  name=found optional;
        check tcp no.example:$http  name=none optional;
        interval 50ms 50ms;  backoff 50ms;  latch off;
        trigger http://127.0.0.1:$http/ "header=A: b";
    }
    init_checks open {
        check file %%DIR%%;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  init_hold 20ms;  empty_gif; }
        location = /off { init_gate app open;  init_response off;
            init_retry_after 3s;  empty_gif; }
        location = /open { init_gate open;  empty_gif; }
        location = /init { init_status details=on; }
        location = /ready { init_ready app open; }
    }
CONF

# the configuration

my $count = $t->path('count');
$t->write('app', 'y');

sub configure {
    my ($n) = @_;

    local $ENV{LD_PRELOAD} = $library;
    local $ENV{FAIL_AT} = $n;
    local $ENV{FAIL_COUNT} = $count;

    return $t->conf_error($conf);
}

my ($status, $said) = configure(0);
is($status, 0, 'no allocation fails: exit status 0') or diag($said);
my $all = $t->read('count') + 0;
cmp_ok($all, '>', 50, "allocations of the configuration: $all");

my $step = $ENV{TEST_NGINX_ALLOCATIONS} // 9;
my (@crashed, @taken);

for (my $n = 1 + int rand $step; $n <= $all; $n += $step) {
    ($status) = configure($n);
    push @crashed, "$n: $status" if $status != 0 && $status != 1;
    push @taken, $n if $status == 0;
}

is("@crashed", '', 'an allocation fails: no crash');
is("@taken", '', 'an allocation fails: nginx does not start');

# requests and probes

$ENV{LD_PRELOAD} = $library;
$ENV{FAIL_FILE} = $t->path('fail');
my %status;

for my $every (3, 7, 29) {
    $ENV{FAIL_EVERY} = $every;
    $t->run(http => $conf);
    $t->write('app', 'x');
    $t->wait_for(sub { $t->get('/open')->{status} == 200 },
        '/open to answer 200');
    $t->write('fail');

    for (1 .. 60) {
        $t->write('app', $_ % 20 < 10 ? 'x' : 'y');

        for my $uri (qw(/ /off /open /init /ready)) {
            my $answer = $t->get($uri, headers => { Accept =>
                (qw(text/html application/json text/plain))[$_ % 3] });
            $status{$answer->{status}}++;
        }
    }

    $t->remove('fail');
    $t->write('app', 'x');
    $t->wait_for(sub { $t->get('/ready')->{status} == 200 },
        "/ready to answer 200, after every ${every}th failed");
    $t->quit;
}

note(join ', ', map { "$_: $status{$_}" } sort keys %status);
is(join(' ', grep { !/^(?:200|500|503|599)$/ } keys %status), '',
    'allocations fail: no other statuses');
ok($status{500} || $status{599},
    'allocations fail: some requests are not served');
is($t->log_count(qr/exited on signal/), 0, 'allocations fail: no crash');

done_testing;
