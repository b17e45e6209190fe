#!/usr/bin/perl

# libpq is loaded when the configuration has a check that needs it, and stays
# loaded over reloads.

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

sub library_ok {
    my ($expected, $what) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is(has_library($t->master), $expected, "$what in the master");

    SKIP: {
        skip $t->hidden, 1 if $t->hidden;
        is(has_library($t->workers), 2 * $expected, "$what in the workers");
    }
}

sub open_ok {
    my ($what) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok($t->wait_for(sub { $t->json('/init')->{ready} }, 'ready'), $what);
}

# a file that is not a library, and a library without the symbols

{
    mkdir $t->path('lib');
    $t->write('lib/libpq.so.5', 'none');
    $t->write('old.c', 'int PQclear(void) { return 0; }');

    local $ENV{LD_LIBRARY_PATH} = $t->path('lib');

    my $refused = sub {
        my ($why) = @_;
        my ($status, $said) = $t->conf_error($postgres);

        isnt($status, 0, "libpq, $why: refused");
        like($said, qr/\[emerg\].*PostgreSQL.*\blibpq5\b.*libpq\.so\.5.*$why/,
            "libpq, $why: message with the package");
        like($said, qr/in check "postgres" of type "postgres".*nginx\.conf:/,
            "libpq, $why: message with the check");
    };

    $refused->('file too short');

    my ($status, $said) = $t->conf_error($file);
    is($status, 0, 'no libpq, no postgres check: valid') or diag $said;

    my $library = $t->path('lib/libpq.so.5');
    system('cc', '-shared', '-fPIC', '-o', $library, $t->path('old.c')) == 0
        or die 'cc failed';

    $refused->('undefined symbol: PQ');
}

# without a postgres check; then with one by a reload; then without the module

$t->run(http => $file);
open_ok('file check: ready');
library_ok(0, 'file check: no libpq');

$t->reload(http => $postgres);
open_ok('postgres check by a reload: ready');
library_ok(1, 'postgres check by a reload: libpq');

$t->reload(http => $file);
open_ok('file check again: ready');

if (!InitGate::is_linked_in()) {
    $t->reload(http => $nothing, module => 0);
    is(has_library($t->master), 1, 'module removed: libpq stays in the master');
}

$t->reload(http => $postgres, module => 1);
open_ok('postgres check again: ready');

library_ok(1, 'postgres check again: libpq');

# a single process

my $single = InitGate->new(master => 0);

$single->run(http => $postgres);
$single->wait_for(sub { eval { $single->json('/init')->{ready} } },
    'a single process to be ready');
cmp_ok($single->quit, '<', patience(1), 'single process: QUIT');

done_testing;
