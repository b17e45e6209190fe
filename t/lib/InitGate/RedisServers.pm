package InitGate::RedisServers;

# Redis servers, alone or together.
#
#     my $server = $t->redis(LINES of configuration ...);     one alone
#
#     my $servers = InitGate::RedisServers->new($t [, 'valkey-server']);
#     my $server = $servers->start(LINES ...);
#     my $node = $servers->node(LINES ...);         of a cluster
#     my $sentinel = $servers->sentinel($server [, LINES ...]);
#                                                   of that master, "main"
#
# Each listens on a port of its own at 127.0.0.1 (that of a line "port N", if
# there is one) and has its own directory; %PORT% and %DIR% in the lines stand
# for these.  They end with the test.
#
#     $server->port, $server->at (host:port), $server->pid, $server->dir
#     $server->client                a Redis object
#     $node->bus                     the port for the other nodes
#     $server->stop, $server->run    killed, and started again
#     $server->freeze, $server->thaw

use strict;
use warnings;

use POSIX ();
use Redis;

my $owner = $$;
my @all;


sub new {
    my ($class, $t, $program) = @_;

    return bless { t => $t, program => $program // 'redis-server' }, $class;
}


sub start {
    my ($self, @lines) = @_;

    return $self->add([], @lines);
}


sub node {
    my ($self, @lines) = @_;

    return $self->add([], 'cluster-enabled yes', 'cluster-port %BUS%',
        @lines);
}


sub sentinel {
    my ($self, $master, @lines) = @_;

    return $self->add(['--sentinel'],
        'sentinel monitor main 127.0.0.1 ' . $master->port . ' 1', @lines);
}


sub add {
    my ($self, $args, @lines) = @_;

    my $t = $self->{t};
    my $dir = $t->server_dir('redis');
    my ($port) = map { /^port (\d+)$/ } @lines;

    my $server = bless {
        t => $t, dir => $dir, port => $port // $t->port($dir),
        bus => $t->port("$dir bus"),
        program => $self->{program}, args => $args,
    }, 'InitGate::RedisServers::Server';

    my $conf = join "\n", 'port %PORT%', 'bind 127.0.0.1', 'dir %DIR%',
        (@$args ? () : 'save ""'), @lines, '';

    $conf =~ s/%PORT%/$server->{port}/g;
    $conf =~ s/%BUS%/$server->{bus}/g;
    $conf =~ s/%DIR%/$dir/g;

    # a sentinel writes to it
    $t->write("$dir/redis.conf", $conf);

    push @all, $server;

    return $server->run;
}


END {
    if ($$ == $owner) {
        local $?;
        $_->stop for @all;
    }
}


package InitGate::RedisServers::Server;

use POSIX ();
use Redis;


sub port { $_[0]{port} }

sub bus { $_[0]{bus} }

sub at { "127.0.0.1:$_[0]{port}" }

sub pid { $_[0]{pid} }

sub dir { $_[0]{dir} }


sub run {
    my ($self) = @_;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/log";
        open STDERR, '>&', \*STDOUT;
        { no warnings;
          exec $self->{program}, "$self->{dir}/redis.conf", @{$self->{args}}; }
        POSIX::_exit(127);
    }

    $self->{pid} = $pid;

    $self->{t}->wait_for(sub {
        return eval { $self->client };
    }, 'the server at ' . $self->at);

    return $self;
}


sub client {
    my ($self) = @_;

    return Redis->new(server => $self->at);
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} // return;

    kill 'KILL', $pid;
    local $?;
    waitpid $pid, 0;
}


sub freeze { kill 'STOP', $_[0]{pid} if $_[0]{pid} }

sub thaw { kill 'CONT', $_[0]{pid} if $_[0]{pid} }


1;
