#!/usr/bin/perl

# The postgres check: servers that are down, silent, frozen or broken, scripted
# ones and a real one.

use FindBin;
use lib "$FindBin::Bin/lib";
use utf8;
use InitGate;
use InitGate::Checks;
use InitGate::Fake;
use InitGate::Postgres;

use Time::HiRes qw(time sleep);

my $t = InitGate->new;
my $pg = $t->postgres;

my (@checks, @expected, @fakes);

sub fault {
    my ($name, $code, $verdict, $reason, $message, $params) = @_;

    my $port = ref $code eq 'CODE' ? InitGate::Fake->new($code)->port : $code;

    push @checks, "check postgres \"host=127.0.0.1 port=$port user=a\""
        . " name=$name " . ($params // '') . ';';
    push @expected, [$name, join(' ', $verdict, $reason), $message];
}

# responds to each query with these messages

sub responds {
    my ($bytes) = @_;

    return sub {
        my ($c) = @_;
        login($c) or return;
        while (queries($c)) {
            $c->send($bytes . ready()) or return;
        }
    };
}

sub greets {
    my ($bytes) = @_;

    return sub {
        my ($c) = @_;
        startup($c) or return;
        $c->send($bytes);
    };
}

# the login

fault('down', 1, 'error', 'refused', qr/Connection refused/);
fault('blackhole', InitGate::Fake->blackhole->port, 'error', 'timeout',
    qr/connecting to PostgreSQL/);
fault('silent', InitGate::Fake->silent->port, 'error', 'timeout',
    qr/logging in to PostgreSQL/);
fault('closes', sub { startup($_[0]) }, 'error', 'reset',
    qr/server closed the connection unexpectedly/);
fault('resets', sub { startup($_[0]); $_[0]->reset }, 'error', 'reset');
fault('http', sub { $_[0]->read_bytes(8);
    $_[0]->send("HTTP/1.1 400 Bad Request\r\n\r\n") }, 'error', 'protocol',
    qr/expected authentication request from server, but received H/);
fault('zeros', greets("\0" x 100), 'error', 'protocol');
fault('short', greets('R'), 'error', 'reset');
fault('huge', greets('R' . pack 'N', 0x7fffffff), 'error', 'protocol');
fault('old', greets("Esorry, too many clients already\n\0"), 'error',
    'too_many_connections');
fault('half', sub {
    my ($c) = @_;
    startup($c) or return;
    $c->send(authentication(0));
    $c->hang;
}, 'error', 'timeout', qr/logging in/);
fault('slow', sub {
    my ($c) = @_;
    startup($c) or return;
    $c->send_slowly(auth_ok(), 0.5);
}, 'error', 'timeout');
fault('notices', sub {
    my ($c) = @_;
    startup($c) or return;
    $c->send(authentication(0));
    my $notices = error('00000', 'x' x 5000, 'NOTICE') =~ s/^E/N/r x 20;
    1 while $c->send($notices);
}, 'error', 'protocol', qr/response is too large/);
fault('krb', greets(authentication(2)), 'error', 'auth');
fault('gss', greets(authentication(7)), 'error', 'auth', qr/Kerberos authentication is not/);
fault('sspi', greets(authentication(9)), 'error', 'auth', qr/Kerberos authentication is not/);
fault('scram', sub {
    my ($c) = @_;
    startup($c) or return;
    $c->send(authentication(10, "SCRAM-SHA-256\0\0"));
    my ($nonce) = ($c->read_until(qr/r=[^,]+$/) // return) =~ /r=([^,]+)$/;
    $c->send(authentication(11, "r=${nonce}x,s=c2FsdA==,i=2000000000"));
    $c->hang;
}, 'error', 'auth', qr/too many iterations of SCRAM/, 'password_file='
    . $t->write('secret', 'secret'));
fault('sasl', greets(authentication(10, "SCRAM-NEVER\0\0")), 'error', 'auth');
fault('odd', greets(authentication(99)), 'error', 'auth');

for (['28P01', 'error', 'auth'], ['28000', 'error', 'auth'],
    ['3D000', 'waiting', 'no_database'], ['42501', 'error', 'denied'],
    ['53300', 'error', 'too_many_connections'],
    ['57P03', 'running', 'starting'], ['57P01', 'error', 'reset'],
    ['57P02', 'error', 'reset'], ['08006', 'error', 'unreachable'],
    ['XX000', 'error', 'query'])
{
    my ($state, $verdict, $reason) = @$_;

    # messages in the language of the server
    fault("login_$state", greets(error($state, 'так не пойдёт', 'ВАЖНО')),
        $verdict, $reason, qr/^так не пойдёт \($state\)$/);
}

fault('spoof', greets(error('3D000', "FATAL:  28P01: no\nnot this line")),
    'waiting', 'no_database', qr/^FATAL:  ?28P01: no \(3D000\)$/);

# PgBouncer has one SQLSTATE for all errors

for (['no such database: x', 'no_database', 'waiting'],
    ['database "x" does not exist', 'no_database', 'waiting'],
    ['password authentication failed', 'auth', 'error'],
    ['no such user: a', 'auth', 'error'],
    ['no more connections allowed (max_client_conn)', 'too_many_connections',
        'error'],
    ['sorry, too many clients already', 'too_many_connections', 'error'],
    ['the database system is starting up', 'starting', 'running'],
    ['server login has been failing, try again later (server_login_retry)',
        'unreachable', 'error'],
    ['query_wait_timeout', 'unreachable', 'error'])
{
    my ($text, $reason, $verdict) = @$_;

    fault('pooler' . @checks, greets(error('08P01', $text)), $verdict, $reason,
        qr/^\Q$text\E \(08P01\)$/);
}

# the query

fault('hangs', sub { login($_[0]); $_[0]->hang }, 'error', 'timeout',
    qr/waiting for the reply of PostgreSQL/);
fault('goes', sub { login($_[0]); queries($_[0]) }, 'error', 'reset');
fault('dies', sub { login($_[0]); queries($_[0]); $_[0]->reset }, 'error',
    'reset');
fault('babbles', sub {
    my ($c) = @_;
    login($c) && queries($c) or return;
    $c->send(error('42501', 'no', 'ERROR') . ready()) or return;
    sleep 0.1;    # after the probe
    $c->send('garbage' x 100);
    $c->hang;
}, 'error', 'denied', qr/^no \(42501\)$/);
fault('ready', responds(''), 'error', 'protocol');
fault('garbage', sub { login($_[0]); queries($_[0]);
    $_[0]->send('garbage' x 100); $_[0]->hang }, 'error', 'protocol');
fault('kicked', sub { login($_[0]); queries($_[0]);
    $_[0]->send(error('57P01', 'terminating connection')) }, 'error',
    'reset', qr/^terminating connection \(57P01\)$/);
fault('endless', sub {
    my ($c) = @_;
    login($c) && queries($c) or return;
    $c->send("1\0\0\0\x04" . "2\0\0\0\x04" . "T\0\0\0\x1a\0\x01a\0"
        . pack('NnNnNn', 0, 0, 25, -1 & 0xffff, -1 & 0xffffffff, 0));
    my $rows = ('D' . pack('NnN', 1010, 1, 1000) . 'x' x 1000) x 64;
    1 while $c->send($rows);
}, 'error', 'protocol', qr/response is too large/);
fault('giant', sub {
    my ($c) = @_;
    login($c) && queries($c) or return;
    $c->send("1\0\0\0\x04" . "2\0\0\0\x04" . "T\0\0\0\x1a\0\x01a\0"
        . pack('NnNnNn', 0, 0, 25, -1 & 0xffff, -1 & 0xffffffff, 0)
        . 'D' . pack('NnN', 0x3fffffff, 1, 0x3ffffff0));
    my $bytes = 'x' x 65536;
    1 while $c->send($bytes);
}, 'error', 'protocol', qr/response is too large/);

for (['42501', 'error', 'denied'], ['55P03', 'running', 'locked'],
    ['57014', 'error', 'timeout'], ['25006', 'error', 'query'],
    ['57P03', 'running', 'starting'])
{
    my ($state, $verdict, $reason) = @$_;

    fault("query_$state", responds(error($state, 'no', 'ERROR')), $verdict,
        $reason, qr/^no \($state\)$/);
}

my $checks = join "\n        ", @checks;
my $port = $pg->port;
my $limit = patience(1);

$t->run(http => <<"CONF");
    init_checks faults {
        interval 1s;
        timeout ${limit}s;
        backoff 1s;
        $checks
    }
    init_checks real {
        interval 50ms;
        backoff 50ms;
        timeout ${limit}s;
        latch off;
        check postgres "host=127.0.0.1 port=$port user=postgres dbname=test"
              name=real keepalive;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate faults real;  empty_gif; }
        location = /init { init_status details=on; }
        location = /real { init_ready real; }
    }
CONF

settles($t, @$_) for @expected;

# again, after all of these faults

$t->wait_for(sub {
    !grep { $_->{attempts} < 2 } @{$t->gate->{checks}};
}, 'two probes of each check');

settles($t, @$_) for @expected;

# the real server: frozen, stopped and started again

sub postmaster { $t->read($pg->base_dir . '/data/postmaster.pid') =~ /^(\d+)/
    and $1 }

sub backends {
    my $master = postmaster();
    return grep { $_ } map { $_->{pid} }
        grep { $_->{parent} == $master } $t->processes;
}

settles($t, 'real', 'passed');

my @frozen = (postmaster(), backends());
kill 'STOP', @frozen;

# the first one ends soon

$t->wait_log(qr/check "real" error: .* waiting for the reply of/);
settles($t, 'real', 'error timeout', qr/logging in/);
kill 'CONT', @frozen;
settles($t, 'real', 'passed');

my $attempts = $t->check('real')->{attempts};
my $recent;

# the kept connection is closed: the probe uses a new one

for my $i (1 .. 3) {
    psql($pg, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        . " WHERE application_name = 'nginx-init-gate'");
    $t->wait_for(sub { $t->check('real')->{attempts} > $attempts + 3 },
        'more probes');
    $attempts = $t->check('real')->{attempts};
}

is_deeply([grep { $_->[0] ne 'passed' }
    splice @{$t->check('real')->{recent}}, -9], [],
    'kept connection closed: no error');

$pg->stop;
settles($t, 'real', 'error refused');
$pg->start;
settles($t, 'real', 'passed');

done_testing;
