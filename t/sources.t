#!/usr/bin/perl

# Lists in two places are equal; the style of the sources.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use JSON::PP;

chdir "$FindBin::Bin/..";

sub slurp { local (@ARGV, $/) = @_; scalar <> }

is(`tools/style`, '', 'tools/style: no findings');

# "config" lists all sources

my %built = map { $_ => 1 } slurp('config') =~ m{\$init_gate_src/(\S+?\.c)\b}g;
my %there = map { $_ => 1 } `find src -name '*.c'` =~ m{^src/(.*)$}gm;

is_deeply([sort keys %built], [sort keys %there], 'config: all sources');

# each library that "config" needs is a dependency of every build

my @packages = slurp('config') =~ /apt-get install (\S+-dev)\b/g;
my @modules = slurp('config') =~ /pkg-config --libs (\S+)/g;

is(scalar @packages, 5, 'config: libraries');
is(scalar @modules, 5, 'config: names of pkg-config');

for my $file (qw(tools/packages debian/control docker/module.Dockerfile
                 docs/install.md))
{
    my $text = slurp($file);
    is(join(' ', grep { $text !~ /\Q$_\E\b/ } @packages), '',
        "$file: all libraries");
}

my ($spec) = glob('rpm/*.spec');
my $spec_text = slurp($spec);
is(join(' ', grep { $spec_text !~ /pkgconfig\(\Q$_\E\)/ } @modules), '',
    "$spec: all libraries");

# the names of the C tables and of the JSON Schema

my $defs = decode_json(slurp('docs/schema/init-gate.schema.json'))->{'$defs'};
my $gate = slurp('src/gate/ngx_gate.c')
    . slurp('src/gate/ngx_gate_state.c');

for (['state', 'ngx_gate_state_names'], ['verdict', 'ngx_gate_verdict_names'],
     ['reason', 'ngx_gate_reason_names'])
{
    my ($what, $table) = @$_;

    my ($text) = $gate =~ /^ngx_str_t  \Q$table\E\[\] = \{\n(.*?)^\};/ms;
    my @names = $text =~ /ngx_string\("(\w+)"\)/g;

    is_deeply([sort @{$defs->{$what}{enum}}], [sort @names],
        "schema: all names of $what");
}

# the version

my ($version) = slurp('src/ngx_gate.h') =~ /NGX_GATE_VERSION\s+"(\S+)"/;
like(slurp('CHANGES'), qr/^Changes with nginx-init-gate \Q$version\E\b/m,
    'CHANGES: this version');

done_testing;
