package InitGate::Example;

# A configuration of conf-examples/, unchanged except for paths and addresses.
#
#     use InitGate::Example;
#
#     my $t = InitGate::Example->new('quick-start/nginx.conf',
#         '/var/lib/app' => '%%DIR%%/app',
#         'listen 8080;' => 'listen 127.0.0.1:%%PORT_8080%%;');
#
# Every text on the left must exist and is replaced everywhere; afterwards
# there must be no path or port of the machine that the test runs on.
#
# $t->file(NAME)    the path of a file beside the configuration
# $t->spawn_command(COMMAND, ARGUMENTS) runs one in the background
# $t->command_ok(COMMAND, ARGUMENTS, NAME) runs one and tests its exit status
# $t->restricted_ok(URI)  tests that an address that is not allowed gets 403

use parent -norequire, 'InitGate';

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use InitGate;
use POSIX ();

my $top = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../..');


sub new {
    my ($class, $name, %places) = @_;

    my $path = "$top/conf-examples/$name";
    my $dir = File::Basename::dirname($path);
    my $text = slurp($path) =~ s{^ *include (\S+);\n}{slurp("$dir/$1")}megr;

    return $class->from_text($path, $text, %places);
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<', $path or die "$path: $!";
    local $/;

    return <$fh>;
}


sub from_text {
    my ($class, $path, $text, %places) = @_;

    # the harness writes these lines

    my @own = ('load_module modules/ngx_http_init_gate_module.so;',
               grep { exists $places{$_} && !defined $places{$_} }
               keys %places);

    delete @places{@own};

    for my $line (@own) {
        $text =~ s/^\s*\Q$line\E\n//mg or die "$path: no \"$line\"";
    }

    for my $place (sort { length $b <=> length $a } keys %places) {
        $text =~ s/\Q$place\E/$places{$place}/g
            or die "$path: no \"$place\"";
    }

    my ($main, $http) = $text =~ /^(.*)^http \{\n(.*)^\}\n\z/ms
        or die "$path: no http block at the end";

    $main =~ s/^events \{ \}\n//m or die "$path: no \"events { }\"";

    (my $code = $text) =~ s/#.*//mg;
    die "$path: $1 is left" if $code
        =~ m{((?<![%\w./:])/(?:var|data|run|etc|shared)/\S*|listen \d+;)};

    my $self = $class->SUPER::new(main => $main, http => $http);
    ($self->{example}) = $path =~ m{^(.*)/};

    return $self;
}


sub file { "$_[0]{example}/$_[1]" }


sub spawn_command {
    my ($self, @command) = @_;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/command.log";
        open STDERR, '>&', \*STDOUT;
        { no warnings; exec @command }
        POSIX::_exit(127);
    }

    push @{$self->{commands}}, $pid;

    return $pid;
}


sub stop_command {
    my ($self, $pid) = @_;

    local $?;
    kill 'KILL', $pid;
    waitpid $pid, 0;

    $self->{commands} = [grep { $_ != $pid } @{$self->{commands}}];
}


sub run_command {
    my ($self, @command) = @_;

    my $pid = $self->spawn_command(@command);

    waitpid $pid, 0;
    $self->{commands} = [grep { $_ != $pid } @{$self->{commands}}];

    return $? >> 8 || $? & 127;
}


sub command_ok {
    my ($self, @command) = @_;

    my $name = pop @command;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($self->run_command(@command), 0, $name)
        or diag($self->read('command.log'));
}


sub restricted_ok {
    my ($self, $uri) = @_;

    my $answer = HTTP::Tiny->new(timeout => patience(60),
        local_address => '127.0.0.2')
        ->get('http://127.0.0.1:' . $self->port(8080) . $uri);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($answer->{status}, 403, "$uri, address not allowed: 403");
}


sub end {
    my ($self, @args) = @_;

    $self->stop_command($_) for @{$self->{commands}};
    $self->SUPER::end(@args);
}


1;
