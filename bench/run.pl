# Runs the parts of the benchmark, keeps their figures and writes the report.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../t/lib";
use Bench;
use Bench::Report;
use POSIX ();

my @parts = qw(instructions throughput latency opening held probing servers
               memory growth);

my $top = "$FindBin::Bin/..";
my $quick = grep { $_ eq '--quick' } @ARGV;
my @named = grep { $_ ne '--quick' } @ARGV;

for my $name (@named) {
    next if grep { $_ eq $name } @parts;
    die "usage: tools/bench [--quick] [@{[join '|', @parts]} ...]\n";
}

my $owner = $$;
my $group = precedence();

$| = 1;
$SIG{PIPE} = 'IGNORE';
$SIG{INT} = $SIG{TERM} = sub { exit 1 };

for my $part (@named ? @named : @parts) {
    my $class = 'Bench::' . ucfirst $part;
    eval "require $class; 1" or die $@;

    my @before = Bench::load();
    my $began = time;
    my $result = $class->run($quick);

    $result->{part} = $part;
    $result->{quick} = $quick ? 1 : 0;
    $result->{load} = [$before[0], (Bench::load())[0]];
    $result->{seconds} = time - $began;
    $result->{date} = POSIX::strftime('%Y-%m-%d %H:%M UTC', gmtime);

    print Bench::Report::section($result);
    Bench::save("$top/build/bench/$part.json", $result);
}

my @results = grep { $_ } map { Bench::restore("$top/build/bench/$_.json") }
    @parts;

Bench::Report::write("$top/docs/bench.md", "$top/docs/bench.svg", @results);
print "written: docs/bench.md, docs/bench.svg\n";


# Reduces the effect of other processes.  If the kernel groups processes by
# session, niceness applies within the group only, and the group has a niceness
# of its own, which is restored at the end.

sub precedence {
    my $path = '/proc/self/autogroup';

    return if $> != 0;

    setpriority 0, 0, -20;

    open my $file, '<', $path or return;
    my ($nice) = <$file> =~ /nice (-?\d+)/ or return;

    return { path => $path, nice => $nice } if set_group($path, -20);
    return;
}


sub set_group {
    my ($path, $nice) = @_;

    open my $file, '>', $path or return 0;
    print $file $nice;

    return close $file;
}


END { set_group($group->{path}, $group->{nice}) if $group && $$ == $owner }
