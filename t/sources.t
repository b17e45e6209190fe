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

# the libraries that "config" asks for, where something is built

my $config = slurp('config');
my @packages = sort $config =~ /apt-get install (\S+)\)/g;
my @modules = sort $config =~ /pkg-config --cflags-only-I (\S+)/g;
my @left_out = sort $config =~ /^if \[ "\$(INIT_GATE_\w+)" != no/mg;

my %alpine = ('libpq-dev' => 'libpq-dev');

is(@packages, @modules, 'config: a package for each library');

for (['tools/packages', map { ["build  $_", "deb    $_"] } @packages],
     ['debian/control', map { ["               $_,"] } @packages],
     ['docker/module.Dockerfile', map { [$_, $alpine{$_} // s/^lib//r] }
        @packages],
     ['rpm/nginx-mod-init-gate.spec', map { ["pkgconfig($_)"] } @modules],
     ['docs/install.md', map { ["`$_`"] } @packages, map { "$_=no" } @left_out],
     ['tools/test-musl', map { ["$_=no"] } @left_out])
{
    my ($name, @wanted) = @$_;
    my $text = slurp($name);

    is_deeply([grep { $text !~ /(?<!\w)\Q$_\E(?!\w)/ } map { @$_ } @wanted],
        [], "$name: all libraries");
}

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
