package InitGate::Pod;

# A pod as processes: nginx with the configuration of the sidecar, an
# application, and the actions of Kubernetes.
#
#     use InitGate::Manifests;
#     use InitGate::Pod;
#
#     my $pod = InitGate::Pod->new(InitGate::Manifests->new('sidecar'));
#     $pod->start;
#     $pod->load;
#     $t->wait_for(sub { $pod->ready }, 'the pod to be ready');
#     $pod->delete;
#     InitGate::Pod->second until $pod->gone;
#
# new(MANIFESTS, places => {...})  replaces more texts of the configuration
# start, start_app, kill_app, start_gate, stop_gate
#               by the commands and signals of the containers
# load, unload  whether the application loads when it runs; before that it
#               returns 500, but 200 for /health.  /slow waits for release
# ready         the result of the readiness probe
# delete        runs the preStop hooks of both containers at the same time; a
#               container gets its signal after its own, a native sidecar when
#               the application has also ended
# gone          both have ended
# on_stop(NAME, CODE)  runs CODE between the hook and the signal of a container
# port          of the gate;  $pod->gate is the InitGate of its nginx
#
# "sleep" in a preStop waits for as many calls of second().  second() returns
# after all actions due at that time, so the order of events does not
# depend on the speed of the machine.

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use InitGate;
use InitGate::Example;
use InitGate::Manifests;
use POSIX ();

my $top = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../..');

my ($stopsignal) = InitGate::Manifests::slurp("$top/docker/Dockerfile")
    =~ /^STOPSIGNAL SIG(\w+)$/m;

my $clock = 0;
my @all;

# one request per connection; after TERM the port is closed, and open
# connections are served

use constant APP => <<'PERL';
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;

my ($dir, $port) = @ARGV;

my $listen = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
    Listen => 128, ReuseAddr => 1) or die "listen: $!";
my $select = IO::Select->new($listen);
my ($loaded, $end, %request);

$SIG{TERM} = sub { $end = 1 };
$SIG{PIPE} = 'IGNORE';

sub done {
    my ($socket) = @_;

    $select->remove($socket);
    delete $request{$socket};
    close $socket;
}

while ($select->count) {
    if ($end && $listen) {
        done($listen);
        undef $listen;
    }

    if (!$loaded && -e "$dir/load") {
        $loaded = 1;
        open my $marker, '>', "$dir/data/.initialized" or die "marker: $!";
    }

    for my $socket ($select->can_read(0.02)) {
        if ($listen && $socket == $listen) {
            my $client = $listen->accept or next;
            $select->add($client);
            $request{$client} = '';

        } elsif (!sysread $socket, $request{$socket}, 4096,
            length $request{$socket})
        {
            done($socket);
        }
    }

    for my $socket ($select->handles) {
        my ($uri) = ($request{$socket} // '') =~ /^\w+ (\S+).*\r\n\r\n/s
            or next;
        next if $uri eq '/slow' && !-e "$dir/release";

        my $status = $loaded || $uri eq '/health' ? '200 OK'
            : '500 Not Loaded';

        syswrite $socket, "HTTP/1.0 $status\r\nContent-Length: 3\r\n\r\napp";
        done($socket);
    }
}
PERL


sub new {
    my ($class, $manifests, %args) = @_;

    my $conf = $manifests->get('ConfigMap')->{data};
    my $containers = $manifests->containers;

    # the gate "data" is open

    my $gate = InitGate::Example->from_text('sidecar',
        "load_module modules/ngx_http_init_gate_module.so;\n"
        . "events { }\nhttp {\n$conf->{'app.conf'}$conf->{'server.conf'}"
        . "init_checks data { check file %%DIR%%/nginx.conf; }\n}\n",
        '/data/' => '%%DIR%%/data/',
        '127.0.0.1:8000' => '127.0.0.1:%%PORT_8000%%',
        'listen 8080;' => 'listen 127.0.0.1:%%PORT_8080%%;',
        'listen [::]:8080;' => '',
        'listen 9113;' => 'listen 127.0.0.1:%%PORT_9113%%;',
        'listen [::]:9113;' => '',
        %{$args{places} // {}});

    my $self = bless { gate => $gate, containers => $containers }, $class;
    my $dir = $gate->dir;

    mkdir "$dir/$_" for 'data', 'bin';
    chmod 0755, "$dir/data";
    $gate->write('clock', $clock);

    # the commands of the containers

    my $nginx = join ' ', map { "'$_'" } $gate->command;

    $self->script('app', "exec $^X $dir/app.pl $dir " . $gate->port(8000));
    $gate->write('app.pl', APP);
    $self->script('nginx', "exec $nginx \"\$@\"");
    $self->script('sleep', <<"SH");
until=\$((\$(cat $dir/clock) + \$1))
echo \$until > $dir/sleeping.\$CONTAINER
until [ \$(cat $dir/clock) -ge \$until ]; do /bin/sleep 0.01; done
rm $dir/sleeping.\$CONTAINER
SH

    push @all, $self;

    return $self;
}


sub script {
    my ($self, $name, $text) = @_;

    chmod 0755, $self->{gate}->write("bin/$name", "#!/bin/sh\n$text\n");
}


sub gate { $_[0]{gate} }

sub port { $_[0]{gate}->port(8080) }


# a command of a container

sub run {
    my ($self, $name, @command) = @_;

    my $dir = $self->{gate}->dir;

    local $ENV{PATH} = "$dir/bin:$ENV{PATH}";
    local $ENV{CONTAINER} = $name;

    return $self->{gate}->spawn_command(map { s{(?<![\w.])/data/}{$dir/data/}gr }
        @command);
}


sub start {
    my ($self) = @_;

    $self->start_app;
    $self->start_gate;

    return $self;
}


sub start_gate { $_[0]{gate}->run }

sub stop_gate { $_[0]{gate}->quit($stopsignal) }


sub start_app {
    my ($self) = @_;

    $self->{app} = $self->run('app', @{$self->{containers}{app}{command}});
}


sub kill_app {
    my ($self) = @_;

    $self->{gate}->stop_command(delete $self->{app});
}


sub load { $_[0]{gate}->write('load') }

sub unload { $_[0]{gate}->remove('load') }

sub release { $_[0]{gate}->write('release') }


sub ready {
    my ($self) = @_;

    my $probe = $self->{containers}{gate}{readinessProbe}{httpGet};

    return $self->{gate}->get($probe->{path})->{status} == 200;
}


sub delete {
    my ($self) = @_;

    for my $name ('gate', 'app') {
        my $hook = $self->{containers}{$name}{lifecycle}{preStop}{exec};

        $self->{hook}{$name} = $hook ? $self->run($name, @{$hook->{command}})
            : 0;
    }

    $self->settle;
}


sub gone { !$_[0]{hook} || !%{$_[0]{hook}} }


sub on_stop {
    my ($self, $name, $code) = @_;

    $self->{on_stop}{$name} = $code;
}


sub reaped {
    my ($self, $pid) = @_;

    local $?;
    return 0 if waitpid($pid, POSIX::WNOHANG()) == 0;

    my $gate = $self->{gate};
    $gate->{commands} = [grep { $_ != $pid } @{$gate->{commands}}];

    return 1;
}


# the hook has ended, or sleeps

sub settled {
    my ($self, $name) = @_;

    my $pid = $self->{hook}{$name};

    $self->{hook}{$name} = 0 if $pid && $self->reaped($pid);

    return !$self->{hook}{$name}
        || ($self->{gate}->read("sleeping.$name") || 0) > $clock;
}


sub settle {
    my ($self) = @_;

    for my $name ('app', 'gate') {
        exists $self->{hook}{$name} or next;

        $self->{gate}->wait_for(sub { $self->settled($name) },
            "the preStop of $name");

        next if $self->{hook}{$name};

        my $code = delete $self->{on_stop}{$name};
        $code->() if $code;

        # a native sidecar is the last one

        next if $name eq 'gate' && exists $self->{hook}{app}
            && ($self->{containers}{gate}{restartPolicy} // '') eq 'Always';

        $self->stop($name);
        delete $self->{hook}{$name};
    }
}


sub stop {
    my ($self, $name) = @_;

    return $self->stop_gate if $name eq 'gate';

    kill 'TERM', $self->{app};
    $self->{gate}->wait_for(sub { $self->reaped($self->{app}) },
        'the application to end');
}


# one second of all pods

sub second {
    $clock++;
    $_->{gate}->write('clock', $clock) for @all;
    $_->settle for grep { !$_->gone } @all;
}


1;
