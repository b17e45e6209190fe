package InitGate::Manifests;

# The manifests of conf-examples/kubernetes/.
#
#     use InitGate::Manifests;
#
#     my $m = InitGate::Manifests->new('sidecar');
#
# new(DIRECTORY)  the manifests of a directory there, or of an absolute path:
#                 as they are, or, if it has components or patches, as kubectl
#                 renders them (only if kustomize)
# kustomize       whether kubectl is 1.22 or later;  why: the message if not
# $m->valid       tests that they match the types of the API
# $m->all, $m->get(KIND [, NAME])
# $m->conf        the files of the ConfigMap
# $m->pod         the template of the Deployment
# $m->containers  its containers by name, with native sidecars
# validate(PATH ...)   exit status and output of validate.py

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use File::Temp ();
use JSON::PP ();
use Test::More;

my $top = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../..');
my $examples = "$top/conf-examples/kubernetes";


sub slurp {
    my ($path) = @_;

    open my $fh, '<', $path or die "$path: $!";
    local $/;

    return scalar <$fh>;
}


sub validate {
    my (@paths) = @_;

    my $said = qx(/usr/bin/python3 $top/t/kubernetes/validate.py @paths 2>&1);

    return ($? >> 8, $said);
}


sub kustomize {
    our $can //= do {
        my $said = qx(kubectl version --client -o json 2>/dev/null) || '{}';
        my $client = JSON::PP::decode_json($said)->{clientVersion} // {};

        ($client->{major} // 0) * 1000 + (($client->{minor} // 0) =~ /(\d+)/)[0]
            >= 1022 ? 1 : 0;
    };

    return $can;
}


sub why { 'no kubectl of Kubernetes 1.22 or later' }


sub new {
    my ($class, $name) = @_;

    my $self = bless { name => $name,
        dir => $name =~ m{^/} ? $name : "$examples/$name" }, $class;

    my $kustomization = slurp("$self->{dir}/kustomization.yaml");
    my $made = $kustomization =~ /^(?:components|patches):/m;

    my @paths = $made ? $self->render : map { "$self->{dir}/$_" }
        $kustomization =~ /^resources:\n((?:  - .*\n)+)/m
            ? $1 =~ /- (\S+\.yaml)$/mg : ();

    ($self->{status}, $self->{said}) = validate(@paths);
    $self->{all} = JSON::PP::decode_json($self->{said}) if !$self->{status};

    if (!$made) {
        my ($config, $files) = $kustomization
            =~ /^configMapGenerator:\n  - name: (\S+)\n    files:\n(.*)/ms;

        push @{$self->{all}}, {
            kind => 'ConfigMap', metadata => { name => $config },
            data => { map { $_ => slurp("$self->{dir}/$_") }
                $files =~ /- (\S+)$/mg },
        };
    }

    return $self;
}


sub render {
    my ($self) = @_;

    $self->{rendered} = File::Temp->new(SUFFIX => '.yaml');
    print {$self->{rendered}} scalar qx(kubectl kustomize $self->{dir} 2>&1);
    close $self->{rendered};

    return $self->{rendered}->filename;
}


sub valid {
    my ($self) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return is($self->{status}, 0, "$self->{name}: valid")
        || diag($self->{said});
}


sub all { @{$_[0]{all}} }


sub get {
    my ($self, $kind, $name) = @_;

    my @found = grep {
        $_->{kind} eq $kind && (!$name || $_->{metadata}{name} eq $name)
    } $self->all;

    return $found[0];
}


sub conf {
    my ($self) = @_;

    my $data = $self->get('ConfigMap')->{data};

    return join "\n", map { $data->{$_} } sort keys %$data;
}


sub pod { $_[0]->get('Deployment')->{spec}{template} }


sub containers {
    my ($self) = @_;

    my $spec = $self->pod->{spec};

    return { map { $_->{name} => $_ } @{$spec->{initContainers} // []},
        @{$spec->{containers}} };
}


1;
