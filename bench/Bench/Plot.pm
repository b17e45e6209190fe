package Bench::Plot;

# Bars and curves as one SVG, with logarithmic axes: a line that is parallel to
# the thin ones grows linearly.

use strict;
use warnings;

use Bench;

my ($width, $cell, $height) = (900, 300, 210);


sub write {
    my ($path, @results) = @_;

    my ($bars) = map { $_->{bars} // () } @results;
    my @curves = map { @{$_->{curves} // []} } @results;
    my $top = $bars ? 50 + 26 * @{$bars->{values}} : 0;
    my $all = $top + $height * int((@curves + 2) / 3) + 10;

    my $svg = <<"SVG";
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $all"
 font-family="sans-serif" font-size="12" role="img">
<style>
text { fill: #222 } .frame { fill: none; stroke: #999 }
.linear { stroke: #bbb; stroke-dasharray: 3 3 }
.bar { fill: #2a6f97 } .curve { fill: none; stroke: #2a6f97; stroke-width: 2 }
.point { fill: #2a6f97 }
\@media (prefers-color-scheme: dark) {
  text { fill: #ddd } .bar, .point { fill: #61a5c2 }
  .curve { stroke: #61a5c2 } .linear { stroke: #555 }
}
</style>
SVG

    $svg .= bars($bars) if $bars;

    for my $i (0 .. $#curves) {
        my $y = $top + $height * int($i / 3);

        $svg .= sprintf "<g transform=\"translate(%d %d)\">\n%s</g>\n",
            $cell * ($i % 3), $y, curve($curves[$i]);
    }

    open my $file, '>', $path or die "$path: $!";
    print $file "$svg</svg>\n";
    close $file or die $!;
}


sub text {
    my ($x, $y, $what, $more) = @_;

    $what =~ s/`//g;
    $what =~ s/&/&amp;/g;
    $what =~ s/</&lt;/g;
    $more = defined $more ? " $more" : '';

    return sprintf "<text x=\"%.1f\" y=\"%.1f\"%s>%s</text>\n", $x, $y, $more,
        $what;
}


sub decade { log($_[0]) / log(10) }


sub bars {
    my ($bars) = @_;

    my @values = @{$bars->{values}};
    my $svg = text(10, 22, "$bars->{title} (logarithmic)",
                   'font-weight="bold"');
    my $most = Bench::quantile(1, map { decade($_->[1]) } @values);
    my $y = 36;

    for (@values) {
        my ($name, $n) = @$_;
        my $long = 480 * (decade($n) - 1) / ($most - 1);

        $svg .= text(240, $y + 14, $name, 'text-anchor="end"')
            . sprintf("<rect class=\"bar\" x=\"250\" y=\"%d\" width=\"%.1f\""
                      . " height=\"18\"/>\n", $y, $long < 2 ? 2 : $long)
            . text(256 + $long, $y + 14, Bench::thousands($n));
        $y += 26;
    }

    return $svg;
}


sub curve {
    my ($curve) = @_;

    # values that are too small are drawn on the axis
    my @points = map { [decade($_->[0]), decade($_->[1] > 0.01 ? $_->[1]
                                                               : 0.01)] }
        @{$curve->{points}};
    my ($left, $right, $low, $high) = (40, $cell - 20, $height - 35, 40);
    my ($x0, $x1) = ($points[0][0], $points[-1][0]);
    my ($y0, $y1) = map { Bench::quantile($_, map { $_->[1] } @points) } 0, 1;

    # as many decades upwards as to the right: linear is the diagonal
    my $span = $x1 - $x0 || 1;
    $span = $y1 - $y0 if $y1 - $y0 > $span;

    my @at = map { [$left + ($right - $left) * ($_->[0] - $x0) / $span,
                    $low - ($low - $high) * ($_->[1] - $y0) / $span] }
        @points;

    my $svg = text($left, 26, $curve->{title}, 'font-size="11"')
        . "<path class=\"frame\" d=\"M$left $high V$low H$right\"/>\n"
        . "<path class=\"linear\" d=\"M$left $low L$right $high\"/>\n"
        . '<polyline class="curve" points="'
        . join(' ', map { sprintf '%.1f,%.1f', @$_ } @at) . "\"/>\n";

    for my $i (0 .. $#at) {
        my ($x, $y) = @{$at[$i]};
        my ($n, $value) = @{$curve->{points}[$i]};

        $svg .= sprintf("<circle class=\"point\" cx=\"%.1f\" cy=\"%.1f\""
                        . " r=\"3\"/>\n", $x, $y)
            . text($x, $low + 16, short($n),
                   'text-anchor="middle" font-size="10"')
            . text($x, $y - 8, short($value),
                   'text-anchor="middle" font-size="10"');
    }

    return $svg;
}


sub short {
    my ($n) = @_;

    return sprintf '%gM', $n / 1e6 if $n >= 1e6;
    return Bench::thousands($n) if $n >= 100;
    return sprintf '%.3g', $n;
}

1;
