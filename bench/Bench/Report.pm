package Bench::Report;

# The report: Markdown, and beside it the plots.

use strict;
use warnings;

use Bench;
use Bench::Plot;
use POSIX ();


sub write {
    my ($markdown, $svg, @results) = @_;

    open my $file, '>', $markdown or die "$markdown: $!";
    print $file head(), map({ section($_) } @results);
    close $file or die $!;

    Bench::Plot::write($svg, @results);
}


sub head {
    my $system = (POSIX::uname())[0] . ' ' . (POSIX::uname())[2];
    my ($nginx) = `/usr/sbin/nginx -v 2>&1` =~ m{nginx/(\S+)};
    my $cores = () = slurp('/proc/cpuinfo') =~ /^processor\s/mg;
    my ($model) = slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)/m;

    my $processor = $model ? ", $model" : '';

    my $text = fill(<<"TEXT");
Written by `tools/bench`, which installs missing packages, measures everything
below and draws the plots; `tools/bench PART` repeats one part. nginx $nginx,
$system, $cores processors$processor. Each part shows the load of the machine:
times and ratios of times vary with it; instructions, calls and bytes do not.
TEXT

    return "# Benchmarks\n\n$text\n![Plots](bench.svg)\n";
}


sub slurp {
    my ($path) = @_;

    open my $file, '<', $path or return '';
    local $/;

    return <$file>;
}


sub section {
    my ($result) = @_;

    my $quick = $result->{quick} ? ' --quick' : '';
    my $when = sprintf '`tools/bench%s %s`, %s, %d s, load average %s before'
        . ' and %s after.', $quick, @$result{qw(part date seconds)},
        @{$result->{load}};

    return "\n## $result->{title}\n\n" . fill($result->{say}) . "\n"
        . fill($when) . "\n" . join "\n", map { table($_) }
        @{$result->{tables}};
}


sub fill {
    my ($line, @lines) = ('');

    for my $word (split ' ', $_[0]) {
        if (length($line) + length($word) > 78) {
            push @lines, $line;
            $line = '';
        }

        $line .= length $line ? " $word" : $word;
    }

    return join '', map { "$_\n" } @lines, $line;
}


sub table {
    my ($table) = @_;

    my @head = @{$table->{head}};

    return join '', map { "| @{[join ' | ', @$_]} |\n" }
        \@head, ['---', ('---:') x $#head], @{$table->{rows}};
}

1;
