package InitGate::DebianRoot;

# A fresh minimal Debian, of the release that tools/test --release tests.
#
#     my $root = InitGate::DebianRoot->new;
#     my ($status, $said) = $root->run('apt-get', 'update');
#     $root->run_ok(\@command, $name)     offline: a network of loopback only
#     $root->online_ok(\@command, $name)
#     $root->checkout                     a copy of it, at /src/nginx-init-gate
#     $root->script(@blocks)              a command that runs them there
#     $root->read($path), $root->write($path, $text), $root->glob($pattern)
#
#     InitGate::DebianRoot::commands($page, $title)  the blocks of a section
#     InitGate::DebianRoot::commands_after($page, $sentence)
#
# It is removed at the end.

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use File::Temp ();
use Test::More;

our $release = $ENV{INIT_GATE_RELEASE}
    // plan(skip_all => 'for tools/test --release');

# END blocks run after a signal, too
$SIG{INT} = $SIG{TERM} = sub { exit 1 };

my $top = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../..');


sub new {
    my ($class) = @_;

    my $dir = File::Temp::tempdir('init-gate-root-XXXXXX', TMPDIR => 1,
        CLEANUP => 1);
    my $self = bless { dir => "$dir/root" }, $class;

    system("$top/tools/root", 'new', $release, $self->{dir}) == 0
        or die "no root of $release";

    return $self;
}


sub command {
    my ($self, @command) = @_;

    open my $pipe, '-|', 'sh', '-c', 'exec "$@" 2>&1 </dev/null', 'sh',
        "$top/tools/root", 'run', @command or die "tools/root: $!";
    my $said = do { local $/; <$pipe> } // '';
    close $pipe;

    return ($? >> 8 || $? & 127, $said);
}


sub run {
    my ($self, @command) = @_;

    return $self->command('--offline', $self->{dir}, @command);
}


sub succeeded {
    my ($name, $status, $said) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 2;
    is($status, 0, $name) or diag($said);

    return $said;
}


sub run_ok {
    my ($self, $command, $name) = @_;

    return succeeded($name, $self->run(@$command));
}


sub online_ok {
    my ($self, $command, $name) = @_;

    return succeeded($name, $self->command($self->{dir}, @$command));
}


sub checkout {
    my ($self) = @_;

    my $to = "$self->{dir}/src/nginx-init-gate";

    system('sh', '-c', 'mkdir -p "$1" && cd "$0" && tar -c --exclude-vcs '
        . '--exclude="./build*" --exclude="./obj-*" --exclude=node_modules . '
        . '| tar -C "$1" --no-same-owner -x', $top, $to) == 0
        or die 'no copy of the checkout';

    return $to;
}


sub script {
    my ($self, @blocks) = @_;

    $self->write('/script.sh', "cd /src/nginx-init-gate\nset -e\n"
        . join '', @blocks);

    return ['sh', '/script.sh'];
}


sub read {
    my ($self, $path) = @_;

    open my $fh, '<', "$self->{dir}$path" or return;
    local $/;

    return <$fh>;
}


sub write {
    my ($self, $path, $text) = @_;

    open my $fh, '>', "$self->{dir}$path" or die "$path: $!";
    print $fh $text;
    close $fh or die "$path: $!";
}


sub glob {
    my ($self, $pattern) = @_;

    return map { substr $_, length $self->{dir} } grep { -e }
        CORE::glob "$self->{dir}$pattern";
}


# the commands of a page: the blocks of a section, and the lines after a
# sentence

sub page {
    my ($name) = @_;

    open my $fh, '<', "$top/$name" or die "$name: $!";
    local $/;

    return scalar <$fh>;
}


sub commands {
    my ($name, $title) = @_;

    my ($section) = page($name) =~ /^## \Q$title\E\n(.*?)^## /ms
        or die "$name has no \"$title\"";

    return $section =~ /^```sh\n(.*?)^```/msg;
}


sub commands_after {
    my ($name, $words) = @_;

    my ($commands) = page($name) =~ /^\Q$words\E.*?\n\n((?:    [^\n]*\n)+)/ms
        or die "$name has no \"$words\"";

    return $commands =~ s/^    //mgr;
}


1;
