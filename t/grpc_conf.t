#!/usr/bin/perl

# grpc: the parameters, and errors of nginx -t.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;

my $t = InitGate->new;
my ($certificate, $key) = $t->certificate('client');

for my $words ('app.example:50051', '127.0.0.1:1', '[::1]:50051',
    'unix:/run/app.sock', 'app.invalid:443 tls',
    'app:1 service=shop.Orders name=orders optional timeout=1s',
    'unix:/run/app.sock tls sni=app', 'unix:/run/app.sock tls verify=off',
    "app:1 tls ca=$certificate cert=$certificate key=$key sni=other",
    'app:1 service=' . 'x' x 1000)
{
    my ($status, $said) =
        $t->conf_error("init_checks app { check grpc $words; }");

    is($status, 0, substr("$words: valid", 0, 70)) or diag $said;
}

my %wrong = (
    'app' => qr/the target has no port, it must be "host:port"/,
    'grpc://app:1' => qr/the target is a URL, it must be "host:port"/,
    'u:secret@app:1' => qr/the target has an invalid port/,
    ':1' => qr/has no host/,
    'unix:app.sock' => qr/no absolute path/,
    'app:1 service=' => qr/"service" needs a value/,
    'app:1 service=a service=b' => qr/duplicate parameter "service"/,
    'app:1 tls=on' => qr/"tls" takes no value/,
    'app:1 ca=/x' => qr/"ca" needs "tls"/,
    'app:1 verify=off' => qr/"verify" needs "tls"/,
    'unix:/x tls' => qr/"sni" is missing/,
    'app:1 tls ca=/none.pem' => qr/"ca=/,
    'app:1 send=x' => qr/unknown parameter "send", allowed are service= tls/,
);

for my $words (sort keys %wrong) {
    my ($status, $said) =
        $t->conf_error("init_checks app { check grpc $words; }");

    isnt($status, 0, "$words: refused");
    like($said, $wrong{$words}, "$words: message");
    like($said, qr/in check "grpc" of type "grpc"/, "$words: the check");
    unlike($said, qr/secret/, "$words: no secret in the message");
}

done_testing;
