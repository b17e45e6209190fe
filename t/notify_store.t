#!/usr/bin/perl

# store=: the last notice outlives a restart; a store that cannot be used is
# logged, and no notice is lost while nginx lives.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use Time::HiRes qw(time);

my $user = getpwnam('nobody') // 65534;

my $t = InitGate->new(main => $> ? '' : 'user root;', http => <<'CONF');
    init_checks app {
        check notify import  store=%%DIR%%/store/import;
        check notify booted  store=%%DIR%%/store/booted  newer_than=boot  optional;
        check notify short   store=%%DIR%%/store/short  ttl=1h  optional;
        check notify none    store=%%DIR%%/none/none  optional;
        check notify link    store=%%DIR%%/store/link  optional;
        check notify other   store=%%DIR%%/store/other  optional;
        check notify folder  store=%%DIR%%/store/folder  optional;
        latch off;
        interval 20ms;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
        location /notify/ { init_notify token_file=%%DIR%%/token; }
    }
CONF

mkdir $t->path('store');
$t->write('token', 's3cret-token');
$t->write('elsewhere', 'text');
symlink $t->path('elsewhere'), $t->path('store/link') or die $!;
mkdir $t->path('store/folder');
$t->write('store/other', 'text');
chown $user, -1, $t->path('store/other');

sub told {
    my ($check, $form) = @_;

    return $t->post("/notify/app/$check", content => $form, headers => {
        'Authorization' => 'Bearer s3cret-token',
        'Content-Type' => 'application/x-www-form-urlencoded' })->{status};
}

sub stored { (split /\n/, $t->read("store/$_[0]"))[1] // '' }

sub stored_soon {
    my ($check, $regex) = @_;

    $t->wait_for(sub { stored($check) =~ $regex }, "a stored notice: $regex");
}

$t->run;

# at start

for (['none', 'open\(\) ".*none/none" failed \(2: No such'],
     ['link', '".*store/link" is not a regular file'],
     ['folder', '".*store/folder" is not a regular file'],
     $> ? () : ['other', '".*store/other" belongs to another user'])
{
    my ($check, $why) = @$_;
    $t->wait_log(qr/\[error\].*init gate "app": notices of check "$check" cannot be stored: $why/);
    ok(1, "$check: logged at start");
}

unlike($t->log, qr/notices of check "(?:import|booted|short)"/,
    'usable stores: not logged');

# a restart

is(told('import', 'verdict=running&observed=3&expected=7&message=a+%22b%22'),
    204, 'running: 204');
stored_soon('import', qr/^running 3 7 \d{13} a "b"$/);
$t->quit;
$t->run;
$t->wait_for(sub { $t->check('import')->{verdict} eq 'running' },
    'the stored notice');
is_deeply([@{$t->check('import')}{qw(reason observed expected message)}],
    ['in_progress', 3, 7, 'a "b"'], 'restart: all of the notice');

is(told('import', 'verdict=passed'), 204, 'passed: 204');
my $quit = $t->quit;
like(stored('import'), qr/^passed - - \d+ $/, 'quit: stored before');
$t->run;
is($t->get('/')->{status}, 200, 'restart: the gate is open from the start');

# not usable: nothing is lost while nginx lives

for my $check ('none', 'link', 'folder', $> ? () : 'other') {
    is(told($check, 'verdict=passed'), 204, "$check: 204");
    is($t->check($check)->{verdict}, 'passed', "$check: in force");
}

$t->reload;
$t->wait_for(sub { $t->check('link')->{verdict} eq 'passed' },
    'the notice after a reload');
is($t->read('elsewhere'), 'text', 'link: not followed');
ok(-l $t->path('store/link'), 'link: not replaced');
is($t->read('store/other'), 'text', 'file of another user: not replaced')
    if !$>;

# the directory comes later

mkdir $t->path('none') or die $!;
$t->wait_for(sub { $t->read('none/none') =~ /\npassed / }, 'the store');
ok(1, 'a directory that comes later: stored');

# another file, by a reload

is(told('import', 'verdict=running&observed=5'), 204, 'another file: 204');
stored_soon('import', qr/^running 5 /);
$t->reload(http => $t->{http} =~ s{store/import}{store/moved}r);
stored_soon('moved', qr/^running 5 - \d{13} $/);
$t->quit;
$t->run;
$t->wait_for(sub { $t->check('import')->{verdict} ne 'pending' }, 'a verdict');
is($t->check('import')->{observed}, 5, 'another file: used by the next start');
$t->reload(http => $t->{http} =~ s{store/moved}{store/import}r);
$t->remove('store/moved');

# what is in the file is not what was written: not notified

for my $text ('', "init-gate-notice-1 00000000\npassed - - 1 \n",
    'x' x 10_000, "\0" x 64, "init-gate-notice-1 00000000\n")
{
    $t->quit;
    $t->write('store/import', $text);
    my $lines = $t->log_count(qr/store\/import" has no valid notice/);
    $t->run;
    $t->wait_for(sub { $t->check('import')->{verdict} eq 'waiting' },
        'a verdict');
    is($t->check('import')->{reason}, 'not_notified', 'invalid: ignored');
    is($t->log_count(qr/the stored notice of check "import" is ignored: ".*store\/import" has no valid notice/),
        $lines + 1, 'invalid: logged');
}

is(told('import', 'verdict=passed'), 204, 'after an invalid one: 204');
stored_soon('import', qr/^passed/);

# before this boot, and before ttl=

sub older {
    my ($check, $seconds) = @_;

    my ($line) = stored($check) =~ /^(.*)$/;
    $line =~ s/(\d{13})/sprintf '%.0f', (time - $seconds) * 1000/e;
    require Compress::Zlib;
    $t->write("store/$check", sprintf "init-gate-notice-1 %08x\n%s\n",
        Compress::Zlib::crc32("$line\n"), $line);
}

is(told($_, 'verdict=passed'), 204, "$_: 204") for qw(booted short);
stored_soon($_, qr/^passed/) for qw(booted short);
$t->quit;
older('booted', 400 * 86400);
older('short', 3000);
$t->run;
$t->wait_for(sub { $t->check('short')->{verdict} eq 'passed' },
    'younger than ttl=');
is($t->check('booted')->{reason}, 'not_notified', 'before this boot: ignored');
$t->quit;
older('short', 4000);
$t->run;
$t->wait_for(sub { $t->check('short')->{verdict} eq 'error' },
    'older than ttl=');
is($t->check('short')->{reason}, 'stale', 'older than ttl=: stale');

# at most one write a second

my $written = 0;
my $last = '';
my $clock = time;

for my $n (1 .. 150) {
    told('import', "verdict=running&observed=$n&expected=150");
    my $now = stored('import');
    $written++ if $now ne $last;
    $last = $now;
}

my $took = time - $clock;
cmp_ok($written, '<=', 2 + $took * 1.5, 'store: about one write a second');
stored_soon('import', qr/^running 150 150/);

done_testing;
