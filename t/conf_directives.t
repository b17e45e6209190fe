#!/usr/bin/perl

# The directives outside init_checks: invalid ones, with the file, the line and
# the reason, and valid ones.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new;

my $gates = 'init_checks app { check file /marker; }
             init_checks other { check file /other; }';


sub verdict {
    my ($context, $line) = @_;

    my $text = $context eq 'http' ? $line
        : $context eq 'server' ? "server {\n$line\n}"
        : $context eq 'overridden'
            ? "$line\nserver { init_gate off; location / { } }"
        : $context eq 'status'
            ? "server { location / { init_status;\n$line\n} }"
        : $context eq 'location' ? "server { location / {\n$line\n} }"
        : "server { location / { if (\$arg_x) {\n$line\n} } }";

    return $t->conf_error("$gates\n$text");
}


sub refused {
    my ($context, $line, @regex) = @_;

    my ($status, $said) = verdict($context, $line);
    my ($number) = $said =~ m{ in \S+/conf_error/nginx\.conf:(\d+)$}m;
    my @conf = split /\n/, $t->read('conf_error/nginx.conf');

    subtest "$context: $line" => sub {
        is($status, 1, 'exit status 1');
        is($number && $conf[$number - 1], $line, 'file and line') or diag $said;
        like($said, $_, "$_") for @regex;
    };
}


sub valid {
    my ($context, $line) = @_;

    my ($status, $said) = verdict($context, $line);
    is($status, 0, "$context: $line: valid") or diag $said;
}


my $here = qr/directive is not allowed here/;
my $count = qr/invalid number of arguments/;
my $duplicate = qr/is duplicate/;

for my $context (qw(http server location)) {
    valid($context, 'init_gate app;');
    valid($context, 'init_gate app other;');
    valid($context, 'init_gate off;');
    valid($context, 'init_hold 10s;');
    valid($context, 'init_hold 10s max=100;');
    valid($context, 'init_hold off;');
    valid($context, "init_response $_;") for qw(auto json html off);
    valid($context, "init_retry_after $_;") for qw(auto off 10s);
    valid($context, 'init_page title=a message=b;');
    valid($context, 'init_page lang=$http_accept_language title=$host '
        . '"message=a $uri" failed_title=c failed_message=d details=$arg_d '
        . 'logo=/$host.svg color=#12ab9f;');
}

valid('location', $_) for 'init_status;', 'init_status app other;',
    'init_status details=on;', 'init_status app format=json details=off;',
    'init_status format=auto;', 'init_status format=html;',
    'init_status format=prometheus;', 'init_ready;', 'init_ready app;',
    'init_ready app other;';

refused('location', 'init_gate;', $count);
refused($_, 'init_gate no_such;', qr/"no_such"/)
    for qw(server location overridden status);
refused('location', 'init_gate app no_such;', qr/"no_such"/);
refused('location', 'init_gate app app;', qr/"app"/, qr/duplicate/);
refused('location', 'init_gate off app;', qr/"off"/);
refused('location', 'init_gate app off;', qr/"off"/);
refused('location', 'init_gate app; init_gate other;', $duplicate);
refused('if', 'init_gate app;', $here);

refused('location', 'init_hold;', $count);
refused('location', 'init_hold 0;', qr/"0"/, qr/500ms|off/);
refused('location', 'init_hold soon;', qr/"soon"/);
refused('location', 'init_hold 1s 2s;', qr/"2s"/, qr/max=/);
refused('location', 'init_hold 1s max=0;', qr/"max=0"|"0"/);
refused('location', 'init_hold 1s max=many;', qr/many/);
refused('location', 'init_hold 1s min=1;', qr/"min=1"/, qr/max=/);
refused('location', 'init_hold 1s max=1 max=2;', $count);
refused('location', 'init_hold off max=1;', qr/max=1/);
refused('location', 'init_hold 1s; init_hold 2s;', $duplicate);
refused('if', 'init_hold 1s;', $here);

refused('location', 'init_hold 25d;', qr/"25d"/);
refused('location', 'init_hold 1s max=-1;', qr/"max=-1"/);

refused('location', 'init_response;', $count);
refused('location', 'init_response xml;', qr/"xml"/, qr/auto/, qr/json/,
    qr/html/, qr/off/);
refused('location', 'init_response json html;', $count);
refused('location', 'init_response json; init_response html;', $duplicate);
refused('if', 'init_response json;', $here);

refused('location', 'init_retry_after;', $count);
refused('location', 'init_retry_after later;', qr/"later"/, qr/auto/,
    qr/off/);
refused('location', 'init_retry_after 0;', qr/"0"/);
refused('location', 'init_retry_after -1s;', qr/"-1s"/);
refused('location', 'init_retry_after 1s 2s;', $count);
refused('location', 'init_retry_after 1s; init_retry_after 2s;', $duplicate);
refused('if', 'init_retry_after 1s;', $here);

my $words = qr/"title=TEXT", "message=TEXT", .* are allowed, once each/;

refused('location', 'init_page;', $count);
refused('location', 'init_page title=a message=b title=c;', qr/"title=c"/,
    $words);
refused('location', 'init_page title=a title=b;', qr/"title=b"/, $words);
refused('location', 'init_page message=a message=b;', qr/"message=b"/, $words);
refused('location', 'init_page title=;', qr/"title="/, $words);
refused('location', 'init_page text=a;', qr/"text=a"/, $words);
refused('location', 'init_page details=yes;', qr/"details=yes"/,
    qr/it must be "on" or "off"/);
refused('location', 'init_page "lang=de at";', qr/"lang=de at"/,
    qr/it must be the tag of a language/);
refused('location', 'init_page "color=red;}";', qr/"color=red;}"/,
    qr/it must be a CSS color/);
refused('location', 'init_page title="Back";',
    qr/write "title=Back", not title="Back"/);
refused('location', 'init_page title=a; init_page message=b;', $duplicate);
refused('if', 'init_page title=a;', $here);

for my $directive (qw(init_status init_ready)) {
    refused('http', "$directive;", $here);
    refused('server', "$directive;", $here);
    refused('if', "$directive;", $here);
    refused('location', "$directive no_such;", qr/"no_such"/);
    refused('location', "$directive app no_such;", qr/"no_such"/);
    refused('location', "$directive app app;", qr/"app"/, qr/duplicate/);
    refused('location', "$directive; $directive;", $duplicate);
}

refused('location', 'init_status format=xml;', qr/xml/, qr/auto/, qr/json/,
    qr/html/, qr/prometheus/);
refused('location', 'init_status format=;', qr/"format=/);
refused('location', 'init_status details=yes;', qr/yes/, qr/on/, qr/off/);
refused('location', 'init_status no_such=1;', qr/"no_such=1"/);
refused('location', 'init_status details=on details=off;', qr/once each/);
refused('location', 'init_status format=json format=json;', qr/once each/);
refused('location', 'init_status details=off details=on;', qr/once each/);
refused('location', 'init_ready details=on;', qr/"details=on"/,
    qr/names of gates are allowed/);

# two content handlers

refused('location', 'init_status; init_ready;', qr/init_ready|duplicate/);

done_testing;
