#!/usr/bin/perl

# HTTP/2 streams that wait: each counts; one is given up while the others go
# on; the whole connection goes; a body stays with its sender; and nginx ends.
# Nobody else is disturbed.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;
use IO::Select;
use Time::HiRes qw(time sleep);

my $t = InitGate->new(main => 'worker_shutdown_timeout 500ms;', http => '',
    also => InitGate::Load::BESIDE);

# "listen ... http2" is the only way before 1.25.1 and deprecated since

my ($listen, $on) = $t->version >= 1.025001 ? ('', 'http2 on;') : ('http2', '');

$t->run(http => InitGate::Load::LOG . <<"CONF");
    init_checks app { check file %%DIR%%/app;  interval 20ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%% $listen;
        $on
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app;  init_hold 30s max=20;  empty_gif; }
        location = /body {
            init_gate app;
            init_hold 30s;
            proxy_pass http://127.0.0.1:%%PORT_8081%%;
        }
    }
    server {
        listen 127.0.0.1:%%PORT_8081%%;
        location / { return 200 "\$http_content_length"; }
        location = /init { init_status details=on; }
    }
CONF

sub gate { $t->json('/init', port => $t->port(8081))->{gates}[0] }

# frames by hand: a client that does what no library would

sub frame {
    my ($type, $flags, $stream, $payload) = @_;

    return substr(pack('N', length $payload), 1)
        . pack('CCN', $type, $flags, $stream) . $payload;
}

# :method GET or POST, :scheme http, :authority a, :path

sub headers {
    my ($stream, $path, $post) = @_;

    return frame(1, $post ? 4 : 5, $stream, ($post ? "\x83" : "\x82")
        . "\x86\x01\x01a\x04" . chr(length $path) . $path);
}

sub h2 {
    my $socket = $t->connect;

    $socket->syswrite("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, ''));

    return { socket => $socket, buffer => '' };
}

sub say_to { $_[0]{socket}->syswrite($_[1]) }

# [type, stream, payload], or nothing

sub next_frame {
    my ($c, $seconds) = @_;

    my $size;

    until (length $c->{buffer} >= 9 && length $c->{buffer} >= 9
           + ($size = unpack 'N', "\0" . substr $c->{buffer}, 0, 3))
    {
        IO::Select->new($c->{socket})->can_read($seconds // patience(5))
            or return;
        sysread $c->{socket}, $c->{buffer}, 65536, length $c->{buffer}
            or return;
    }

    my (undef, $type, undef, $stream) = unpack 'a3CCN',
        substr $c->{buffer}, 0, 9, '';

    return [$type, $stream, substr $c->{buffer}, 0, $size, ''];
}

# streams that were answered, with a status of 200

sub answered {
    my ($c, $n) = @_;

    my %streams;

    while (keys %streams < $n) {
        my $frame = next_frame($c) // last;
        my ($type, $stream, $payload) = @$frame;

        $streams{$stream} = $payload =~ /^(?:[\x20-\x3f].?)?\x88/s ? 200 : 0
            if $type == 1;
    }

    return \%streams;
}

$t->wait_for(sub { gate()->{state} eq 'initializing' }, 'a verdict');
my $beside = beside($t);

my $one = h2();
say_to($one, headers($_ * 2 - 1, '/')) for 1 .. 8;
$t->wait_for(sub { gate()->{held} == 8 }, 'eight to wait');

# one is given up, the others go on

say_to($one, frame(3, 0, 5, pack 'N', 8));
$t->wait_for(sub { gate()->{held} == 7 }, 'seven to wait');
is(gate()->{gone}, 1, 'one is gone');

# the whole connection goes

my $two = h2();
say_to($two, headers($_ * 2 - 1, '/')) for 1 .. 5;
$t->wait_for(sub { gate()->{held} == 12 }, 'twelve to wait');
close $two->{socket};
$t->wait_for(sub { gate()->{held} == 7 }, 'seven to wait');
is(gate()->{gone}, 6, 'six are gone');

# a body: a window that is not opened further

my $body = h2();
say_to($body, headers(1, '/body', 1));
say_to($body, frame(0, 0, 1, 'x' x 16384)) for 1 .. 3;
$t->wait_for(sub { gate()->{held} == 8 }, 'the body to wait');

my $wider = 0;
while (my $frame = next_frame($body, 0.3)) {
    $wider++ if $frame->[0] == 8 && $frame->[1] == 1;
}
is($wider, 0, 'its window stays as it is');

# the gate opens

$t->write('app');
my $streams = answered($one, 7);
is_deeply($streams, { map { $_ => 200 } 1, 3, 7, 9, 11, 13, 15 }, 'answered');

say_to($one, headers(17, '/'));
is(answered($one, 1)->{17}, 200, 'the connection lives on');

say_to($body, frame(0, 1, 1, 'x' x 1000));
my $length = '';
while (my $frame = next_frame($body)) {
    $length .= $frame->[2] if $frame->[0] == 0;
    last if $length ne '';
}
is($length, 3 * 16384 + 1000, 'the body arrived whole');

my $now = gate();
is_deeply([@$now{qw(held held_passed passed gone)}], [0, 8, 1, 6], 'counted');
balanced($t, 'app', '/init', port => $t->port(8081));

undisturbed($beside);

# nginx ends while streams wait

$t->quit;
$t->remove($_) for qw(app decisions.log);
$t->run;
$t->wait_for(sub { gate()->{state} eq 'initializing' }, 'a verdict');
$beside = beside($t, ends => 1);

$one = h2();
say_to($one, headers($_ * 2 - 1, '/')) for 1 .. 8;
$t->wait_for(sub { gate()->{held} == 8 }, 'eight to wait');
cmp_ok($t->quit, '<', patience(2), 'worker_shutdown_timeout');
is(logged($t, 'app')->{gone}, 8, 'all are gone');
undisturbed($beside);

done_testing;
