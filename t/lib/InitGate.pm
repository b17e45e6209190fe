package InitGate;

# The harness of the tests: a real nginx with the module, in a directory of
# its own.
#
#     use FindBin;
#     use lib "$FindBin::Bin/lib";
#     use InitGate;                      # brings Test::More, strict, warnings
#
#     my $t = InitGate->new(http => <<'CONF');
#         init_checks app { check file %%DIR%%/marker;  interval 50ms; }
#         server {
#             listen 127.0.0.1:%%PORT_8080%%;
#             location / { init_gate app;  empty_gif; }
#             location = /init { init_status details=on; }
#         }
#     CONF
#
#     $t->run;
#     is($t->get('/')->{status}, 503, 'no marker: refused');
#     $t->write('marker');
#     $t->wait_ready('app');
#     done_testing;
#
# done_testing() of the harness stops every nginx and tests that the error log
# has no alert, crit or emerg and no sanitizer report, that QUIT was in time,
# that no password of the configuration or of a file that it names was in a
# log, a response or the output of nginx and, if InitGate::Load is used, that
# no process has an unexpected descriptor open.  The directory of a failed test
# is kept and printed.
#
# A label has a subject and an expectation: "second request: held".
#
# new()        http => TEXT inside http {} (undef: no http {});
#              main => TEXT, end => TEXT (main level, before and after http {});
#              events => TEXT;
#              also => TEXT, appended to http;  descriptors => 1 (0) to
#              test them always (never);  status => 8080 (the port of json();
#              /init must be there);
#              workers => 2;  master => 1;  quit => 5 (seconds QUIT may take);
#              module => 1 (0: not loaded);  level => 'debug' (of the log);
#              allow => [qr/.../] (alerts that are expected);
#              run(), reload() and conf() take the same arguments
# Placeholders %%DIR%%, %%TOP%% (of the checkout), %%PORT_8080%% (a free port,
#              the same for the same number; also $t->port(8080), the port of
#              requests)
# Processes    run, reload, quit (returns seconds), kill_all,
#              signal(NAME [, PID]), master, workers (oldest first: the first
#              worker, as long as none was respawned), prober,
#              kill_prober (waits for another one), upgrade (returns the pids
#              of the old master and the new one), alive(PID), memory(PID) in
#              KiB (if memory_counts), descriptors(PID), hidden (a reason
#              if descriptors and maps of workers cannot be read);
#              nginx(ARGS) and run_error (a start that fails) return the exit
#              status and the output
# Requests     get, head, post(URI, ...), request(METHOD, URI, port => N,
#              headers => {}, content => ...) return the hash of HTTP::Tiny;
#              raw(BYTES) sends and returns all bytes until the end;
#              connect([PORT or PATH]) and http_read(SOCKET [, 'HEAD']) for
#              single responses;
#              send(URI, method => 'GET', port => N, socket => S,
#              keepalive => 0, headers => "A: b\r\n") returns the socket,
#              statuses(SOCKETS) returns the number of responses by status
#              ("none" if there is no response)
# Status       json(URI); gates, gate([NAME]), check(NAME [, GATE]) of /init,
#              which must have details; hold(N, URI [, GATE]) sends N requests
#              and waits until they are held (returns sockets);
#              time_of(TEXT): seconds since the epoch
# Waiting      wait_for(CODE, WHAT [, SECONDS]);
#              wait_log(REGEX [, COUNT [, SECONDS]]); log, log_count(REGEX);
#              wait_state(STATE [, GATE [, SECONDS]]), wait_ready([GATE
#              [, SECONDS]]), wait_held(N [, GATE [, SECONDS]]);
#              wait_listen(PORT), wait_exit(PIDS); clock: an InitGate::Clock,
#              for every limit of time; within(SECONDS, CODE) runs it until it
#              takes less
# Files        write(NAME, TEXT), read(NAME), remove(NAME), touch(NAME, TIME),
#              dir, path(NAME)
# Config       conf_error(TEXT in http {}) runs "nginx -t": exit status, output;
#              version is 1.022001 for nginx 1.22.1
# Servers      postgres(ARGS of Test::PostgreSQL), redis(LINES of
#              configuration); certificate(NAME...): the paths of a
#              certificate and its key; InitGate::Fake has scripted servers
# Libraries    preload(NAME): t/preload/NAME.c compiled, for LD_PRELOAD
#
# Environment  TEST_NGINX_BINARY (/usr/sbin/nginx), TEST_NGINX_MODULE
#              (build/ngx_http_init_gate_module.so; not loaded if the binary
#              has the module linked in), TEST_NGINX_GLOBALS, TEST_NGINX_LEAVE
#              (keep all directories), TEST_NGINX_VALGRIND (arguments of
#              valgrind), TEST_NGINX_PATIENCE (multiplies all time limits),
#              TEST_NGINX_TITLES (no: process titles do not change)

use strict;
use warnings;

use Cwd ();
use Fcntl 'LOCK_EX';
use File::Basename ();
use File::Path ();
use File::Temp ();
use HTTP::Tiny;
use InitGate::Clock ();
use InitGate::Descriptors ();
use InitGate::Port ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Test::More import => ['!done_testing'];
use Time::HiRes qw(time sleep);
use Time::Local ();

use Exporter ();
our @EXPORT = ((grep { $_ ne 'done_testing' } @Test::More::EXPORT),
               qw(done_testing patience));

my $top = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../..');
my $binary = $ENV{TEST_NGINX_BINARY} // '/usr/sbin/nginx';
my $module = $ENV{TEST_NGINX_MODULE}
             // "$top/build/ngx_http_init_gate_module.so";

# END blocks run in forked children, too
my $owner = $$;
my @all;

$ENV{ASAN_OPTIONS} //= 'detect_odr_violation=0:detect_leaks=1';
$ENV{LSAN_OPTIONS}
    //= "suppressions=$top/t/lib/lsan.supp:print_suppressions=0";
$ENV{UBSAN_OPTIONS} //= 'print_stacktrace=1';
delete @ENV{grep { /^PG|_proxy$/i } keys %ENV};

$SIG{INT} = $SIG{TERM} = sub { exit 1 };
$SIG{PIPE} = 'IGNORE';


sub import {
    strict->import;
    warnings->import;
    goto &Exporter::import;
}


sub patience { $_[0] * ($ENV{TEST_NGINX_PATIENCE} // 1) }


sub new {
    my ($class, %args) = @_;

    my $self = bless {
        dir => $args{dir}
               // File::Temp::tempdir('init-gate-XXXXXX', TMPDIR => 1),
        main => '', events => '', http => '', also => '', end => '',
        workers => 2, master => 1,
        module => 1, level => 'debug', quit => 5, allow => [], %args,
    }, $class;

    # readable for the workers' user
    chmod 0755, $self->{dir} or die "chmod $self->{dir}: $!";
    mkdir "$self->{dir}/temp";

    push @all, $self;

    return $self;
}


# files

sub dir { $_[0]{dir} }

sub path { $_[1] =~ m{^/} ? $_[1] : "$_[0]{dir}/$_[1]" }


sub write {
    my ($self, $name, $text) = @_;

    my $path = $self->path($name);
    File::Path::make_path(File::Basename::dirname($path));

    # atomically, as an initializer should write it
    open my $fh, '>:raw', "$path.new" or die "$path.new: $!";
    print $fh $self->fill($text // '');
    close $fh or die "$path: $!";
    rename "$path.new", $path or die "$path: $!";

    return $path;
}


sub read {
    my ($self, $name) = @_;

    open my $fh, '<:raw', $self->path($name) or return '';
    local $/;

    return <$fh> // '';
}


sub touch {
    my ($self, $name, $time) = @_;

    utime $time, $time, $self->path($name) or die "$name: $!";
}


sub remove {
    my ($self, $name) = @_;

    File::Path::remove_tree($self->path($name));
}


# configuration

# the same one for the same name

sub port {
    my ($self, $name) = @_;

    return $self->{ports}{$name // 8080} //= InitGate::Port::claim();
}


sub fill {
    my ($self, $text) = @_;

    $text =~ s/%%DIR%%/$self->{dir}/g;
    $text =~ s/%%TOP%%/$top/g;
    $text =~ s/%%PORT_(\d+)%%/$self->port($1)/eg;

    return $text;
}


sub binary { $binary }


# make in the checkout, for one test at a time: its steps write files under a
# temporary name and rename them.  Returns the exit status and the output.

sub make {
    my (@args) = @_;

    open my $lock, '<', "$top/Makefile" or die "Makefile: $!";
    flock $lock, LOCK_EX or die "flock: $!";

    my $text = qx(make -s -C $top @args 2>&1);

    return ($?, $text);
}


# 1.022001 for nginx/1.22.1, and for a server that is derived from it

sub version {
    our $version //= `$binary -V 2>&1`
        =~ m{^nginx version: \w+/(\d+)\.(\d+)\.(\d+)}m
        ? sprintf('%d.%03d%03d', $1, $2, $3) : 0;

    return $version;
}


sub is_linked_in {
    our $linked_in //= grep { -e "$_/src/ngx_http_init_gate_module.c" }
        `$binary -V 2>&1` =~ /--add-module=([^\s']+)/g;

    return $linked_in;
}


# whether the resident size of a process is meaningful: ASAN and valgrind keep
# freed memory for a long time

sub memory_counts { !$ENV{TEST_NGINX_VALGRIND} && !is_linked_in() }


# writes nginx.conf, for run() and before reload()

sub conf {
    my ($self, %args) = @_;

    $self->{$_} = $args{$_} for keys %args;

    $self->learn(join '', map { $_ // '' } @$self{qw(main http also end)});

    my $http = defined $self->{http} ? $self->http_block : '';
    my $load = is_linked_in() || !$self->{module} ? ''
        : "load_module $module;";
    my $globals = $ENV{TEST_NGINX_GLOBALS} // '';
    my $master = $self->{master} ? '' : 'master_process off;';

    return $self->write('nginx.conf', <<"CONF");
$load
$globals
$master
worker_processes $self->{workers};
pid %%DIR%%/nginx.pid;
error_log %%DIR%%/error.log $self->{level};
$self->{main}
events {
    $self->{events}
}
$http
$self->{end}
CONF
}


sub http_block {
    my ($self) = @_;

    my $temps = join "\n    ", map { "${_}_temp_path %%DIR%%/temp/$_;" }
        qw(client_body proxy fastcgi uwsgi scgi);

    return <<"CONF";
http {
    access_log off;
    $temps
$self->{http}
$self->{also}
}
CONF
}


sub conf_error {
    my ($self, $http, %args) = @_;

    # in another directory, since nginx may be running in this one
    my $dir = "$self->{dir}/conf_error";
    mkdir $dir;

    my $other = (ref $self)->new(%$self, %args, dir => $dir);
    pop @all;

    $other->conf(http => defined $http ? $self->fill($http) : undef);

    # leaks of a process that exits do not matter, and take long to find
    local $ENV{ASAN_OPTIONS} = "$ENV{ASAN_OPTIONS}:detect_leaks=0";

    return $other->nginx('-t');
}


# processes

sub command {
    my ($self, @args) = @_;

    my @valgrind;

    if ($ENV{TEST_NGINX_VALGRIND}) {
        @valgrind = ('valgrind', '-q', '--trace-children=yes', '--vgdb=no',
            "--log-file=$self->{dir}/valgrind.%p",
            "--suppressions=$top/t/lib/valgrind.supp",
            split ' ', $ENV{TEST_NGINX_VALGRIND});
    }

    return (@valgrind, $binary, '-p', "$self->{dir}/", '-c', 'nginx.conf',
        '-e', 'error.log', @args);
}


sub spawn {
    my ($self, @args) = @_;

    my @command = $self->command(@args);

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        $ENV{ASAN_OPTIONS} .= ":log_path=$self->{dir}/sanitizer";
        $ENV{UBSAN_OPTIONS} .= ":log_path=$self->{dir}/sanitizer";
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$self->{dir}/said";
        open STDERR, '>&', \*STDOUT;
        { no warnings; exec @command }
        POSIX::_exit(127);
    }

    return $pid;
}


sub nginx {
    my ($self, @args) = @_;

    my $pid = $self->spawn(@args);

    until (waitpid $pid, POSIX::WNOHANG()) {
        InitGate::Clock::sample_all();
        sleep 0.002;
    }

    my $status = $? >> 8 || $? & 127;

    return ($status, $self->hear($self->read('said'), 'what nginx said'));
}


sub run {
    my ($self, %args) = @_;

    $self->conf(%args);

    if ($self->{master}) {
        # the parent exits when the sockets are listening
        my ($status, $said) = $self->nginx;
        die "nginx did not start: $said" if $status;

    } else {
        $self->{child} = $self->spawn('-g', 'daemon off;');
    }

    $self->wait_for(sub { $self->{pid} = $self->master }, 'the pid file')
        or die $self->read('said');

    $self->{session}{$self->{pid}} = 1;

    $self->wait_for(sub { $self->workers >= $self->{workers} }, 'workers')
        if $self->{master};

    return $self;
}


sub run_error {
    my ($self, %args) = @_;

    $self->conf(%args);

    return $self->nginx;
}


sub master {
    my ($self) = @_;

    return $self->read('nginx.pid') =~ /^(\d+)$/m ? $1 : undef;
}


# of all processes, or of those named: pid, parent, state, start (clock ticks),
# command line

sub processes {
    my ($self, @pids) = @_;

    my @found;

    for my $proc (@pids ? map { "/proc/$_" } @pids : glob '/proc/[0-9]*') {
        open my $fh, '<', "$proc/stat" or next;
        my ($pid, $rest) = (<$fh> // '') =~ /^(\d+) \(.*\) (.*)$/s or next;
        my @word = split ' ', $rest;

        open $fh, '<', "$proc/cmdline" or next;

        push @found, { pid => $pid, parent => $word[1], state => $word[0],
                       session => $word[3], start => $word[19],
                       command => <$fh> // '' };
    }

    return @found;
}


# the kernel may be built without the list of children

sub children {
    my ($self, $pid) = @_;

    my $list = "/proc/$pid/task/$pid/children";
    return if !$self->alive($pid);

    return grep { $_->{parent} == $pid && $_->{state} ne 'Z' }
        -e $list ? map { $self->processes($_) } split ' ', $self->read($list)
                 : $self->processes;
}


sub workers {
    my ($self, $master) = @_;

    $master //= $self->{pid} // return;

    return $master if !$self->{master};

    my $serves = sub {
        $_[0]{command} =~ /worker process(?! is shutting down)/;
    };

    # under valgrind and qemu process titles do not change: the log is read

    if ($ENV{TEST_NGINX_VALGRIND} || ($ENV{TEST_NGINX_TITLES} // '') eq 'no') {
        my $log = $self->log;
        my %worker = map { $_ => 1 } $log =~ /start worker process (\d+)/g;
        delete @worker{$log =~ /(\d+)#\d+: gracefully shutting down/g};
        $serves = sub { $worker{$_[0]{pid}} };
    }

    return map { $_->{pid} }
        sort { $a->{start} <=> $b->{start} || $a->{pid} <=> $b->{pid} }
        grep { $serves->($_) } $self->children($master);
}


# waits until there is one

sub prober {
    my ($self) = @_;

    return $self->wait_for(sub { ($self->gate // {})->{prober}{pid} },
        'a prober');
}


# waits until another worker probes

sub kill_prober {
    my ($self) = @_;

    my $prober = $self->prober;

    $self->allow(qr/exited on signal 9/);
    $self->signal('KILL', $prober);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return $self->wait_for(sub { ($self->prober // $prober) != $prober },
        'another prober');
}


sub alive {
    my ($self, $pid) = @_;

    open my $fh, '<', "/proc/$pid/stat" or return 0;

    return (<$fh> // '') =~ /\) [^ZX]/ ? 1 : 0;
}


sub memory {
    my ($self, $pid) = @_;

    return $self->read("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m ? $1 : 0;
}


sub descriptors {
    my ($self, $pid) = @_;

    return map { readlink // () } glob "/proc/$pid/fd/*";
}


# those of another user's process cannot be read without CAP_SYS_PTRACE

sub hidden {
    my ($self) = @_;

    return (grep { !(() = $self->descriptors($_)) && $self->alive($_) }
        $self->workers) ? 'no CAP_SYS_PTRACE to look into workers' : '';
}


sub signal {
    my ($self, $name, @pid) = @_;

    # or the master would get the signal
    die "no process for SIG$name" if @pid && !defined $pid[0];

    my $pid = $pid[0] // $self->{pid} // return;
    my $sent = kill $name, $pid;

    # until then a connection may still wake it, and no other worker

    $self->wait_for(sub {
        InitGate::Clock::slurp("/proc/$pid/stat") =~ /^.*\) T /s
    }, "$pid to stop") if $name eq 'STOP';

    return $sent;
}


# waits until the new workers run and the old ones are shutting down

sub reload {
    my ($self, %args) = @_;

    $self->conf(%args) if %args;

    my %old = map { $_ => 1 } $self->workers;
    $self->signal('HUP');

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return $self->wait_for(sub {
        my @now = $self->workers;
        my @new = grep { !$old{$_} } @now;

        return @new >= $self->{workers} && @new == @now;
    }, 'reload');
}


# a second binary beside this one: the pids of the old master and of the new

sub upgrade {
    my ($self) = @_;

    my $old = $self->{pid};

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $self->signal('USR2');
    $self->wait_for(sub { -e $self->path('nginx.pid.oldbin') },
        'the old pid file');
    $self->wait_for(sub { ($self->master // $old) != $old },
        'the new pid file');

    my $new = $self->master;
    $self->wait_for(sub { $self->workers($new) == $self->{workers} },
        'new workers');

    return ($old, $new);
}


sub quit {
    my ($self, $signal) = @_;

    my $pid = $self->{pid} // return 0;
    my $clock = $self->clock;
    my $seconds;

    kill $signal // 'QUIT', $pid;

    do {
        waitpid $self->{child}, POSIX::WNOHANG() if $self->{child};
        $seconds = $clock->seconds;

        if (!$self->alive($pid)) {
            delete $self->{pid};
            return $seconds;
        }

        sleep 0.005;

    } while ($seconds < patience($self->{quit})
             && $clock->elapsed < patience(120));

    $self->kill_all;

    return;
}


# all processes with this error log, also children without their master; by
# their session, if the descriptors of other users cannot be read

sub kill_all {
    my ($self) = @_;

    my $log = "$self->{dir}/error.log";

    my $ours = sub {
        my ($process) = @_;
        return if $process->{command} !~ /nginx/ || $process->{state} eq 'Z';

        my @open = $self->descriptors($process->{pid});

        return @open ? grep { $_ eq $log } @open
            : $self->{session}{$process->{session}};
    };

    # repeatedly, since a master replaces workers

    while (my @pids = map { $_->{pid} } grep { $ours->($_) } $self->processes) {
        kill 'KILL', @pids;
        sleep 0.01;
    }

    waitpid $self->{child}, 0 if $self->{child};
    delete $self->{pid};
}


# requests

sub request {
    my ($self, $method, $uri, %args) = @_;

    my $port = delete $args{port} // $self->port(8080);

    my $http = HTTP::Tiny->new(max_redirect => 0, keep_alive => 0,
        agent => 'init-gate-test',
        timeout => patience(delete $args{timeout} // 60));

    my $answer = $http->request($method, "http://127.0.0.1:$port$uri", \%args);
    $self->hear(join("\n", %{$answer->{headers}},
        $answer->{content} // ''), $uri);

    return $answer;
}

sub get { my $self = shift; $self->request('GET', @_) }
sub head { my $self = shift; $self->request('HEAD', @_) }
sub post { my $self = shift; $self->request('POST', @_) }


sub json {
    my ($self, $uri, %args) = @_;

    $args{port} //= $self->port($self->{status}) if $self->{status};

    my $answer = $self->get($uri, %args);
    my $json = eval { JSON::PP::decode_json($answer->{content}) };

    if (!$json) {
        diag("no JSON: $answer->{status} $answer->{content}");
    }

    return $json // {};
}


# a gate and a check in the status; undef if missing

sub gates { @{shift->json('/init', @_)->{gates} // []} }


sub gate {
    my ($self, $name) = @_;

    return (grep { !defined $name || $_->{gate} eq $name } $self->gates)[0];
}


sub check {
    my ($self, $name, $gate) = @_;

    return (grep { $_->{name} eq $name } map { @{$_->{checks}} }
        grep { !defined $gate || $_->{gate} eq $gate } $self->gates)[0] // {};
}


# seconds since the epoch, of a time as the status has them

sub time_of {
    my ($self, $text) = @_;

    my ($y, $m, $d, $h, $min, $s) = ($text // '')
        =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+\.\d{3})Z$/ or return 0;

    return Time::Local::timegm(0, $min, $h, $d, $m - 1, $y) + $s;
}


sub connect {
    my ($self, $to) = @_;

    $to //= $self->port(8080);

    my $socket = $to =~ m{^/} ? IO::Socket::UNIX->new(Peer => $to)
        : IO::Socket::INET->new(PeerAddr => "127.0.0.1:$to");

    return $socket // die "connect to $to: $!";
}


sub raw {
    my ($self, $bytes, %args) = @_;

    my $socket = $args{socket} // $self->connect($args{port});
    my $select = IO::Select->new($socket);
    my $got = '';

    $socket->syswrite($self->fill($bytes));

    while ($select->can_read(patience($args{timeout} // 60))) {
        last if !sysread $socket, $got, 65536, length $got;
    }

    return $self->hear($got, 'a raw answer');
}


# status, headers (lower case), content, raw; or nothing if the connection is
# closed or silent for too long

sub http_read {
    my ($self, $socket, $method, $timeout) = @_;

    my $select = IO::Select->new($socket);
    my $raw = '';

    my $until = sub {
        my ($done) = @_;

        until ($done->()) {
            $select->can_read(patience($timeout // 60)) or return 0;
            sysread $socket, $raw, 1, length $raw or return 0;
        }

        return 1;
    };

    $until->(sub { $raw =~ /\r\n\r\n\z/ }) or return;

    my ($status) = $raw =~ m{^HTTP/\d\.\d (\d+)};
    my %headers = map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () }
        split /\r\n/, $raw;

    my $start = length $raw;
    my $content = '';

    if (($method // '') eq 'HEAD' || $status =~ /^(?:1..|204|304)$/) {
        # no body

    } elsif (defined $headers{'content-length'}) {
        my $end = $start + $headers{'content-length'};
        $until->(sub { length $raw >= $end }) or return;
        $content = substr $raw, $start;

    } elsif (($headers{'transfer-encoding'} // '') eq 'chunked') {
        $until->(sub { substr($raw, $start - 2) =~ /\r\n0\r\n\r\n\z/ })
            or return;
        my $rest = substr $raw, $start;
        while ($rest =~ s/^([0-9a-f]+)\r\n//i) {
            $content .= substr $rest, 0, hex $1, '';
            $rest =~ s/^\r\n//;
        }

    } else {
        $until->(sub { 0 });
        $content = substr $raw, $start;
    }

    $self->hear($raw, 'an answer');

    return { status => $status, headers => \%headers, content => $content,
             raw => $raw };
}


# a request whose response is read later: http_read() and statuses()

sub send {
    my ($self, $uri, %args) = @_;

    my $socket = $args{socket} // $self->connect($args{port});
    my $method = $args{method} // 'GET';
    my $connection = $args{keepalive} ? 'keep-alive' : 'close';

    $socket->syswrite("$method $uri HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: $connection\r\n" . ($args{headers} // '') . "\r\n");

    return $socket;
}


# requests that are held at a gate

sub hold {
    my ($self, $n, $uri, $gate, %args) = @_;

    my $held = $self->gate($gate)->{held};
    my @sockets = map { $self->send($uri, %args) } 1 .. $n;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $self->wait_held($held + $n, $gate);

    return @sockets;
}


# the number of responses by status; "none" is no response

sub statuses {
    my ($self, @sockets) = @_;

    my %count;
    $count{$_ ? $_->{status} : 'none'}++
        for map { scalar $self->http_read($_) } @sockets;

    return \%count;
}


# waiting

# sufficient on a very slow machine; only failures take that long

sub wait_for {
    my ($self, $code, $what, $seconds) = @_;

    my $begun = time;
    my $end = $begun + patience($seconds // 60);

    while (1) {
        my $result = $code->();
        InitGate::Clock::sample_all();
        return $result if $result;
        last if time > $end;

        # yields to other processes on a busy machine
        sleep time - $begun < 2 ? 0.01 : 0.05;
    }

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    fail("waited too long for $what");

    return;
}


# runs it again until it takes less than this number of seconds; undef if it
# never does

sub within {
    my ($self, $seconds, $code) = @_;

    for (1 .. 20) {
        my $begun = time;
        my $result = $code->();
        return $result if time - $begun < $seconds;
    }

    return;
}


# for limits of time

sub clock { InitGate::Clock->new(sub { map { $_->{pid} // () } @all }) }


sub log { $_[0]->read('error.log') }


# the lines of a file that match; a log at debug level is long, and is not split

sub lines {
    my ($self, $file, $regex) = @_;

    my $text = $self->read($file);
    my @lines;

    while ($text =~ /$regex/g) {
        my $begin = rindex($text, "\n", $-[0]) + 1;
        my $end = index $text, "\n", $+[0];
        $end = length $text if $end < 0;

        push @lines, substr $text, $begin, $end - $begin;
        pos($text) = $end;
    }

    return @lines;
}


# each part is read once

sub log_count {
    my ($self, $regex) = @_;

    open my $fh, '<:raw', $self->path('error.log') or return 0;

    my $seen = $self->{counted}{$regex} //= { count => 0, read => 0, file => 0 };
    my ($file, $size) = (stat $fh)[1, 7];

    @$seen{qw(count read file)} = (0, 0, $file)
        if $file != $seen->{file} || $size < $seen->{read};

    seek $fh, $seen->{read}, 0;

    while (my $line = <$fh>) {
        last if $line !~ /\n\z/;
        $seen->{read} += length $line;
        $seen->{count}++ if $line =~ $regex;
    }

    return $seen->{count};
}


sub wait_log {
    my ($self, $regex, $count, $seconds) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return $self->wait_for(sub { $self->log_count($regex) >= ($count // 1) },
        "\"$regex\" in the log", $seconds);
}


sub wait_state {
    my ($self, $state, $gate, $seconds) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return $self->wait_for(sub {
        return (($self->gate($gate) // {})->{state} // '') eq $state;
    }, 'gate ' . ($gate // '') . " to be $state", $seconds);
}


sub wait_ready {
    my ($self, $gate, $seconds) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return $self->wait_for(sub { ($self->gate($gate) // {})->{ready} },
        'gate ' . ($gate // '') . ' to open', $seconds);
}


sub wait_held {
    my ($self, $n, $gate, $seconds) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $held;
    my $done = $self->wait_for(sub {
        $held = ($self->gate($gate) // {})->{held} // -1;
        return $held == $n;
    }, "$n requests to be held", $seconds);

    diag("$held are held") if !$done;

    return $done;
}


sub wait_listen {
    my ($self, $port) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return $self->wait_for(sub { eval { $self->connect($port) } },
        "port $port to listen");
}


sub wait_exit {
    my ($self, @pids) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return $self->wait_for(sub {
        waitpid $self->{child}, POSIX::WNOHANG() if $self->{child};
        return !grep { $self->alive($_) } @pids;
    }, 'processes to exit');
}


sub allow {
    my ($self, @regex) = @_;

    push @{$self->{allow}}, @regex;
}


# Secrets: the passwords and tokens of the configuration and of the files that
# it names must not be in any output.  Those of less than five letters would be
# found by chance.

my (%secret, %revealed);

sub learn {
    my ($self, $text) = @_;

    my @found = ($text =~ /\bpassword=(?!')([^\s"&]+)/g,
        $text =~ /\bpassword='([^']+)'/g,
        $text =~ m{://[^/\s"\@:]*:([^/\s"\@]+)\@}g,
        $text =~ /header=[\w-]*(?:Authorization|Token):[^"]*?(\S+)"/gi);

    for ($text =~ /\b(?:pass(?:word_)?|token_)file=([^\s";]+)/g) {
        my $path = $self->path($self->fill($_));
        $self->{secret_files}{$path} = 1;
    }

    for my $path (grep { -f } keys %{$self->{secret_files}}) {
        push @found, map { s/\r//r } map { /(?:[^:]+:){4}(.*)/ ? $1 : $_ }
            split /\n/, substr $self->read($path), 0, 4096;
    }

    for (@found) {
        $secret{$_} = 1 for $_, s/%([0-9a-f]{2})/chr hex $1/egir;
    }

    delete @secret{grep { length() < 5 } keys %secret};
}


sub hear {
    my ($self, $text, $where) = @_;

    return $text if !%secret || !defined $text;

    my $any = join '|', map { quotemeta } sort keys %secret;

    for my $line ($text =~ /$any/ ? split /\n/, $text : ()) {

        # a request to nginx, which it logs
        next if $line =~ / \[debug\] .* http (?:header|process|script|uri)/;

        $revealed{"$where: ...$1"}++ if $line =~ /(.{0,60}(?:$any).{0,20})/;
    }

    return $text;
}


# servers

sub server_dir {
    my ($self, $name) = @_;

    my $dir = "$self->{dir}/$name" . ++$self->{servers};
    mkdir $dir or die "$dir: $!";

    return $dir;
}


# if the test runs as root, Test::PostgreSQL runs the server as "nobody"

sub postgres {
    my ($self, %args) = @_;

    require Test::PostgreSQL;

    my $dir = $self->server_dir('postgres');
    my $server = Test::PostgreSQL->new(base_dir => $dir,
        port => $self->port($dir), %args);

    push @{$self->{running}}, $server;

    return $server;
}


# lines of its configuration; see InitGate::RedisServers

sub redis {
    my ($self, @lines) = @_;

    require InitGate::RedisServers;

    return InitGate::RedisServers->new($self)->start(@lines);
}


# a library of t/preload, for LD_PRELOAD

sub preload {
    my ($self, $name) = @_;

    my $library = $self->path("$name.so");

    system('cc', '-O1', '-shared', '-fPIC', '-o', $library,
        "$top/t/preload/$name.c", '-ldl') == 0 or die 'cc failed';
    chmod 0755, $library;

    return $library;
}


# self-signed, for these names and addresses

sub certificate {
    my ($self, @names) = @_;

    my $base = $self->path('certificate' . ++$self->{certificates});
    my $alt = join ',', map { /^[\d.]+$|:/ ? "IP:$_" : "DNS:$_" } @names;

    my $said = `openssl req -x509 -nodes -days 2 -newkey ec \\
        -pkeyopt ec_paramgen_curve:prime256v1 -subj '/CN=$names[0]' \\
        -addext 'subjectAltName=$alt' -out $base.crt -keyout $base.key 2>&1`;
    die "openssl: $said" if $?;

    chmod 0644, "$base.key";

    return ("$base.crt", "$base.key");
}


# the end

sub finish {
    my ($self) = @_;

    return if $self->{finished}++ || !-e "$self->{dir}/error.log";

    # valgrind has descriptors of its own

    if ($self->{pid} && !$ENV{TEST_NGINX_VALGRIND}
        && ($self->{descriptors} // InitGate::Load->can('new')))
    {
        SKIP: {
            skip $self->hidden, 1 if $self->hidden;
            is(join("\n", InitGate::Descriptors::left($self)), '',
                'no descriptor left open');
        }
    }

    my $bound = patience($self->{quit});
    ok(defined $self->quit, "QUIT within $bound s");

    # valgrind does not allow more descriptors than its own

    $self->allow(qr/setrlimit\(RLIMIT_NOFILE/) if $ENV{TEST_NGINX_VALGRIND};

    my @alerts = grep {
        my $line = $_;
        !grep { $line =~ $_ } @{$self->{allow}};
    } $self->lines('error.log', qr/\[(?:alert|crit|emerg)\]/);

    is(join("\n", splice @alerts, 0, 10), '', 'no alerts');

    my @reports = map { $self->lines($_, qr/ERROR: .*Sanitizer|runtime error:/) }
        'error.log', 'said';

    push @reports, map { split /\n/, $self->read($_) }
        glob "$self->{dir}/{sanitizer,valgrind}.*";

    is(join("\n", @reports), '', 'no sanitizer report');

    $self->learn(join '', map { $_ // '' } @$self{qw(main http also end)});
    $self->hear($self->read($_), $_) for glob "$self->{dir}/{*.log,said}";
}


sub done_testing {
    $_->finish for @all;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @lines = sort keys %revealed;
    is(join("\n", splice @lines, 0, 10), '', 'no secret is revealed')
        if %secret;

    Test::More::done_testing(@_);
}


sub end {
    my ($self, $keep) = @_;

    $self->kill_all;
    $_->stop for @{$self->{running}};

    if ($keep) {
        diag("kept: $self->{dir}");

    } else {
        File::Path::remove_tree($self->{dir});
    }
}


END {
    if ($$ == $owner) {
        my $status = $?;
        my $keep = $status || !Test::More->builder->is_passing
                   || $ENV{TEST_NGINX_LEAVE};

        InitGate::Fake->stop_all if InitGate::Fake->can('stop_all');
        $_->end($keep) for @all;

        $? = $status;
    }
}


1;
