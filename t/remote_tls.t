#!/usr/bin/perl

# The remote check over TLS with a token: certificates are verified, the token
# is read for each request, changes arrive at once.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;

# nginx's own debug log has the value of the map

my $origin = InitGate->new(status => 8081, level => 'notice');
my ($crt, $key) = $origin->certificate('localhost', '127.0.0.1');
my ($other) = $origin->certificate('localhost');

$origin->run(http => <<"CONF");
    init_checks app {
        check file %%DIR%%/marker  name=marker;
        interval 20ms;
        latch off;
        fall 1;
    }
    map \$http_authorization \$known {
        "Bearer token-number-1" 1;
        "Bearer token-number-2" 1;
    }
    log_format token '\$uri \$known \$status \$http_prefer';
    server {
        listen 127.0.0.1:%%PORT_8080%% ssl;
        ssl_certificate $crt;
        ssl_certificate_key $key;
        access_log %%DIR%%/access.log token;
        location = /ready {
            if (\$known = "") { return 401; }
            init_ready app;
        }
    }
    server {
        listen 127.0.0.1:%%PORT_8081%%;
        location = /init { init_status details=on; }
    }
CONF

my $t = InitGate->new;

$t->write('token', "token-number-1\n");
chmod 0644, $t->path('token');

my $url = 'https://127.0.0.1:' . $origin->port . '/ready';

$t->run(http => <<"CONF");
    init_checks app {
        check remote $url  token_file=%%DIR%%/token  ca=$crt;
        interval 1h 1h;
        backoff 50ms;
        latch off;
    }
    init_checks others {
        interval 50ms;
        backoff 50ms;
        check remote $url name=untrusted  token_file=%%DIR%%/token  ca=$other;
        check remote $url name=system     token_file=%%DIR%%/token;
        check remote $url name=unverified token_file=%%DIR%%/token  verify=off;
        check remote $url name=no_token   ca=$crt;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

sub is_check {
    my ($name, $expected, $message) = @_;

    my ($check, $is) = ({}, '');

    ok($t->wait_for(sub {
        $check = $t->check($name, $name eq 'remote' ? 'app' : 'others');
        $is = join ' ', grep { defined } @$check{qw(verdict reason)};
        return $is eq $expected && ($check->{message} // '') =~ $message;
    }, "$name: $expected"), "$name: $expected")
        or diag("$is: " . ($check->{message} // ''));
}

my $closed = qr/^gate "app" is initializing: marker waiting missing$/;

is_check('remote', 'waiting not_ready', $closed);
is_check('unverified', 'waiting not_ready', $closed);
is_check('untrusted', 'error tls', qr/certificate/);
is_check('system', 'error tls', qr/certificate/);
is_check('no_token', 'error auth', qr/^HTTP 401/);

# a change, during a request that waits

sub waits {
    $origin->wait_for(sub {
        my @lines = split /\n/, $origin->read('access.log');
        my $n = grep { m{^/ready 1 503 wait=0} } @lines;
        return $n >= 2;
    }, 'the first answers');
}

waits();
$origin->write('marker');
is_check('remote', 'passed', qr/^$/);

# another token, and a wrong one

$t->write('token', "token-number-2\n");
unlink $origin->path('marker');
is_check('remote', 'waiting not_ready', $closed);

$t->write('token', "token-number-3\n");
$origin->write('marker');

# this answer belongs to the token before

$t->wait_for(sub { $origin->read('access.log') =~ m{^/ready  401 wait=15$}m },
    'the wrong token');
is_check('remote', 'error auth', qr/^HTTP 401/);

$t->write('token', "token-number-1\n");
$t->reload;
is_check('remote', 'passed', qr/^$/);

# a reload there ends the requests that wait

$origin->reload;
unlink $origin->path('marker');
is_check('remote', 'waiting not_ready', $closed);

done_testing;
