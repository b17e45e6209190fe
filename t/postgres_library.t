#!/usr/bin/perl

# PostgreSQL's library is loaded when the configuration has a check that needs
# it, and stays, whatever is reloaded.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Postgres;

my $t = InitGate->new(workers => 2);
my $pg = $t->postgres;
my $uri = $pg->uri;

sub conf {
    my ($check) = @_;

    return <<"CONF";
    init_checks app { $check  interval 20ms; }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = / { empty_gif; }
        location = /init { init_status details=on; }
    }
CONF
}

my $file = conf('check file %%DIR%%;');
my $postgres = conf("check postgres $uri;");
my $nothing = 'server { listen 127.0.0.1:%%PORT_8080%%; }';

sub has_library {
    return scalar grep { $t->read("/proc/$_/maps") =~ m{/libpq\.so} } @_;
}

sub open_ok {
    my ($what) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok($t->wait_for(sub { $t->json('/init')->{ready} }, 'ready'), $what);
}

# a library that is not there, or is none

{
    mkdir $t->path('lib');
    $t->write('lib/libpq.so.5', 'none');
    $t->write('old.c', 'int PQclear(void) { return 0; }');

    local $ENV{LD_LIBRARY_PATH} = $t->path('lib');

    my $refused = sub {
        my ($why) = @_;
        my ($status, $said) = $t->conf_error($postgres);

        isnt($status, 0, "refused: $why");
        like($said, qr/\[emerg\].*PostgreSQL.*\blibpq5\b.*libpq\.so\.5.*$why/,
            'names the package');
        like($said, qr/in check "postgres" of type "postgres".*nginx\.conf:/,
            'and the check');
    };

    $refused->('file too short');

    my ($status, $said) = $t->conf_error($file);
    is($status, 0, 'nobody else needs it') or diag $said;

    my $library = $t->path('lib/libpq.so.5');
    system('cc', '-shared', '-fPIC', '-o', $library, $t->path('old.c')) == 0
        or die 'cc failed';

    $refused->('undefined symbol: PQ');
}

# where none is asked for; then by reloads; then without the module, too

$t->run(http => $file);
open_ok('a file');
is(has_library($t->master, $t->workers), 0, 'no library');

$t->reload(http => $postgres);
open_ok('a database, by a reload');
is(has_library($t->master, $t->workers), 3, 'everybody has the library');

$t->reload(http => $file);
open_ok('the file again');

if (!InitGate::is_linked_in()) {
    $t->reload(http => $nothing, module => 0);
    is(has_library($t->master), 1, 'it stays when the module goes');
}

$t->reload(http => $postgres, module => 1);
open_ok('the database again');

is(has_library(grep { $t->alive($_) } $t->master, $t->workers), 3,
    'with the library');

# one process for all

my $single = InitGate->new(master => 0);

$single->run(http => $postgres);
$single->wait_for(sub { eval { $single->json('/init')->{ready} } },
    'a single process');
cmp_ok($single->quit, '<', patience(1), 'a single process: QUIT');

done_testing;
