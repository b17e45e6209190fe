#!/usr/bin/perl

# The waiting page in a real browser: shows progress, loads the application by
# itself, with and without scripts, under content security policies, on a
# phone.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Browser;

my ($policy) = `$FindBin::Bin/../docs/tools/csp waiting`;
chomp $policy;

my $docs = "$FindBin::Bin/../docs/waiting-page.md";
open my $file, '<', $docs or die "$docs: $!";
ok((grep { index($_, qq{"$policy"}) >= 0 } <$file>),
   'docs/waiting-page.md: content security policy of the page');

(my $deaf = $policy) =~ s/; connect-src [^;]*//;

my $t = InitGate->new(http => <<"CONF");
    init_checks app {
        check file %%DIR%%/marker  name=marker;
        check file %%DIR%%/tree  name=tree  files=100;
        interval 100ms;
    }

    log_format pages '\$request_method \$request_uri \$status '
                     '\$init_gate_state \$init_gate_decision';

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/access.log pages;
        root %%DIR%%/www;
        default_type text/html;
        init_gate app;

        location / { }

        location /strict/ {
            add_header Content-Security-Policy "default-src 'none'" always;
        }

        location /hashed/ {
            add_header Content-Security-Policy "$policy" always;
        }

        location /deaf/ {
            add_header Content-Security-Policy "$deaf" always;
        }

        location /odd/ {
            if (\$request_method = OPTIONS) { return 204; }
        }

        location /own/ {
            init_page "title=Shop <b>&\\"' </title></h1><script>window.hurt = 1</script>"
                      "message=Back <i>soon</i> \x{e2}\x{9c}\x{93}";
        }

        location = /form {
            init_gate off;
        }

        location = /sent {
            init_response html;
        }
    }
CONF

my @app = ('link', map { "${_}index.html" }
           '', 'strict/', 'hashed/', 'deaf/', 'odd/', 'own/');

$t->write("www/$_", <<'HTML') for @app;
<!doctype html><title>The application</title><h1>The application</h1>
HTML

$t->write('www/form', <<'HTML');
<!doctype html><title>A form</title>
<form method="post" action="/sent"><button>Send</button></form>
HTML

my $files = 0;
my $fill = sub { $t->write('tree/' . $files++) while $files < $_[0] };

$fill->(50);
$t->run;

$t->wait_for(sub {
    $t->get('/')->{content} =~ /"progress":0\.25,/
}, 'the first probes');

my $page = $t->get('/', headers => { Accept => 'text/html' });
is($page->{status}, 503, 'page: status');
cmp_ok(length $page->{content}, '<', 12 * 1024, 'page: size');
unlike($page->{content} =~ s{<link rel="icon" href="data:[^"]*">}{}r,
       qr{(?:src|href)=|url\(|\@import|//\w+\.\w}, 'page: no resources');
unlike($page->{content}, qr{\Q@{[$t->dir]}\E}, 'page: no path');

browse($t, 'waiting', { url => 'http://127.0.0.1:' . $t->port },
       fill => $fill, open => sub { $fill->(100); $t->write('marker') });

my @log = split /\n/, $t->read('access.log');

is(scalar(grep { m{^POST /sent 503} } @log), 1, 'POST: sent once');
is(scalar(grep { m{^POST /sent (?!503)} } @log), 0, 'POST: not sent again');
is(scalar(grep { m{^GET /link\?token=1 200 } } @log), 1,
   'one-time link: requested once');

# the page of the form has no icon, so the browser requests one

my ($form) = grep { $log[$_] =~ m{^GET /form } } 0 .. $#log;
is(scalar(grep { m{favicon} } @log[0 .. $form]), 0, 'page: its own icon');

my @polls = grep { m{^OPTIONS .* 503 } } @log;
cmp_ok(scalar @polls, '>', 10, 'polls: number');
is(scalar(grep { !/ polled$/ } @polls), 0, 'polls: decision');

done_testing;
