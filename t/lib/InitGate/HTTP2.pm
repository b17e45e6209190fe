package InitGate::HTTP2;

# Frames of HTTP/2, for scripted servers.
#
#     use InitGate::HTTP2;
#
#     $c->send(settings() . headers(1, ':status' => 200) . data(1, 'text', 1));
#
# frame(TYPE, FLAGS, STREAM, PAYLOAD)
# settings(ID => VALUE, ...), settings_ack, ping(FLAGS), window(STREAM, N)
# headers(STREAM, NAME => VALUE, ...)        a block, as an array of names and
#         values, or of bytes; end(STREAM, ...) is the same with END_STREAM
# data(STREAM, TEXT [, END])
# rst(STREAM, CODE), goaway(LAST, CODE)
# fields(NAME => VALUE, ...)                 without the frame
# message(TEXT)                              with the prefix of gRPC

use strict;
use warnings;

use Exporter 'import';
our @EXPORT = qw(frame settings settings_ack ping window headers end data rst
    goaway fields message);


sub frame {
    my ($type, $flags, $stream, $payload) = @_;

    return substr(pack('N', length $payload), 1)
        . pack('CCN', $type, $flags, $stream) . $payload;
}


sub settings {
    my (@pairs) = @_;

    my $payload = '';
    $payload .= pack 'nN', splice @pairs, 0, 2 while @pairs;

    return frame(4, 0, 0, $payload);
}


sub settings_ack { frame(4, 1, 0, '') }

sub ping { frame(6, $_[0] // 0, 0, 'pingpong') }

sub window { frame(8, 0, $_[0], pack 'N', $_[1]) }

sub headers { frame(1, 4, shift, fields(@_)) }

sub end { frame(1, 5, shift, fields(@_)) }

sub data { frame(0, $_[2] ? 1 : 0, $_[0], $_[1]) }

sub rst { frame(3, 0, $_[0], pack 'N', $_[1]) }

sub goaway { frame(7, 0, 0, pack 'NN', @_) }


# literals without indexing and without Huffman's code

sub fields {
    my (@pairs) = @_;

    my $block = '';

    while (my ($name, $value) = splice @pairs, 0, 2) {
        $block .= "\0" . string($name) . string($value);
    }

    return $block;
}


sub string {
    my ($text) = @_;

    my $length = length $text;
    return chr($length) . $text if $length < 127;

    my $bytes = "\x7f";

    for ($length -= 127; $length > 127; $length >>= 7) {
        $bytes .= chr($length & 127 | 128);
    }

    return $bytes . chr($length) . $text;
}


sub message { pack('CN', 0, length $_[0]) . $_[0] }


1;
