package InitGate::Servers;

# The servers of an upstream group: each is an nginx of its own, without the
# module, whose readiness is a file.
#
#     use InitGate::Servers;
#
#     my $s = InitGate::Servers->new($t, 3);
#     ...upstream app { zone app 64k; } with $s->lines("weight=2"), ...
#     $s->ready(0);                       # /ready responds with 200, not 503
#
# new($t, N)       starts N servers
# ports, address(I), lines([PARAMETERS, ...])  "server 127.0.0.1:1234 ...;"
# ready(I...), unready(I...)
# stop(I), kill(I), start(I), freeze(I), thaw(I)
# requests(I), all_requests  number of requests, except for /ready
# last(I)          time of the last one (seconds since the epoch), or 0
# probes(I)        number of requests for /ready
# lines_of(I)      the lines of its log: TIME STATUS URI HOST CONNECTION
# balance($t, N [, URI])  sends N requests to nginx; returns the number at each
#                  server by its log, after the last response is in the log;
#                  the responses that are not of a server are printed; "%" in
#                  URI is the number of the request

use strict;
use warnings;

use InitGate ();


sub new {
    my ($class, $t, $n) = @_;

    my $self = bless { t => $t }, $class;

    $self->add for 1 .. $n;

    return $self;
}


sub add {
    my ($self) = @_;

    my $server = InitGate->new(module => 0, master => 0, workers => 1,
        level => 'info', http => <<'CONF');
    log_format servers '$msec $status $request_uri $http_host $http_connection';
    keepalive_timeout 60s;
    server {
        listen 127.0.0.1:%%PORT_8080%% backlog=4096;
        access_log %%DIR%%/access.log servers;
        location = /ready {
            if (!-f %%DIR%%/ready) { return 503; }
            return 200 "ready\n";
        }
        location / { return 200 "%%PORT_8080%%\n"; }
    }
CONF

    push @{$self->{servers}}, $server->run;

    return $#{$self->{servers}};
}


sub server { $_[0]{servers}[$_[1]] }
sub ports { map { $_->port(8080) } @{$_[0]{servers}} }
sub address { '127.0.0.1:' . $_[0]->server($_[1])->port(8080) }

sub ready { my $self = shift; $self->server($_)->write('ready') for @_ }
sub unready { my $self = shift; $self->server($_)->remove('ready') for @_ }

sub start { $_[0]->server($_[1])->run }
sub freeze { $_[0]->server($_[1])->signal('STOP') }
sub thaw { $_[0]->server($_[1])->signal('CONT') }


sub stop {
    my ($self, $i) = @_;

    $self->server($i)->quit;
}


sub kill {
    my ($self, $i) = @_;

    my $server = $self->server($i);
    my $pid = $server->{child};

    CORE::kill('KILL', $pid);
    waitpid $pid, 0;
    delete @$server{qw(child pid)};
    $server->remove('nginx.pid');
}


sub lines {
    my ($self, @params) = @_;

    return join '', map {
        "        server " . $self->address($_) . ' ' . ($params[$_] // '')
            . ";\n"
    } 0 .. $#{$self->{servers}};
}


sub lines_of { split /\n/, $_[0]->server($_[1])->read('access.log') }
sub requests { scalar grep { !m{ /ready[ ?]} } $_[0]->lines_of($_[1]) }
sub probes { scalar grep { m{ /ready[ ?]} } $_[0]->lines_of($_[1]) }
sub all_requests { my $s = shift; map { $s->requests($_) } 0 .. $#{$s->{servers}} }


sub last {
    my ($self, $i) = @_;

    my @lines = grep { !m{ /ready[ ?]} } $self->lines_of($i);

    return @lines && $lines[-1] =~ /^([\d.]+)/ ? $1 : 0;
}


sub balance {
    my ($self, $t, $n, $uri, %args) = @_;

    my @before = $self->all_requests;
    my $goal = 0;
    my @after;

    for my $k (1 .. $n) {
        my $response = $t->get(($uri // '/') =~ s/%/$k/r, %args);
        my $of_server = grep { "$_\n" eq $response->{content} } $self->ports;

        Test::More::diag("status $response->{status}") if !$of_server;
        $goal += $of_server;
    }

    $goal += $_ for @before;

    # the log is written after the response

    $t->wait_for(sub {
        my $sum = 0;
        $sum += $_ for @after = $self->all_requests;
        return $sum >= $goal;
    }, 'requests in the logs of the servers');

    return map { $after[$_] - $before[$_] } 0 .. $#after;
}


1;
