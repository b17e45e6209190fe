package Bench::Probing;

# A hundred checks a second on one worker, of each type, compared with a shell
# loop that does the same.

use strict;
use warnings;

use Bench;
use Bench::Nginx;
use Bench::Subjects;
use InitGate ();
use POSIX ();
use Time::HiRes qw(time sleep);

my $checks = 100;


sub run {
    my ($class, $quick) = @_;

    my $dir = Bench::directory();
    my $backend = Bench::Subjects::backend();
    my $servers = InitGate->new;
    my $seconds = $quick ? 4 : 15;

    my @rows = map { measure($_, $seconds) }
        types($dir, $backend->port, $servers);

    return {
        title => 'Probing',
        say => "$checks checks at `interval 1s` on one worker, all passing,"
            . " over $seconds s; then system calls by strace. Beside it"
            . ' the shell\'s way, one loop for each check: `until COMMAND; do'
            . ' sleep 1; done`. A share is of one core.',
        tables => [{ head => ['check', 'probes/s', 'share', 'CPU a probe',
            'system calls a probe', 'connects a probe', 'bytes a probe',
            'COMMAND', 'its share'], rows => \@rows }],
    };
}


sub types {
    my ($dir, $port, $servers) = @_;

    my $at = $servers->redis->port;
    my $pg = $servers->postgres;

    Bench::touch("$dir/marker");

    return (
        ['file', "$dir/marker", "test -f $dir/marker"],
        ['tcp', "127.0.0.1:$port", "nc -z 127.0.0.1 $port"],
        ['http', "http://127.0.0.1:$port/ready",
         "curl -fso /dev/null http://127.0.0.1:$port/ready"],
        ['redis', "redis://127.0.0.1:$at", "redis-cli -p $at ping"],
        ['postgres', $pg->uri, 'psql -Atc "select 1" ' . $pg->uri,
         'keepalive'],
    );
}


sub measure {
    my ($type, $seconds) = @_;

    my ($name, $target, $command, $params) = @$type;

    $params //= '';

    my $nginx = Bench::Nginx->new(location => 'empty_gif;',
        http => "init_checks gate {\n interval 1s 1s;\n latch off;\n"
            . join('', map { "check $name \"$target\" name=c$_ $params;\n" }
                   1 .. $checks) . "}\n",
        server => 'location = /init { init_status details=on; }');

    Bench::wait_for(sub { gate($nginx)->{ready} }, "the checks of $name");
    sleep 2;

    my ($cpu, $probes, $elapsed) = watch($nginx, $seconds);
    my $shell = shell($command);
    my $calls = calls($nginx, $seconds / 2);

    return [$name, sprintf('%.0f', $probes / $elapsed),
        sprintf('%.2f %%', 100 * $cpu / $elapsed),
        sprintf('%.1f µs', 1e6 * $cpu / $probes),
        map({ sprintf '%.2f', $_ } @$calls{qw(all connect)}),
        sprintf('%.0f', $calls->{bytes}),
        '`' . (split ' ', $command)[0] . '`',
        sprintf('%.0f %%', 100 * $shell * $checks)];
}


sub gate { $_[0]->status('/init')->{gates}[0] }


sub attempts {
    my $sum = 0;

    $sum += $_->{attempts} for @{gate($_[0])->{checks}};

    return $sum;
}


# requests of the status, which are expensive, are not counted

sub watch {
    my ($nginx, $seconds) = @_;

    my @pids = $nginx->workers;

    my $probes = -attempts($nginx);
    my ($began, $cpu) = (time, -Bench::cpu(@pids));

    sleep $seconds;

    $cpu += Bench::cpu(@pids);
    my $elapsed = time - $began;
    $probes += attempts($nginx);

    return ($cpu / 1e9, $probes, $elapsed);
}


# processor time of one iteration of the loop, with its children

sub shell {
    my ($command) = @_;

    my $turns = 20;
    my @before = times;

    system('sh', '-c', "i=0; while [ \$i -lt $turns ]; do $command; sleep 0;"
        . ' i=$((i+1)); done >/dev/null 2>&1') == 0 or die $command;

    my @after = times;

    return ($after[2] + $after[3] - $before[2] - $before[3]) / $turns;
}


sub calls {
    my ($nginx, $seconds) = @_;

    my ($worker) = $nginx->workers;
    my $dir = $nginx->dir;

    my $before = attempts($nginx);
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDERR, '>', "$dir/strace.said";
        exec 'strace', '-o', "$dir/strace", '-p', $worker
            or POSIX::_exit(127);
    }

    Bench::wait_for(sub { -s "$dir/strace.said" }, 'strace');
    sleep $seconds;
    kill 'INT', $pid;
    waitpid $pid, 0;

    my $probes = attempts($nginx) - $before;

    open my $file, '<', "$dir/strace" or die $!;
    my %calls;

    while (<$file>) {
        my ($call, $result) = /^(\w+)\(.* = (-?\d+)/ or next;

        $calls{all}++;
        $calls{connect}++ if $call eq 'connect';
        $calls{bytes} += $result if $result > 0
            && $call =~ /^(?:writev?|sendto|sendmsg|readv?|recvfrom|recvmsg)$/;
    }

    return { map { $_ => ($calls{$_} // 0) / $probes }
             qw(all connect bytes) };
}

1;
