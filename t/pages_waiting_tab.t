#!/usr/bin/perl

# An open tab of the waiting page: two gates are one page until both have
# opened, a failure that is repaired opens the page, and the interval of polls
# grows.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Browser;

my $t = InitGate->new(http => <<'CONF');
    init_checks steps {
        check file %%DIR%%/there  name=there;
        check file %%DIR%%/second  name=second;
        check file %%DIR%%/third  name=third;
        interval 100ms;
    }

    init_checks counts {
        check file %%DIR%%/tree  files=100;
        interval 100ms;
    }

    init_checks broken {
        check file %%DIR%%/repaired  failed=%%DIR%%/failed;
        interval 100ms;
    }

    init_checks alone { check file %%DIR%%/alone; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        root %%DIR%%/www;
        default_type text/html;

        location /alone/ { init_gate alone; }
        location /broken/ { init_gate broken; }
        location /both/ { init_gate steps counts; }
        location = /init { init_status; }
    }
CONF

$t->write("www/$_/index.html",
    '<!doctype html><title>The application</title>')
    for qw(broken both alone);

$t->write('there');
$t->write('failed');
$t->write("tree/$_") for 1 .. 42;
$t->run;

$t->wait_for(sub {
    my %gate = map { $_->{gate} => $_ } @{$t->json('/init')->{gates}};
    return $gate{broken}{state} eq 'failed'
        && ($gate{steps}{progress} // 0) == 0.3333
        && ($gate{counts}{progress} // 0) == 0.42;
}, 'the first verdicts');

browse($t, 'tab', { url => 'http://127.0.0.1:' . $t->port },
    one => sub { $t->write("tree/$_") for 43 .. 100 },
    both => sub { $t->write($_) for qw(second third) },
    alone => sub { $t->write('alone') },
    repair => sub { $t->write('repaired');  $t->remove('failed') },
);

done_testing;
