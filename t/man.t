#!/usr/bin/perl

# The man page is well-formed, and it and docs/ are complete.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $top = "$FindBin::Bin/..";
my $page = "$top/docs/man/ngx_http_init_gate_module.7";

my @said = grep { !/mandoc\.db|: STYLE: referenced manual not found/ }
    qx(mandoc -T lint -W style $page 2>&1);
is(join('', @said), '', 'mandoc: no findings');

my $text = qx(mandoc -T ascii $page);
$text =~ s/.\x08//g;

sub slurp { local (@ARGV, $/) = @_; join '', <> }

sub source { slurp(glob "$top/src/$_[0]") }

sub strings {
    my ($source, $table) = @_;

    return map { /\{ ngx_string\("(\w+)"\)/g }
        $source =~ /\b$table\s+\w+\[\] = \{(.*?)^\};/msg;
}

sub table {
    my ($table) = @_;

    my ($text) = source('gate/ngx_gate{,_state}.c')
        =~ /^ngx_str_t  \Q$table\E\[\] = \{\n(.*?)^\};/ms;

    return grep { $_ ne 'none' } $text =~ /ngx_string\("(\w+)"\)/g;
}

my $source = source('*.c') . source('*/*.c');

my %tables = (
    directives => [strings($source, 'ngx_command_t')],
    'directives of a gate' => [strings($source, 'ngx_gate_conf_directive_t')],
    parameters => [strings($source, 'ngx_gate_param_t'),
        $source =~ /ngx_gate_\w+_param_str\("(\w+)"/g,
        (source('net/ngx_gate_tls.h') . source('check/ngx_gate_check_target.h'))
            =~ /\{ ngx_string\("(\w+)"\)/g],
    states => [table('ngx_gate_state_names')],
    verdicts => [table('ngx_gate_verdict_names')],
    variables => [map { "\$$_" } strings($source, 'ngx_http_variable_t')],
);

# lists that are too long for a man page; words that occur in other places

my %more = (
    metrics => [source('report/ngx_gate_metrics.c') =~ /"(nginx_init_gate_\w+)[" {]/g],
    reasons => [map { "`$_`" } table('ngx_gate_reason_names')],
    parameters => [map { qr/`\Q$_\E[`=]|\b\Q$_\E=/ } @{$tables{parameters}}],
);

sub all_in {
    my ($where, $text, $tables) = @_;

    for my $name (sort keys %$tables) {
        my @words = @{$tables->{$name}};

        cmp_ok(scalar @words, '>', 4, "sources: $name found");
        is(join(' ', grep { ref ? $text !~ $_
                : $text !~ /(?<![\w\$])\Q$_\E(?!\w)/ } @words), '',
            "$where: all $name");
    }
}

all_in('the man page', $text, \%tables);
all_in('docs/', slurp(glob "$top/docs/*.md $top/docs/checks/*.md"),
    { %tables, %more });

done_testing;
