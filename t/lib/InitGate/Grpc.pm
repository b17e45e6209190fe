package InitGate::Grpc;

# A real gRPC server with a health service, by Debian's python3-grpcio.
#
#     use InitGate::Grpc;
#
#     my $server = InitGate::Grpc->new;
#     $server->set('' => 'SERVING', 'shop.Orders' => 'NOT_SERVING');
#     $server->set('shop.Orders' => ['UNAVAILABLE', 'text']);
#
# new(port => N, tls => [CERTIFICATE, KEY], ca => FILE, health => 1)
#                       ca: a certificate of the client is required;
#                       health => 0: a server without a health service
# port
# set(SERVICE => STATUS, ...)  the responses from now on: a name or a
#                       number of HealthCheckResponse.ServingStatus, or a
#                       status of gRPC and its message; other services are
#                       NOT_FOUND
# calls                 a hash for each call so far: service, peer (an address
#                       and port for each connection), authority, left (of the
#                       time that the client gives it), agent
# freeze, thaw          by SIGSTOP
# stop, start

use strict;
use warnings;

use File::Path ();
use File::Temp ();
use InitGate ();
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();

my $owner = $$;
my @all;

my $python = <<'PYTHON';
import json, os, sys, grpc
from concurrent import futures

directory, port, health, cert, key, ca = sys.argv[1:7]
names = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"]

def check(request, context):
    start = 2 if request[1:2] < b"\x80" else 3
    service = request[start:].decode()
    metadata = dict(context.invocation_metadata())
    with open(directory + "/calls", "a") as log:
        log.write(json.dumps({
            "service": service, "peer": context.peer(),
            "left": context.time_remaining(),
            "agent": metadata.get("user-agent")}) + "\n")
    with open(directory + "/states") as states:
        state = json.load(states).get(service, ["NOT_FOUND", "no service"])
    if isinstance(state, list):
        context.abort(getattr(grpc.StatusCode, state[0]), state[1])
    number = names.index(state) if state in names else int(state)
    return b"\x08" + bytes([number]) if number else b""

server = grpc.server(futures.ThreadPoolExecutor(4), options=[
    ("grpc.so_reuseport", 0)])

if health == "1":
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
        "grpc.health.v1.Health",
        {"Check": grpc.unary_unary_rpc_method_handler(check)}),))

def read(name):
    with open(name, "rb") as f:
        return f.read()

where = "127.0.0.1:" + port

if cert:
    credentials = grpc.ssl_server_credentials(
        [(read(key), read(cert))], read(ca) if ca else None, bool(ca))
    bound = server.add_secure_port(where, credentials)
else:
    bound = server.add_insecure_port(where)

server.start()

with open(directory + "/port.new", "w") as f:
    f.write(str(bound))
os.rename(directory + "/port.new", directory + "/port")

server.wait_for_termination()
PYTHON


sub new {
    my ($class, %args) = @_;

    my $self = bless {
        port => 0, health => 1, states => {}, %args,
        dir => File::Temp::tempdir('init-gate-grpc-XXXXXX', TMPDIR => 1),
    }, $class;

    push @all, $self;
    $self->set;

    return $self->start;
}


sub start {
    my ($self) = @_;

    unlink "$self->{dir}/port";

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDERR, '>>', "$self->{dir}/log";
        exec '/usr/bin/python3', '-c', $python, $self->{dir}, $self->{port},
            $self->{health}, @{$self->{tls} // ['', '']}, $self->{ca} // ''
            or POSIX::_exit(1);
    }

    $self->{pid} = $pid;

    my $end = time + InitGate::patience(20);
    select undef, undef, undef, 0.01
        until -e "$self->{dir}/port" || time > $end;

    open my $fh, '<', "$self->{dir}/port" or die "no gRPC server: $!";
    $self->{port} = <$fh>;

    return $self;
}


sub port { $_[0]{port} }


sub set {
    my ($self, %states) = @_;

    %{$self->{states}} = (%{$self->{states}}, %states);

    open my $fh, '>', "$self->{dir}/states.new" or die "states: $!";
    print $fh JSON::PP::encode_json($self->{states});
    close $fh;
    rename "$self->{dir}/states.new", "$self->{dir}/states";
}


sub calls {
    my ($self) = @_;

    open my $fh, '<', "$self->{dir}/calls" or return;

    # the last line may be half written
    return map { JSON::PP::decode_json($_) } grep { /\n\z/ } <$fh>;
}


sub freeze { kill 'STOP', $_[0]{pid} if $_[0]{pid} }

sub thaw { kill 'CONT', $_[0]{pid} if $_[0]{pid} }


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} // return;

    local $?;
    kill 'KILL', $pid;
    waitpid $pid, 0;
}


sub stop_all {
    return if $$ != $owner;

    for my $self (splice @all) {
        $self->stop;
        File::Path::remove_tree($self->{dir});
    }
}


END { stop_all() }


1;
