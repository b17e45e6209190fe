#!/usr/bin/perl

# Internal redirects: a request counts once at each gate that it meets, as
# passed only if no other gate refuses it; post_action counts nowhere.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;

my $backend = InitGate::Fake->new(sub {
    my ($c) = @_;

    my $request = $c->read_until(qr/\r\n\r\n/) or return;
    my ($uri) = $request =~ m{^GET /accel/(\S*)};

    $c->send("HTTP/1.0 200 OK\r\nX-Accel-Redirect: /$uri\r\n\r\n");
});

my $t = InitGate->new(http => <<'CONF');
    init_checks a { check file %%DIR%%/a;  interval 20ms; }
    init_checks b { check file %%DIR%%/b;  interval 20ms; }

    log_format decision '$request_uri $status $init_gate_decision';

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        root %%DIR%%/html;
        access_log %%DIR%%/access.log decision;

        location /try { init_gate a;  try_files /none @b; }
        location /both { init_gate a b;  try_files /none @b; }
        location /same { init_gate a;  try_files /none @a; }
        location /error { init_gate a;  error_page 404 /b; }
        location /plain_error { init_gate a;  error_page 404 /page; }
        location /accel/ {
            init_gate a;
            proxy_pass http://127.0.0.1:BACKEND;
        }
        location /post { init_gate a;  post_action /b;  empty_gif; }
        location /post_refused { init_gate b;  post_action /b;  empty_gif; }

        location /b { init_gate b;  try_files /page =404; }
        location /page { }
        location @a { init_gate a;  try_files /page =404; }
        location @b { init_gate b;  try_files /page =404; }

        location = /init { init_status details=on;  access_log off; }
    }
CONF

$t->{http} =~ s/BACKEND/$backend->port/e;
$t->write('html/page', 'page');
$t->write('a');
$t->run;

my @counters = qw(passed held_passed held_refused refused gone);

sub counters {
    return map { my $gate = $_; $gate->{gate}, { map { $_ => $gate->{$_} }
        @counters } } @{$t->json('/init')->{gates}};
}

$t->wait_for(sub {
    join(' ', map { $_->{state} } @{$t->json('/init')->{gates}})
        eq 'ready initializing';
}, 'the first verdicts');


# the request, its status and decision, and what it adds to both gates

sub counts {
    my ($uri, $status, $decision, $label, %expected) = @_;

    my %before = counters();

    is($t->get($uri)->{status}, $status, "$uri, $label: status");
    $t->wait_for(sub { $t->read('access.log') =~ /^\Q$uri\E \d+ \S+\n/m },
        'the access log');
    is(($t->read('access.log') =~ /^\Q$uri\E \d+ (\S+)\n/m)[0], $decision,
        "$uri, $label: decision in the log");

    my %after = counters();

    for my $gate (qw(a b)) {
        my %added = map { ($after{$gate}{$_} - $before{$gate}{$_})
            ? ($_ => $after{$gate}{$_} - $before{$gate}{$_}) : () } @counters;

        is_deeply(\%added, $expected{$gate} // {},
            "$uri, $label: counted at gate $gate");
    }
}

my %refused_by_b = (b => { refused => 1 });

counts('/try', 503, 'refused', 'b closed', %refused_by_b);
counts('/both', 503, 'refused', 'b closed', %refused_by_b);
counts('/error', 503, 'refused', 'b closed', %refused_by_b);
counts('/accel/b', 503, 'refused', 'b closed', %refused_by_b);
counts('/same', 200, 'passed', 'a twice', a => { passed => 1 });
counts('/plain_error', 404, 'passed', 'a page', a => { passed => 1 });
counts('/accel/page', 200, 'passed', 'no second gate', a => { passed => 1 });
counts('/post', 200, 'passed', 'b closed', a => { passed => 1 });
counts('/post_refused', 503, 'refused', 'b closed', %refused_by_b);

$t->write('b');
$t->wait_for(sub { $t->get('/b?')->{status} == 200 }, 'the gate to open');

my %both = (a => { passed => 1 }, b => { passed => 1 });

counts('/try?', 200, 'passed', 'b open', %both);
counts('/both?', 200, 'passed', 'b open', %both);
counts('/error?', 404, 'passed', 'b open', %both);
counts('/accel/b?', 200, 'passed', 'b open', %both);

done_testing;
