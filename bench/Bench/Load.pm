package Bench::Load;

# wrk against every subject, in rounds; within a round family by family, and
# in random order, so that other load of the machine affects all subjects.
# Each subject is started again for each round, since its placement by the
# kernel changes the results more than the difference that is measured.

use strict;
use warnings;

use Bench;
use Bench::Subjects;
use JSON::PP ();
use List::Util 'shuffle';


# name => a list, by rounds, of results of wrk and processor times

sub rounds {
    my ($rounds, $connections, $seconds) = @_;

    my $backend = Bench::Subjects::backend();
    my @subjects = Bench::Subjects::all($backend);
    my $script = script();
    my %said;

    for my $round (1 .. $rounds) {
        for my $subject (mixed(@subjects)) {
            my $running = Bench::Subjects::start($subject);

            push @{$said{$subject->{name}}},
                wrk($subject, $running, $connections, $seconds, $script);
        }
    }

    return (\@subjects, \%said);
}


sub mixed {
    my %family;

    push @{$family{$_->{family}}}, $_ for @_;

    return map { shuffle @{$family{$_}} } shuffle keys %family;
}


sub wrk {
    my ($subject, $running, $connections, $seconds, $script) = @_;

    my @accept = defined $subject->{accept}
        ? ('-H', "Accept: $subject->{accept}") : ();

    my $before = Bench::cpu(@{$running->{pids}});

    open my $wrk, '-|', 'wrk', '-t1', "-c$connections", "-d${seconds}s", '-s',
        $script, @accept, "http://127.0.0.1:$running->{port}/"
        or die "wrk: $!";

    my ($line) = grep { /^\{/ } <$wrk>;
    my $said = JSON::PP::decode_json($line // die 'wrk said nothing');

    my $errors = $subject->{expect} == 200
        ? $said->{errors} : $said->{requests} - $said->{errors};

    die "$subject->{name}: $errors of $said->{requests} answers are wrong"
        if $errors || !$said->{requests};

    $said->{rate} = $said->{requests} * 1e6 / $said->{microseconds};
    $said->{cpu} = (Bench::cpu(@{$running->{pids}}) - $before)
                   / $said->{requests} / 1000;

    return $said;
}


sub script {
    my $path = Bench::directory() . '/say.lua';

    open my $file, '>', $path or die $!;
    print $file <<'LUA';
function done(summary, latency, requests)
    io.write(string.format(
        '{"requests":%d,"microseconds":%d,"errors":%d,"p50":%d,"p99":%d}\n',
        summary.requests, summary.duration,
        summary.errors.status + summary.errors.connect + summary.errors.read
            + summary.errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
LUA
    close $file or die $!;

    return $path;
}


# a subject's figures over those of the first of its family, round by round

sub pairwise {
    my ($subject, $subjects, $said, $how) = @_;

    my ($first) = grep { $_->{family} eq $subject->{family} } @$subjects;
    my @ours = @{$said->{$subject->{name}}};
    my @theirs = @{$said->{$first->{name}}};

    return map { $how->($ours[$_], $theirs[$_]) } 0 .. $#ours;
}

1;
