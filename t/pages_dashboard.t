#!/usr/bin/perl

# The dashboard in a real browser: updated, sorted and filtered with two
# hundred checks, safe against messages of backends, over a restart and a
# reload.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Browser;

my (undef, $policy) = `$FindBin::Bin/../docs/tools/csp`;
chomp $policy;

my $few = <<'CONF';
    init_checks bad {
        check file %%DIR%%/bad  name=hostile  failed=%%DIR%%/bad.failed;
        check file %%DIR%%/later  name=later  after=hostile;
    }

    init_checks open {
        check file %%DIR%%  name=there;
    }

    init_checks tree {
        check file %%DIR%%/nowhere  name=optional  optional;
        check file %%DIR%%/tree  name=tree  files=1000;
    }
CONF

my $many = "    init_checks many { interval 300ms;\n" . join('', map {
    sprintf "        check file %%%%DIR%%%%/many/%03d  name=many-%03d;\n",
        $_, $_;
} 1 .. 200) . "    }\n";

my $server = <<"CONF";
    server {
        listen 127.0.0.1:%%PORT_8080%%;

        location = /init { init_status details=on; }
        location = /brief { init_status; }
        location = /hashed {
            init_status details=on;
            add_header Content-Security-Policy "$policy";
        }

        location = /app { init_gate NAME; }
    }
CONF

my $t = InitGate->new(http => $many . $few . $server =~ s/NAME/many/r);

$t->write('bad.failed', qq{</script><img src=x onerror="window.hurt=1">}
    . "\x{1b}[31m\x{0}\x{e2}\x{80}\x{ae}\xff<b>" . 'x' x 3000 . "\n");
$t->write("tree/$_") for 1 .. 420;
$t->write(sprintf 'many/%03d', $_) for 101 .. 200;

$t->run;

my $page = $t->get('/init', headers => { Accept => 'text/html' });
is($page->{status}, 200, 'dashboard: status');
cmp_ok(length $page->{content}, '<', 48 * 1024, 'dashboard: size');
unlike($page->{content} =~ s{<link rel="icon" href="data:[^"]*">}{}r,
       qr{src=|href="(?!\?format=)|url\(|\@import|innerHTML|eval\(},
       'dashboard: no resources, no markup from data');

$t->wait_for(sub {
    return ($t->gate('many')->{progress} // 0) == 0.5;
}, 'the first probes');

browse($t, 'dashboard', { url => 'http://127.0.0.1:' . $t->port },
    refuse => sub { $t->get('/app') for 1 .. $_[0] },
    pass => sub { $t->write("many/$_[0]") },
    stop => sub { $t->quit },
    start => sub { $t->run },
    shrink => sub { $t->reload(http => $few . $server =~ s/NAME/open/r) },
);

done_testing;
