#!/usr/bin/perl

# conf-examples/own-page in a real browser: the page shows the progress and
# opens the application.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Browser;
use InitGate::Example;
use InitGate::Fake;

my $app = InitGate::Fake->new(sub {
    my ($c) = @_;
    my $body = '<!doctype html><title>The application</title>';

    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body");
});

my $t = InitGate::Example->new('own-page/nginx.conf',
    '/var/lib/app' => '%%DIR%%',
    '/srv/www' => '%%DIR%%',
    'http://127.0.0.1:8000' => 'http://127.0.0.1:' . $app->port,
    'listen 8080;' => 'listen 127.0.0.1:%%PORT_8080%%;');

open my $file, '<', $t->file('soon.html') or die "soon.html: $!";
$t->write('soon.html', do { local $/; <$file> });
$t->run;

browse($t, 'own', { url => 'http://127.0.0.1:' . $t->port },
    progress => sub { $t->write('.progress', "42%\n") },
    open => sub { $t->write('.initialized') },
);

done_testing;
