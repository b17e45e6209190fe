#!/usr/bin/perl

# README.md and the pages beside it: nginx takes every configuration in them,
# the JSON is what the schema says, and what they link to is there.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use JSON::Validator;

my $top = "$FindBin::Bin/..";
my @pages = qw(README.md SECURITY.md docs/bench.md docs/faults.md
    conf-examples/README.md conf-examples/kubernetes/README.md);

sub slurp { local (@ARGV, $/) = "$top/$_[0]"; scalar <> }

sub blocks {
    my ($text, $language) = @_;

    my @blocks;

    while ($text =~ /^```$language\n(.*?)^```$/msg) {
        push @blocks, [1 + (substr($text, 0, $-[1]) =~ tr/\n//), $1];
    }

    return @blocks;
}


# each configuration where it belongs, with the gate that it speaks of

my $t = InitGate->new;
my ($certificate) = $t->certificate('localhost');

sub complete {
    my ($text) = @_;

    $text =~ s{\bca=\S+\.pem}{ca=$certificate}g;

    return $1 if $text =~ /^http \{\n(.*)^\}$/ms;

    # checks alone are one or the other

    if ($text =~ /^check /m) {
        my $n = 0;
        return $text =~ s/^(check .*?;)$/"init_checks app@{[$n++]} { $1 }"/gmser;
    }

    $text = "server {\n$text\n}" if $text =~ /^location /m;
    $text = "init_checks app { check file /marker; }\n$text"
        if $text !~ /^init_checks/m;

    return $text;
}

my $taken = 0;

for my $page (@pages) {
    for my $block (blocks(slurp($page), 'nginx')) {
        my ($line, $text) = @$block;
        my ($status, $said) = $t->conf_error(complete($text));

        is($status, 0, "$page:$line: taken") or diag $said;
        $taken++;
    }
}

cmp_ok($taken, '>', 15, 'there are configurations');

# the first one is that of an example, which is run

my ($example) = blocks(slurp('README.md'), 'nginx');
like(slurp('conf-examples/quick-start/nginx.conf'),
    qr/^(?:#.*\n)+\n\Q$example->[1]\E\z/, 'that of the quick start');


# JSON

my $schema = JSON::Validator->new
    ->schema("file://$top/docs/schema/init-gate.schema.json");

my @json = blocks(slurp('README.md'), 'json');
is_deeply([$schema->validate(JSON::PP::decode_json($_->[1]))], [],
    "README.md:$_->[0]: as the schema says") for @json;
is(scalar @json, 1, 'the body of a refusal');


# links: headings as they become anchors, and files

sub anchors {
    my ($text) = @_;

    $text =~ s/^```.*?^```$//msg;

    return map { $_ => 1 } map { s/[^\w\- ]//gr =~ tr/A-Z /a-z-/r }
        $text =~ /^#+ (.*)$/mg;
}

for my $page (@pages) {
    my $text = slurp($page);
    my ($dir) = $page =~ m{^(.*/)};
    my @broken;

    for my $link ($text =~ /\]\(([^)\s]+)\)/g) {
        next if $link =~ m{^https?://};

        my ($path, $anchor) = $link =~ /^([^#]*)#?(.*)$/;
        my $file = $path eq '' ? $page : ($dir // '') . $path;

        push @broken, $link
            if !-e "$top/$file" || $anchor ne '' && !{ anchors(slurp($file)) }
                ->{$anchor};
    }

    is_deeply(\@broken, [], "$page: its links lead somewhere");
}


# every command of tools/ and every target of make that they tell of;
# "modules" is nginx's

my $text = join '', map { slurp($_) } @pages;
my $makefile = slurp('Makefile');

is_deeply([grep { !-x "$top/$_" && !-f "$top/$_" }
    $text =~ m{(?<![\w/.-])(tools/[\w-]+)}g], [], 'tools');
is_deeply([grep { $makefile !~ /^(?:\w+ )*$_(?: \w+)*:/m && $_ ne 'modules' }
    $text =~ /(?:^ +|`|sudo )make ([a-z]+)\b/mg], [], 'targets of make');


# every example is told of, and run by a test

my @examples = map { m{([^/]+)/$} } glob "$top/conf-examples/*/";
my $tests = join '', map { slurp("t/$_") } grep { !/readme/ }
    map { m{([^/]+)$} } glob "$top/t/*.t";
my $index = slurp('conf-examples/README.md');

is_deeply([grep { $index !~ /\(\Q$_\E\// } @examples], [], 'examples: told of');
is_deeply([grep { $tests !~ /\b\Q$_\E\// } @examples], [], 'examples: run');

done_testing;
