#!/usr/bin/perl

# docs/checks/grpc.md: the example.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Example;

my $page = "$FindBin::Bin/../docs/checks/grpc.md";
my $text = do { local (@ARGV, $/) = $page; <> };

my ($server) = $text =~ /^```python\n(.*?)^```$/ms;
my ($conf) = $text =~ /^```nginx\n(http \{.*?)^```$/ms;

plan skip_all => 'no python3-grpcio'
    if system('/usr/bin/python3 -c "import grpc" 2>/dev/null');

$conf =~ s/ http2;.*/;\n http2 on;/
    if InitGate->new->version >= 1.025001;

my $t = InitGate::Example->from_text($page,
    "load_module modules/ngx_http_init_gate_module.so;\nevents { }\n$conf",
    '127.0.0.1:50051' => '127.0.0.1:%%PORT_50051%%',
    '127.0.0.1:8080' => '127.0.0.1:%%PORT_8081%%',
    '127.0.0.1:8081' => '127.0.0.1:%%PORT_8080%%');

# the test ends the initialization

my $release = $t->path('release');
$server =~ s/127\.0\.0\.1:50051/127.0.0.1:@{[$t->port(50051)]}/ or die;
$server =~ s/^time\.sleep\(10\)/import os\nwhile not os.path.exists("$release"): time.sleep(0.05)/m
    or die;

$t->run;
$t->spawn_command('/usr/bin/python3', $t->write('server.py', $server));

settles($t, 'grpc', 'waiting not_serving', qr/NOT_SERVING/);

my $client = $t->write('client.py', <<'PYTHON');
import sys, grpc

channel = grpc.insecure_channel(sys.argv[1],
                                options=[("grpc.enable_retries", 0)])
call = channel.unary_unary("/grpc.health.v1.Health/Check")

try:
    print(call(b"", timeout=20)[1])
except grpc.RpcError as e:
    print(e.code().name)
PYTHON

my $call = sub { `/usr/bin/python3 $client 127.0.0.1:@{[$t->port(8081)]}` };

is($call->(), "UNAVAILABLE\n", 'not serving: UNAVAILABLE');

$t->write('release');
settles($t, 'grpc', 'passed');

is($call->(), "1\n", 'serving: passed to the server');

done_testing;
