#!/usr/bin/perl

# README.md, docs/ and the other pages: nginx accepts every configuration in
# them, the JSON matches the schema, links and anchors lead somewhere, and
# commands, files and tests that they name exist.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use JSON::Validator;

my $top = "$FindBin::Bin/..";

chdir $top;

my @pages = grep { !m{/node_modules/} } sort map { s{^\./}{}r }
    split /\n/, `find . -name '*.md' ! -path './build*' ! -path './debian/*'`;

sub slurp { local (@ARGV, $/) = $_[0]; scalar <> }

my %text = map { $_ => slurp($_) } @pages;

# [line, text] of each fenced block of a language

sub blocks {
    my ($page, $language) = @_;

    my @blocks;

    while ($text{$page} =~ /^```$language\n(.*?)^```$/msg) {
        push @blocks,
            [1 + (substr($text{$page}, 0, $-[1]) =~ tr/\n//), $1];
    }

    return @blocks;
}


# each configuration, in the context where it belongs

my $t = InitGate->new;
my ($certificate) = $t->certificate('localhost');

sub complete {
    my ($text) = @_;

    $text =~ s{\bca=\S+\.(?:pem|crt)}{ca=$certificate}g;
    $text =~ s{^error_log .*}{error_log $t->{dir}/other.log notice;}mg;

    return $1 if $text =~ /^http \{\n(.*)^\}$/ms;

    # checks alone: a gate for each

    if ($text =~ /^check /m) {
        my $n = 0;
        return $text =~ s/^(check .*?;(?:\ntrigger .*?;)?)$/
            "init_checks app@{[$n++]} { $1 }"/gmsexr;
    }

    $text = "server {\n$text\n}" if $text =~ /^location /m;
    $text = "init_checks app { check file /marker; }\n$text"
        if $text !~ /^init_checks/m;

    return $text;
}

my $accepted = 0;

for my $page (@pages) {
    for my $block (blocks($page, 'nginx')) {
        my ($line, $text) = @$block;
        my ($status, $said) = $t->conf_error(complete($text));

        is($status, 0, "$page:$line: accepted by nginx -t") or diag $said;
        $accepted++;
    }
}

cmp_ok($accepted, '>', 20, 'configurations in the pages: found');

# some are files of conf-examples/, which are run

sub file_ok {
    my ($page, $language, $file) = @_;

    my $text = slurp($file) =~ s/\A(?:#.*\n)+\n//r;
    ok((grep { $_->[1] eq $text } blocks($page, $language)),
        "$page: contains $file");
}

file_ok('docs/getting-started.md', 'nginx', 'conf-examples/quick-start/init-gate.conf');
file_ok('docs/waiting-page.md', 'html', 'conf-examples/own-page/soon.html');


# README.md: a front page; its commands are in docs/install.md, which
# t/release/install.t and tools/test-docker run

cmp_ok($text{'README.md'} =~ tr/\n//, '<=', 200, 'README.md: a front page');

for my $block (blocks('README.md', 'sh')) {
    my ($line, $text) = @$block;

    ok((grep { index($_->[1], $text) == 0 } blocks('docs/install.md', 'sh')),
        "README.md:$line: a block of docs/install.md");
}


# shell

for my $page (@pages) {
    for my $block (blocks($page, 'sh')) {
        my ($line, $text) = @$block;

        $t->write('block.sh', $text);
        is(system('sh', '-n', $t->path('block.sh')), 0, "$page:$line: sh -n");
    }
}


# Perl: tests, which pass

my $perl = 0;

for my $page (@pages) {
    for my $block (blocks($page, 'perl')) {
        my ($line, $text) = @$block;

        # not by write(), which fills in placeholders
        open my $file, '>', $t->path('block.t') or die $!;
        print $file $text;
        close $file or die $!;

        my $said = qx($^X -I$top/t/lib $t->{dir}/block.t 2>&1);

        is($?, 0, "$page:$line: passes") or diag $said;
        $perl++;
    }
}

is($perl, 1, 'CONTRIBUTING.md: one test');


# JSON

my $schema = JSON::Validator->new
    ->schema("file://$top/docs/schema/init-gate.schema.json");
my $json = 0;

for my $page (@pages) {
    for my $block (blocks($page, 'json')) {
        my ($line, $text) = @$block;

        is_deeply([$schema->validate(JSON::PP::decode_json($text))], [],
            "$page:$line: matches the schema");
        $json++;
    }
}

is($json, 1, 'body of a refusal: one, which matches the schema');


# languages of blocks that are not tested; t/examples_grpc.t runs the Python,
# and t/postgres_listen_trigger.t the SQL

is_deeply([map { my $page = $_;
    map { "$page: $_" } grep { !/^(?:nginx|sh|perl|json|html|python|sql)?$/ }
    $text{$page} =~ /^```([^\n]*)\n.*?^```$/msg } @pages], [],
    'every block is tested');


# links: files, and anchors of headings

sub anchors {
    my ($page) = @_;

    my $text = $text{$page} =~ s/^```.*?^```$//msgr;
    my %anchors;

    for my $heading ($text =~ /^#+ (.*)$/mg) {
        my $anchor = lc($heading =~ s/[^\w\- ]//gr) =~ tr/ /-/r;

        my $n = $anchors{$anchor}++;
        $anchors{"$anchor-$n"} = 1 if $n;
    }

    return \%anchors;
}

sub normal {
    my ($path) = @_;

    1 while $path =~ s{(^|/)(?!\.\./)[^/]+/\.\./}{$1};

    return $path;
}

my %linked;

for my $page (@pages) {
    my $text = $text{$page} =~ s/^```.*?^```$//msgr;
    my ($dir) = $page =~ m{^(.*/)};
    my @broken;

    for my $link ($text =~ /\]\(([^)\s]+)\)/g) {
        next if $link =~ m{^https?://};

        my ($path, $anchor) = $link =~ /^([^#]*)#?(.*)$/;
        my $file = $path eq '' ? $page : normal(($dir // '') . $path);

        $linked{$file} = 1 if $file ne $page;

        push @broken, $link if !-e $file
            || $anchor ne '' && !($text{$file} && anchors($file)->{$anchor});
    }

    is_deeply(\@broken, [], "$page: links");
}

is_deeply([grep { !$linked{$_} && $_ ne 'README.md' } @pages], [],
    'all pages: linked');

my $index = $text{'docs/README.md'};

is_deeply([grep { my $page = $_; m{^docs/(.*)} && $1 ne 'README.md'
        && index($index, "]($1)") < 0 } @pages], [],
    'docs/README.md: every page of docs/');


# commands, targets of make ("modules" is nginx's), files and tests

my $all = join '', map({ $text{$_} } @pages),
    slurp('.github/workflows/ci.yml');
my $makefile = slurp('Makefile');

is_deeply([grep { !-x && !-f }
    $all =~ m{(?<![\w/.-])((?:docs/)?tools/[\w.-]*\w)}g], [],
    'tools in the pages: exist');
is_deeply([grep { $makefile !~ /^(?:\w+ )*$_(?: \w+)*:/m && $_ ne 'modules' }
    $all =~ /(?:^ +|^|`|sudo )make ([a-z]+)\b/mg], [],
    'targets of make in the pages: exist');
my $functions = join '', map { slurp($_) } glob 'src/*.c src/*/*.c';

is_deeply([grep { $functions !~ /^$_\(/m } $all =~ /`(ngx_\w*gate_\w+)\(\)`/g], [],
    'functions in the pages: exist');
is_deeply([grep { !-e && !/foo/ }
    $all =~ m{(?<![\w/.-])((?:src|t|bench)/[\w/]+\.(?:[chlt]|pm|pl))\b}g], [],
    'sources and tests in the pages: exist');


# every example is in the index, and run by a test

my @examples = map { m{([^/]+)/$} } glob 'conf-examples/*/';
my $tests = join '', map { slurp($_) } grep { !/docs/ }
    glob 't/*.t t/lib/InitGate/*.pm';
my $list = $text{'conf-examples/README.md'};

is_deeply([grep { $list !~ /\(\Q$_\E\// } @examples], [],
    'examples: in the index');
is_deeply([grep { $tests !~ /\b\Q$_\E\// } @examples], [], 'examples: run');

done_testing;
