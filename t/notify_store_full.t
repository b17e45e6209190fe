#!/usr/bin/perl

# store= on a file system that is full or read-only, and in a directory that is
# not writable: logged, the file keeps the last notice that was stored, and no
# notice is lost while nginx runs.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

# mounts of its own

plan(skip_all => 'only root may mount') if $>;

if (!$ENV{NOTIFY_STORE_FULL}) {
    plan(skip_all => 'no mount namespaces here')
        if system('unshare -m true 2>/dev/null');
    $ENV{NOTIFY_STORE_FULL} = 1;
    exec 'unshare', '-m', '--propagation', 'private', $^X, $0
        or die "unshare: $!";
}

my $user = getpwnam('www-data');

my $t = InitGate->new(main => 'user www-data;', http => <<'CONF');
    init_checks app {
        check notify full    store=%%DIR%%/full/notice;
        check notify locked  store=%%DIR%%/locked/notice  optional;
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

chmod 0755, $t->dir;
mkdir $t->path($_) for qw(full locked);
$t->write('token', 's3cret-token');

plan(skip_all => 'no tmpfs here')
    if system('mount', '-t', 'tmpfs', '-o', "size=64k,uid=$user", 'none',
        $t->path('full'));

sub notify {
    my ($check, $form) = @_;

    return $t->post("/notify/app/$check?$form", headers => {
        Authorization => 'Bearer s3cret-token' })->{status};
}

# the rest of the space, and nothing more of it

sub fill_up {
    open my $fh, '>', $t->path('full/filler') or die $!;
    1 while syswrite $fh, 'x' x 4096;
}

sub stored { (split /\n/, $t->read("$_[0]/notice"))[1] // '' }

sub stored_soon {
    my ($name, $regex, $label) = @_;

    ok($t->wait_for(sub { stored($name) =~ $regex }, "a notice: $regex"),
        $label);
}

my $full = qr/\[error\].*init gate "app": notices of check "full" cannot be stored: /;
my $no_space = qr/${full}write\(\) ".*full\/notice" failed \(28: No space/;
my $locked = qr/\[error\].*notices of check "locked" cannot be stored: open\(\) ".*locked\/notice" failed \(13: Perm/;

# not writable

$t->run;
$t->wait_log($locked);
ok(1, 'not writable: logged at start');
is(notify('locked', 'verdict=running&observed=1'), 204, 'not writable: 204');
is($t->check('locked')->{observed}, 1, 'not writable: in force');

# full

is(notify('full', 'verdict=running&observed=1&expected=9'), 204, 'notice: 204');
stored_soon('full', qr/^running 1 9 /, 'notice: stored');

fill_up();

for my $n (2 .. 4) {
    is(notify('full', "verdict=running&observed=$n&expected=9"), 204,
        'full: 204');
    is($t->check('full')->{observed}, $n, 'full: in force');
}

$t->wait_log($no_space);
ok(1, 'full: logged');
like(stored('full'), qr/^running 1 9 /, 'full: the file has the old notice');
ok(!-e $t->path('full/notice.new'), 'full: no temporary file is left');

# nothing is lost by a reload, or with the process that probes

$t->reload;
$t->wait_for(sub { ($t->check('full')->{observed} // 0) == 4 }, 'the notice');
is($t->check('full')->{observed}, 4, 'full, reload: the notice is kept');
$t->kill_prober;
is($t->check('full')->{observed}, 4, 'full, prober killed: the notice is kept');
is(notify('full', 'verdict=passed'), 204, 'full, prober killed: 204');
is($t->get('/')->{status}, 200, 'full: the gate opens');
like(stored('full'), qr/^running 1 9 /, 'full: the file has the old notice');

# space again

unlink $t->path('full/filler') or die $!;
stored_soon('full', qr/^passed /, 'space again: stored');

chown $user, -1, $t->path('locked') or die $!;
stored_soon('locked', qr/^running 1 - /, 'writable again: stored');

my $lines = $t->log_count($full);
is(notify('full', 'verdict=running&observed=5&expected=9'), 204, 'later: 204');
stored_soon('full', qr/^running 5 9 /, 'later: stored');
is($t->log_count($full), $lines, 'later: nothing is logged');

# full and read-only from the start

for my $kind ('full', 'read-only') {
    $t->quit;
    fill_up() if $kind eq 'full';
    system("mount -o remount,ro '$t->{dir}/full'") == 0 or die 'remount'
        if $kind eq 'read-only';

    $lines = $t->log_count($full);
    $t->run;
    $t->wait_for(sub { $t->check('full')->{verdict} eq 'running' },
        'the stored notice');
    is($t->check('full')->{observed}, 5, "$kind: the stored notice is used");
    is(notify('full', 'verdict=waiting'), 204, "$kind: 204");
    is($t->check('full')->{verdict}, 'waiting', "$kind: in force");
    $t->wait_for(sub { $t->log_count($full) > $lines }, 'a line in the log');
    ok(1, "$kind: logged");
    like(stored('full'), qr/^running 5 9 /, "$kind: the file is kept");
}

$t->wait_log(qr/${full}open\(\) ".*full\/notice" failed \(30: Read-only/);
system("mount -o remount,rw '$t->{dir}/full'") == 0 or die 'remount';
unlink $t->path('full/filler') or die $!;
stored_soon('full', qr/^waiting /, 'writable again: stored');

$t->quit;
system('umount', $t->path('full')) == 0 or die 'umount';

done_testing;
