#!/usr/bin/perl

# The module compiles without warnings if nginx, or the module itself, was
# configured without a library or a feature, and a directive that needs it is
# an error.
#
# All sources are one translation unit, with the macros of the feature removed
# from nginx's ngx_auto_config.h: half a second for each, in place of a minute.
# t/release/build.t configures and links without the optional libraries.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

chdir "$FindBin::Bin/..";

my $t = InitGate->new;

my $pages = Cwd::abs_path('.') . '/build/nginx/ngx_gate_pages.h';
for (['build/flags'], ['ngx_gate_pages.h', "-f build/nginx/Makefile $pages"]) {
    my ($name, @args) = @$_;
    my ($status, $text) = InitGate::make(@args ? @args : $name);
    is($status, 0, "make $name: exit status 0") or diag $text;
}

my @flags = split ' ', $t->read(Cwd::abs_path('build/flags'));
my $config = $t->read(Cwd::abs_path('build/nginx/ngx_auto_config.h'));

my $tls = 'NGX_OPENSSL|NGX_SSL|NGX_HTTP_SSL|NGX_QUIC\w*|NGX_HTTP_V3|NGX_COMPAT';
my $checks = 'NGX_GATE_(?:POSTGRES|REDIS|GRPC|JSON)';

my %sources = (
    POSTGRES => qr/ngx_gate_(?:check_(?:postgres|migrations|sql)|pq)/,
    REDIS => qr/ngx_gate_(?:check_redis|redis|resp)/,
    GRPC => qr/ngx_gate_(?:check_)?grpc/,
    JSON => qr/ngx_gate_check_(?:http_json|remote)/,
);

my %variants = (
    'everything' => '',
    'no PCRE' => 'NGX_PCRE2?',
    'no TLS' => $tls,
    'no HTTP/2' => 'NGX_HTTP_V2|NGX_COMPAT',
    'no threads' => 'NGX_THREADS|NGX_COMPAT',
    'no stream' => 'NGX_STREAM\w*|NGX_COMPAT',
    'no debug log' => 'NGX_DEBUG',
    'no IPv6' => 'NGX_HAVE_INET6',
    'no eventfd' => 'NGX_HAVE_EVENTFD|NGX_HAVE_SYS_EVENTFD_H',
    'no libpq' => 'NGX_GATE_POSTGRES',
    'no hiredis' => 'NGX_GATE_REDIS',
    'no nghttp2' => 'NGX_GATE_GRPC',
    'no jansson' => 'NGX_GATE_JSON',
    'nothing' => "NGX_PCRE2?|$tls|NGX_HTTP_V2|NGX_DEBUG|$checks",
);


# the directory of a variant: headers, and a file that includes all sources

sub variant {
    my ($name, $without, $before) = @_;

    my $dir = $name =~ s/\W+/_/gr;
    my $header = $config;

    $header =~ s/^#ifndef (?:$without)\n#define .*\n#endif\n//mg if $without;

    my @left_out = map { $sources{$_} }
        grep { $without && "NGX_GATE_$_" =~ /^(?:$without)$/ } keys %sources;

    my @sources = grep {
        my $source = $_;
        !grep { $source =~ $_ } @left_out;
    } sort map { glob } 'src/*.c', 'src/*/*.c';

    $t->write("$dir/ngx_auto_config.h", $header);
    $t->write("$dir/all.c", join '', $before // '',
        map { "#include \"$_\"\n" } map { Cwd::abs_path($_) } @sources);

    return $t->path($dir);
}


sub compile {
    my ($cc, $dir, @options) = @_;

    my @own = $cc eq 'clang' ? '-Wno-unknown-warning-option' : ();

    open my $pipe, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', $cc, '-I', $dir,
        @flags, '-Wall', '-Wextra', '-Werror', '-Wno-unused-parameter', @own,
        "$dir/all.c", @options or die "$cc: $!";
    my $said = do { local $/; <$pipe> } // '';
    close $pipe;

    return $? ? $said || "$cc failed" : $said;
}


my @names = sort keys %variants;

for my $cc (qw(gcc clang)) {
    SKIP: {
        skip "no $cc", scalar @names
            unless `$cc --version 2>/dev/null`;

        is(compile($cc, variant($_, $variants{$_}), '-fsyntax-only'), '',
            "$cc, $_: no warnings")
            for @names;
    }
}


# A module that this nginx loads: nginx's types are those of its headers, but
# the macros are gone before the sources.

my $macros = join '', map { "#undef $_\n" } qw(NGX_PCRE NGX_SSL);

my $dir = variant('left out', $checks, <<"END");
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include <ngx_http.h>
$macros
#include "@{[Cwd::abs_path('build/nginx')]}/ngx_http_init_gate_module_modules.c"
END

is(compile('gcc', $dir, '-O0', '-fPIC', '-shared', '-o', "$dir/module.so",
    '-lcares'), '', 'left out: linked');

sub error_of {
    my ($check) = @_;

    my (undef, $said) = $t->conf_error("init_checks app {\n$check;\n}\n",
        module => 0, main => "load_module $dir/module.so;");

    return $said =~ /\[emerg\] \d+#\d+: (.*) in \S+:\d+$/m ? $1 : $said;
}

SKIP: {
    skip 'the module is linked in', 9 if InitGate::is_linked_in();

    like(error_of('check file /there'), qr/test is successful/,
        'left out: a check of a file is valid');

    like(error_of($_->[0]), qr/\Q$_->[1]\E/, "left out: $_->[0]: error")
        for ['check postgres dbname=app', 'without libpq'],
            ['check redis redis://cache', 'without hiredis'],
            ['check grpc app:50051', 'without libnghttp2'],
            ['check http http://app/ json=/a', 'without jansson'],
            ['check remote http://gate/', 'without jansson'],
            ['check http https://app/', 'without TLS'],
            ['check tcp app:443 tls', 'without TLS'],
            ['check file /there match=a', 'PCRE'];
}

done_testing;
