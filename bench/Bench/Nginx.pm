package Bench::Nginx;

# An nginx to measure: a master, its workers, and a log without debug lines.
#
# new()  main, events, http, server => TEXT; location => TEXT in location /;
#        workers => 1; listen => 'reuseport'; module => 0: without the module

use strict;
use warnings;

use Bench;
use Cwd ();
use File::Basename ();
use POSIX ();

my $binary = $ENV{TEST_NGINX_BINARY} // '/usr/sbin/nginx';
my $top = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../..');


sub new {
    my ($class, %args) = @_;

    my $self = $class->configured(%args);
    $self->start;

    return $self;
}


# whether the configuration is valid

sub accepts {
    my ($class, %args) = @_;

    my $dir = $class->configured(%args)->{dir};

    return system("$binary -t -p $dir/ -c $dir/nginx.conf >$dir/said 2>&1")
        == 0;
}


sub configured {
    my ($class, %args) = @_;

    my $self = bless {
        main => '', events => '', http => '', server => '', location => '',
        listen => '', workers => 1, module => 1,
        dir => Bench::directory(), port => Bench::port(), %args,
    }, $class;

    $self->configure;

    return $self;
}


sub dir { $_[0]{dir} }
sub port { $_[0]{port} }
sub master { $_[0]{pid} }


sub configure {
    my ($self) = @_;

    my $dir = $self->{dir};
    my $load = $self->{module}
        ? "load_module $top/build/ngx_http_init_gate_module.so;" : '';
    my $temps = join "\n    ", map { "${_}_temp_path $dir/$_;" }
        qw(client_body proxy fastcgi uwsgi scgi);

    open my $file, '>', "$dir/nginx.conf" or die $!;
    print $file <<"CONF";
$load
daemon off;
pid $dir/nginx.pid;
error_log $dir/error.log error;
worker_processes $self->{workers};
worker_rlimit_nofile 40000;
$self->{main}
events {
    worker_connections 16384;
    $self->{events}
}
http {
    access_log off;
    keepalive_requests 1000000000;
    $temps
$self->{http}
    server {
        listen 127.0.0.1:$self->{port} backlog=16384 $self->{listen};
        location / { $self->{location} }
        $self->{server}
    }
}
CONF
    close $file or die $!;
}


sub start {
    my ($self) = @_;

    my $dir = $self->{dir};
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDERR, '>', "$dir/said";
        exec $binary, '-p', "$dir/", '-c', "$dir/nginx.conf"
            or POSIX::_exit(127);
    }

    $self->{pid} = $pid;
    $self->{owner} = $$;

    eval { Bench::connected($self->{port}) } or die $@, $self->said;
    Bench::wait_for(sub { $self->workers == $self->{workers} }, 'workers');
}


sub said {
    my ($self) = @_;

    open my $file, '<', "$self->{dir}/said" or return '';
    local $/;

    return <$file>;
}


sub workers {
    my ($self) = @_;

    open my $file, '<', "/proc/$self->{pid}/task/$self->{pid}/children"
        or die "nginx has ended: see $self->{dir}";

    return split ' ', <$file> // '';
}


sub status {
    my ($self, $uri) = @_;

    return Bench::json(Bench::ask(Bench::connected($self->{port}), $uri));
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} // return;

    kill 'TERM', $pid;
    waitpid $pid, 0;
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $!);
    $self->stop if $self->{owner} && $self->{owner} == $$;
}

1;
