# The man page: well-formed, and nothing that there is, is missing.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $top = "$FindBin::Bin/..";
my $page = "$top/doc/ngx_http_init_gate_module.7";

my @said = grep { !/mandoc\.db|: STYLE: referenced manual not found/ }
    qx(mandoc -T lint -W style $page 2>&1);
is(join('', @said), '', 'well-formed');

my $text = qx(mandoc -T ascii $page);
$text =~ s/.\x08//g;

sub source {
    my ($glob) = @_;

    return join '', map {
        open my $fh, '<', $_ or die "$_: $!";
        local $/;
        <$fh>;
    } glob "$top/src/$glob";
}

sub strings {
    my ($source, $table) = @_;

    return map { /\{ ngx_string\("(\w+)"\)/g }
        $source =~ /\b$table\s+\w+\[\] = \{(.*?)^\};/msg;
}

my $source = source('*.c') . source('*/*.c');

my %tables = (
    directives => [strings($source, 'ngx_command_t')],
    'directives of a gate' => [strings($source, 'ngx_gate_directive_t')],
    parameters => [strings($source, 'ngx_gate_param_t'),
        $source =~ /ngx_gate_\w+_param_str\("(\w+)"/g,
        source('net/ngx_gate_tls.h') =~ /\{ ngx_string\("(\w+)"\)/g],
    variables => [map { "\$$_" } strings($source, 'ngx_http_variable_t')],
);

for my $name (sort keys %tables) {
    my @words = @{$tables{$name}};

    cmp_ok(scalar @words, '>', 4, "there are $name");
    is(join(' ', grep { $text !~ /(?<![\w\$])\Q$_\E(?!\w)/ } @words), '',
        "all $name");
}

done_testing;
