#!/usr/bin/perl

# conf-examples/own-page: a waiting page of one's own, by error_page and SSI.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Example;
use InitGate::Fake;

my $app = InitGate::Fake->new(sub {
    my ($c) = @_;
    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
});

my $t = InitGate::Example->new('own-page/nginx.conf',
    '/var/lib/app' => '%%DIR%%',
    '/srv/www' => '%%DIR%%',
    'http://127.0.0.1:8000' => 'http://127.0.0.1:' . $app->port,
    'listen 8080;' => 'listen 127.0.0.1:%%PORT_8080%%;');

open my $fh, '<', $t->file('soon.html') or die "soon.html: $!";
$t->write('soon.html', do { local $/; <$fh> });
$t->run;

sub progress {
    my ($response) = @_;

    return $response->{content} =~ /<p id="progress">\s+(.*?)\s+<\/p>/s
        ? $1 : undef;
}

my $r = $t->get('/');
is($r->{status}, 503, 'closed: 503');
like($r->{content}, qr/<h1>The shop opens soon<\/h1>/, 'closed: the page');
like($r->{headers}{'x-init-gate'}, qr/^app; /, 'closed: X-Init-Gate');

$t->write('.progress', "42%\n");
$t->wait_for(sub {
    progress($t->request('OPTIONS', '/')) eq
        '<progress max="1" value="0.42"></progress>'
}, 'the progress of a poll');

is($app->connections, 0, 'closed: no connection to the application');

$t->write('.initialized');
$t->wait_for(sub { $t->json('/init')->{ready} }, 'the gate to open');

$r = $t->request('OPTIONS', '/');
is($r->{headers}{'x-init-gate'}, undef, 'open: a poll has no X-Init-Gate');
is($t->get('/')->{content}, 'hello', 'open: the application');
is($t->get('/soon.html')->{status}, 404, 'open: the page is internal');

done_testing;
