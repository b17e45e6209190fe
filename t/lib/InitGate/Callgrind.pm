package InitGate::Callgrind;

# The number of instructions of nginx for a request, which is repeatable, unlike
# seconds.
#
#     my $plain = InitGate::Callgrind->new(location => 'empty_gif;');
#     my $n = $plain->per_request;
#     my $functions = $plain->functions;      # name => instructions; those
#                                 # that never return (main) count all below
#
# new()  main => TEXT;  http => TEXT in http {};  location => TEXT in
#        location / {};
#        module => 0: without the module;  request => the bytes to send;
#        ready => CODE that returns, for a response, whether to begin
#
# The instructions of malloc() and its like are left out, since they depend on
# the state of the heap.  The cheapest of several rounds is used: in the others
# nginx also updates its time, once a second.

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use File::Temp ();
use InitGate::Port ();
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(time sleep);

my $top = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../..');
my $binary = $ENV{TEST_NGINX_BINARY} // '/usr/sbin/nginx';
my $module = $ENV{TEST_NGINX_MODULE}
             // "$top/build/ngx_http_init_gate_module.so";

my $warm = 300;
my $rounds = 5;
my $requests = 300;


sub new {
    my ($class, %args) = @_;

    my $self = bless {
        main => '', http => '', location => '', module => 1,
        request => "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ready => sub { 1 },
        dir => File::Temp::tempdir('init-gate-XXXXXX', TMPDIR => 1,
                                   CLEANUP => 1),
        port => InitGate::Port::claim(),
        %args,
    }, $class;

    $self->count;

    return $self;
}


sub functions { $_[0]{functions} }


sub per_request {
    my ($self) = @_;

    my $sum = $self->{total};

    for my $name (keys %{$self->{functions}}) {
        $sum -= $self->{functions}{$name}
            if $name =~ /^_?_?(?:int_|libc_)?
                         (?:malloc|free|realloc|calloc|memalign
                         |posix_memalign|unlink_chunk|sysmalloc)/x;
    }

    return $sum;
}


sub count {
    my ($self) = @_;

    $self->configure;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDOUT, '>', "$self->{dir}/said";
        open STDERR, '>&', \*STDOUT;
        exec 'valgrind', '--tool=callgrind', '--dump-instr=no',
            '--callgrind-out-file=' . "$self->{dir}/out",
            $binary, '-p', "$self->{dir}/", '-c', 'nginx.conf'
            or POSIX::_exit(127);
    }

    my $ok = eval {
        # an incomplete count is an error
        local $SIG{ALRM} = sub { die "no end within 600 s" };
        alarm 600;

        my $socket = $self->connect;

        until ($self->{ready}->($self->ask($socket))) { sleep 0.05 }

        $self->ask($socket) for 1 .. $warm;
        $self->control($pid, '--zero');

        for my $round (1 .. $rounds) {
            $self->ask($socket) for 1 .. $requests;
            $self->control($pid, "--dump=round$round");
        }

        1;
    };

    my $error = $@;
    alarm 0;

    # the dumps are written
    kill 'KILL', $pid;
    waitpid $pid, 0;

    die $error unless $ok;

    $self->{functions} = $self->annotate;
}


sub configure {
    my ($self) = @_;

    my $load = $self->{module} ? "load_module $module;" : '';
    my $temps = join "\n    ", map { "${_}_temp_path $self->{dir}/$_;" }
        qw(client_body proxy fastcgi uwsgi scgi);

    open my $file, '>', "$self->{dir}/nginx.conf" or die $!;
    print $file <<"CONF";
$load
daemon off;
master_process off;
pid $self->{dir}/nginx.pid;
error_log $self->{dir}/error.log notice;
$self->{main}
events { }
http {
    access_log off;
    keepalive_requests 1000000;
    $temps
$self->{http}
    server {
        listen 127.0.0.1:$self->{port};
        location / { $self->{location} }
    }
}
CONF
    close $file or die $!;
}


sub connect {
    my ($self) = @_;

    my $until = time + 300;

    while (time < $until) {
        my $socket = IO::Socket::INET->new("127.0.0.1:$self->{port}");
        return $socket if $socket;
        sleep 0.05;
    }

    die "nginx did not start under callgrind in $self->{dir}";
}


sub ask {
    my ($self, $socket) = @_;

    my $answer = '';

    syswrite $socket, $self->{request} or die "write: $!";

    until ($answer =~ /\r\n\r\n/) {
        sysread $socket, $answer, 65536, length $answer or die "read: $!";
    }

    my $head = index($answer, "\r\n\r\n") + 4;
    my ($length) = substr($answer, 0, $head) =~ /^Content-Length: (\d+)/mi;

    while (length $answer < $head + $length) {
        sysread $socket, $answer, 65536, length $answer or die "read: $!";
    }

    return $answer;
}


sub control {
    my ($self, $pid, $what) = @_;

    system("callgrind_control $what $pid >>'$self->{dir}/control' 2>&1") == 0
        or die "callgrind_control $what $pid failed";
}


sub annotate {
    my ($self) = @_;

    my ($dump, %total);

    for my $part (glob "$self->{dir}/out.*") {
        open my $lines, '<', $part or die $!;

        while (<$lines>) {
            $total{$part} = $1 / $requests if /^summary: (\d+)/;
        }
    }

    ($dump) = sort { $total{$a} <=> $total{$b} } keys %total;
    $self->{total} = $total{$dump // die "no dump in $self->{dir}"};

    open my $lines, '-|', 'callgrind_annotate', '--threshold=100', $dump
        or die $!;

    my %functions;

    while (<$lines>) {
        /^\s*([\d,]+) \([^)]*\)\s+(\S.*)/ or next;

        my ($n, $name) = ($1, $2);
        next if $name =~ /PROGRAM TOTALS/;

        $n =~ tr/,//d;
        $name =~ s/ \[.*//;
        $name =~ s/^.*://;
        $functions{$name} += $n / $requests;
    }

    return \%functions;
}

1;
