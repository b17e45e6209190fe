#!/usr/bin/perl

# The waiting page in every state, in light, dark and forced colors, on a
# phone; in German, Chinese and Arabic; with a list of checks, a logo and a
# color.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Browser;

my ($policy) = `$FindBin::Bin/../docs/tools/csp waiting`;
chomp $policy;

my $many = join '', map {
    sprintf "        check file %%%%DIR%%%%/many/%02d  name=many-%02d%s;\n",
        $_, $_, $_ == 12 ? '  optional' : ''
} 1 .. 20;

my $long = 'n' x 64;

my $t = InitGate->new(http => <<"CONF");
    init_checks alone { check file %%DIR%%/alone;  interval 100ms; }

    init_checks steps {
        check file %%DIR%%/there  name=there;
        check file %%DIR%%/steps  name=second;
        check file %%DIR%%/third  name=third;
        interval 100ms;
    }

    init_checks counts {
        check file %%DIR%%/tree  files=100;
        interval 100ms;
    }

    init_checks zero {
        check file %%DIR%%/empty  files=100;
        interval 100ms;
    }

    init_checks broken {
        check file %%DIR%%/repaired  name=import  failed=%%DIR%%/failed
                   "label=Product import";
        check file %%DIR%%/tree  files=100  name=tree;
        interval 100ms;
    }

    init_checks late {
        check file %%DIR%%/tree  files=100;
        deadline 1ms;
        interval 100ms;
    }

    init_checks listed {
        check file %%DIR%%/there  name=there  "label=Sch\xc3\xa4ma <b>&\\"";
        check file %%DIR%%/none  name=$long;
        check tcp unix:%%DIR%%/nothing  name=index;
        check file %%DIR%%/never  name=extra  optional;
        check file %%DIR%%/busy  name=busy  progress=%%DIR%%/progress
                   "label=<busy> now";
        interval 100ms;
    }

    init_checks many {
$many
        interval 100ms;
    }

    map \$http_accept_language \$language {
        default  en;
        ~^de     de;
        ~^zh     zh;
        ~^ar     ar;
    }

    map \$language \$opens {
        default  "Opening \$host";
        de       "Der Laden \xc3\xb6ffnet";
        zh       "\xe5\x95\x86\xe5\xba\x97";
        ar       "";
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        root %%DIR%%/www;
        default_type text/html;

        location /alone/ { init_gate alone; }
        location /steps/ { init_gate steps; }
        location /counts/ { init_gate counts; }
        location /zero/ { init_gate zero; }
        location /broken/ { init_gate broken; }
        location /late/ { init_gate late; }

        location /own/ {
            init_gate broken;
            init_page "failed_title=Closed <today>" "failed_message=Call us.";
        }

        location /listed/ {
            init_gate listed;
            init_page details=on  lang=\$arg_lang;
        }

        location /many/ {
            init_gate many counts;
            init_page details=\$arg_details;
        }

        location /words/ {
            init_gate steps;
            init_page lang=\$language title=\$opens details=on;
        }

        location /agent/ {
            init_gate steps;
            init_page lang=\$http_accept_language;
        }

        location /look/ {
            init_gate counts;
            init_page logo=/logo.svg color=#00ff00;
            add_header Content-Security-Policy "$policy 'self'" always;
        }

        location = /logo.svg { default_type image/svg+xml; }
        location = /init { init_status details=on; }
    }
CONF

$t->write('www/logo.svg', <<'SVG');
<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30"/>
SVG

$t->write('there');
$t->write('progress', "42\n");
$t->write('failed', "disk is full\n");
$t->write("tree/$_") for 1 .. 42;
mkdir $t->path('empty');
$t->write(sprintf 'many/%02d', $_) for 1 .. 9;
$t->run;

my %gate;

$t->wait_for(sub {
    %gate = map { $_->{gate} => $_ } @{$t->json('/init')->{gates}};

    return !grep { $_->{verdict} eq 'pending' }
        map { @{$_->{checks}} } values %gate;
}, 'the first verdicts');


# numbers only if the progress is known

is($gate{alone}{progress}, undef, 'JSON: no progress of a check alone');
cmp_ok($gate{steps}{progress}, '==', 0.3333, 'JSON: one of three');
cmp_ok($gate{counts}{progress}, '==', 0.42, 'JSON: a check that counts');
cmp_ok($gate{zero}{progress}, '==', 0, 'JSON: one that has counted 0');


# a failure: neither a bar nor a time

my $failed = $t->get('/broken/', headers => { Accept => 'text/html' });

is($failed->{status}, 503, 'failed: 503');
cmp_ok($failed->{headers}{'retry-after'}, '>=', 30, 'failed: Retry-After');
cmp_ok($failed->{headers}{'retry-after'}, '<=', 60, 'failed: spread');
is($gate{broken}{retry_after}, 30, 'failed: before it is spread');
is($gate{broken}{eta_ms}, undef, 'failed: no estimate');

for (['/broken/', 'has failed'], ['/alone/', 'has not finished']) {
    my ($uri, $words) = @$_;
    my $problem = $t->json($uri,
        headers => { Accept => 'application/problem+json' });

    like($problem->{detail}, qr/^The (?:initialization|service) .* $words/,
        "$uri: a problem says so");
}


# optional checks are marked everywhere

my ($extra) = grep { $_->{name} eq 'extra' } @{$gate{listed}{checks}};
my ($public) = grep { $_->{name} eq 'extra' }
    @{$t->json('/listed/')->{checks}};

ok(!$extra->{required}, 'optional: in the details');
ok(defined $public->{required} && !$public->{required},
    'optional: in the JSON of a refusal');
is(scalar(grep { exists $_->{required} } @{$t->json('/listed/')->{checks}}), 1,
    'required checks: not marked');
is($gate{listed}{checks}[0]{label}, "Sch\x{e4}ma <b>&\"",
    'check with label=: label');
is($gate{listed}{checks}[1]{label}, undef, 'check without label=: no label');


browse($t, 'states', { url => 'http://127.0.0.1:' . $t->port });

done_testing;
