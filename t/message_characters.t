#!/usr/bin/perl

# Invisible characters, and those that change the direction of text, are removed
# from messages in JSON, the log and the status.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;

my $t = InitGate->new(http => <<'CONF');
    init_checks app { check file %%DIR%%/marker failed=%%DIR%%/failed; }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status app details=on; }
    }
CONF

my @removed = (0xad, 0x61c, 0x200b .. 0x200f, 0x2028 .. 0x202e,
    0x2060 .. 0x206f, 0xfeff, 0xfff9 .. 0xfffb, 0xe0001, 0xe0041, 0xe007f);
my @kept = (0xae, 0x61b, 0x200a, 0x2010, 0x2070, 0xfffd, 0x1f600);

my $text = join '', map { "<$_>" } map { chr } @removed, @kept;
utf8::encode($text);

$t->write('failed', "before $text after\n");
$t->run;

my $message = verdict($t, 'file', 'failed reported')->{message};

is(join(' ', map { sprintf '%x', ord }
    grep { index($message, $_) >= 0 } map { chr } @removed), '',
    'message: no invisible characters');
is(join(' ', map { sprintf '%x', ord }
    grep { index($message, $_) >= 0 } map { chr } grep { $_ != 0x200a }
    @kept), join(' ', map { sprintf '%x', $_ } grep { $_ != 0x200a } @kept),
    'message: other characters remain');
like($message, qr/before.*after/, 'message: all of the line');

done_testing;
