#!/usr/bin/perl

# remote: the parameters, and errors of nginx -t.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new;
my $token = $t->write('token', 'sesame-1');

for my $words ('http://gate:8081/ready', 'http://unix:/run/gate.sock:/ready',
    'http://gate/ready follow_override name=other interval=1s',
    "https://gate/ready verify=off token_file=$token",
    'https://gate/ready sni=other')
{
    my ($status, $said) =
        $t->conf_error("init_checks app { check remote $words; }");

    is($status, 0, "$words: valid") or diag $said;
}

my %wrong = (
    'gate:8081' => qr/the URL /,
    'ftp://gate/' => qr/the URL /,
    'http://gate/ready token_file=' => qr/"token_file" needs a value/,
    'http://gate/ready follow_override=on' =>
        qr/"follow_override" takes no value/,
    'http://gate/ready verify=off' => qr/"verify" needs an https:/,
    'http://gate/ready json=/x' => qr/unknown parameter "json", allowed are /,
    'http://gate/ready status=200' => qr/unknown parameter "status"/,
    'http://u:p@gate/ready token_file=/t' => qr/"token_file" conflicts with/,
);

for my $words (sort keys %wrong) {
    my ($status, $said) =
        $t->conf_error("init_checks app { check remote $words; }");

    is($status, 1, "$words: refused");
    like($said, $wrong{$words}, "$words: message");
}

done_testing;
