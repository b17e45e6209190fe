#!/usr/bin/perl

# Held HTTP/2 streams: each of them counts; one is reset while the others
# continue; the whole connection is closed; a body is not read; and nginx
# exits.  Other requests are not affected.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;
use IO::Select;

# the status is on a port without HTTP/2

my $t = InitGate->new(main => 'worker_shutdown_timeout 500ms;', status => 8081,
    http => '',
    also => InitGate::Load::BACKGROUND);

# "listen ... http2" is the only way before 1.25.1 and deprecated since

my ($listen, $on) = $t->version >= 1.025001 ? ('', 'http2 on;') : ('http2', '');

$t->run(http => InitGate::Load::LOG . <<"CONF");
    init_checks app { check file %%DIR%%/app;  interval 20ms; }

    server {
        listen 127.0.0.1:%%PORT_8080%% $listen;
        $on
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate app;  init_hold 10m max=20;  empty_gif; }
        location = /body {
            init_gate app;
            init_hold 10m;
            proxy_pass http://127.0.0.1:%%PORT_8081%%;
        }
    }
    server {
        listen 127.0.0.1:%%PORT_8081%%;
        location / { return 200 "\$http_content_length"; }
        location = /init { init_status details=on; }
    }
CONF

# frames are composed here, since no library behaves like this client

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

sub transmit { $_[0]{socket}->syswrite($_[1]) }

# [type, stream, payload], or nothing

sub next_frame {
    my ($c, $seconds) = @_;

    my $size;

    until (length $c->{buffer} >= 9 && length $c->{buffer} >= 9
           + ($size = unpack 'N', "\0" . substr $c->{buffer}, 0, 3))
    {
        IO::Select->new($c->{socket})->can_read($seconds // patience(60))
            or return;
        sysread $c->{socket}, $c->{buffer}, 65536, length $c->{buffer}
            or return;
    }

    my (undef, $type, undef, $stream) = unpack 'a3CCN',
        substr $c->{buffer}, 0, 9, '';

    return [$type, $stream, substr $c->{buffer}, 0, $size, ''];
}

# the streams with a response, and whether its status is 200

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

$t->wait_state('initializing');
my $background = background($t);

my $one = h2();
transmit($one, headers($_ * 2 - 1, '/')) for 1 .. 8;
$t->wait_held(8);

# one is reset, the others continue

transmit($one, frame(3, 0, 5, pack 'N', 8));
$t->wait_held(7);
is($t->gate->{gone}, 1, 'stream reset: counted as gone');

# the whole connection is closed

my $two = h2();
transmit($two, headers($_ * 2 - 1, '/')) for 1 .. 5;
$t->wait_held(12);
close $two->{socket};
$t->wait_held(7);
is($t->gate->{gone}, 6, 'connection closed: streams counted as gone');

# a body: the window is not updated

my $body = h2();
transmit($body, headers(1, '/body', 1));
transmit($body, frame(0, 0, 1, 'x' x 16384)) for 1 .. 3;
$t->wait_held(8);

# during that many other requests

$background->more(20);

my $wider = 0;
while (my $frame = next_frame($body, 0)) {
    $wider++ if $frame->[0] == 8 && $frame->[1] == 1;
}
is($wider, 0, 'held POST: window not updated');

# the gate opens

$t->write('app');
my $streams = answered($one, 7);
is_deeply($streams, { map { $_ => 200 } 1, 3, 7, 9, 11, 13, 15 },
    'gate opens: all streams answered with 200');

transmit($one, headers(17, '/'));
is(answered($one, 1)->{17}, 200,
    'gate open: next stream of the connection served');

transmit($body, frame(0, 1, 1, 'x' x 1000));
my $length = '';
while (my $frame = next_frame($body)) {
    $length .= $frame->[2] if $frame->[0] == 0;
    last if $length ne '';
}
is($length, 3 * 16384 + 1000, 'held POST: whole body passed on');

my $now = $t->gate;
is_deeply([@$now{qw(held held_passed passed gone)}], [0, 8, 1, 6],
    'all streams: counted');
counted_as_logged($t, 'app');

unaffected($background);

# nginx exits while streams are held

$t->quit;
$t->remove($_) for qw(app decisions.log);
$t->run;
$t->wait_state('initializing');
$background = background($t, ends => 1);

$one = h2();
transmit($one, headers($_ * 2 - 1, '/')) for 1 .. 8;
$t->wait_held(8);
cmp_ok($t->quit, '<', patience(2), 'worker_shutdown_timeout: not longer');
is(logged($t, 'app')->{gone}, 8,
    'worker_shutdown_timeout: streams logged as gone');
unaffected($background);

done_testing;
