#!/usr/bin/perl

# The cost of a gate for a request, in instructions, which are repeatable,
# unlike seconds.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Callgrind;
use InitGate::Servers;
use List::Util 'sum';

plan skip_all => 'instructions are counted in the ordinary build'
    if $ENV{TEST_NGINX_VALGRIND} || $ENV{TEST_NGINX_BINARY};

# For nginx 1.22.  Later versions respond with 503 in fewer instructions, and
# one more module and variable may cost a step of memset().

my ($unused, $dearer, $dearer_read) = InitGate->version < 1.023
    ? (10, 1.03, 1.10) : (15, 1.04, 1.12);

my $dir = InitGate->new->dir;

# existing markers, and a missing one

for my $name (1 .. 3) {
    open my $marker, '>', "$dir/marker$name" or die $!;
}

my $gates = join '', map {
    "init_checks gate$_ { check file $dir/marker$_; }\n"
} 1 .. 3;

my $closed = "init_checks closed { check file $dir/missing interval=1h; }";

my $count = sub { InitGate::Callgrind->new(@_)->per_request };
my $opened = sub { $_[0] =~ m{^HTTP/1.1 200 } };
my $refused = sub { $_[0] =~ /"state":"initializing"/ };

# an open gate

my $plain = $count->(module => 0, location => 'empty_gif;');
my $loaded = $count->(location => 'empty_gif;');

my $one = $count->(http => $gates, ready => $opened,
                   location => 'init_gate gate1; empty_gif;');
my $three = $count->(http => $gates, ready => $opened,
                     location => 'init_gate gate1 gate2 gate3; empty_gif;');

note sprintf 'plain %.0f, loaded %+.0f, one gate %+.0f, three %+.0f',
    $plain, map { $_ - $plain } $loaded, $one, $three;

cmp_ok($loaded - $plain, '<=', $unused,
    'module loaded, not used: instructions');
cmp_ok($one - $plain, '<=', 90, 'one open gate: instructions');
cmp_ok($three - $plain, '<=', 130, 'three open gates: instructions');

# a request to a group whose servers are checked: as with the check of a file.
# The servers are probed once, so that no probe is counted; timers are left out.

my $s = InitGate::Servers->new(InitGate->new, 2);
$s->ready(0, 1);

sub passed {
    my ($check) = @_;

    my $functions = InitGate::Callgrind->new(ready => $opened,
        http => "upstream app { zone app 64k; @{[$s->lines]} }\n"
            . "init_checks app { check $check; }\n",
        location => 'init_gate app; proxy_pass http://app;')->functions;

    return sum(map { $functions->{$_} } grep { /^ngx_http_/ } keys %$functions);
}

my $by_file = passed("file $dir/marker1");
my $by_servers = passed('upstream app http=/ready min=2 once');

note sprintf 'a request to a group: %.0f in functions of HTTP, with the check '
    . 'of its servers %+.1f', $by_file, $by_servers - $by_file;

cmp_ok(abs($by_servers - $by_file), '<=', 5,
    'check of the servers of a group: no instructions');

# a refusal, compared with "return 503" of the same headers and length

my ($body, $headers) = do {
    my $t = InitGate->new(http => <<"CONF");
        $closed
        server {
            listen 127.0.0.1:%%PORT_8080%%;
            location / { init_gate closed; }
        }
CONF
    $t->run;

    my $answer;
    $t->wait_for(sub {
        $answer = $t->get('/');
        $answer->{content} =~ /"state":"initializing"/;
    }, 'the first verdict');

    ('x' x length $answer->{content}, $answer->{headers});
};

my $native = <<"CONF";
    default_type application/json;
    add_header Cache-Control "$headers->{'cache-control'}" always;
    add_header Vary "$headers->{vary}" always;
    add_header X-Init-Gate "$headers->{'x-init-gate'}" always;
    add_header Retry-After "$headers->{'retry-after'}" always;
    return 503 $body;
CONF

for (
    ['no Accept', '', $dearer],
    ['*/*', "Accept: */*\r\n", $dearer],
    ['Accept with several ranges',
     "Accept: text/plain, application/json;q=0.9, */*;q=0.1\r\n", $dearer_read],
) {
    my ($name, $accept, $most) = @$_;

    my $request = "GET / HTTP/1.1\r\nHost: localhost\r\n$accept\r\n";

    my $theirs = $count->(module => 0, location => $native,
                          request => $request);
    my $ours = $count->(http => $closed, location => 'init_gate closed;',
                        request => $request, ready => $refused);

    note sprintf '%s: nginx %.0f, refusal %.0f', $name, $theirs, $ours;

    cmp_ok($ours / $theirs, '<=', $most, "refusal, $name: instructions");
}

done_testing;
