package InitGate::Postgres;

# For the tests of "check postgres": PostgreSQL's protocol as bytes, for
# scripted servers, and operations on a real server.
#
#     my $check = is_check($t, 'schema', 'waiting', 'missing', qr/orders/);
#         waits until the check has this verdict, reason (undef: none) and
#         message, tests it, and returns it
#     psql($pg, 'SQL; SQL'), psql($pg, 'SQL', 'database')
#     hba($pg, LINES)    the rules for logins, except those of the test itself
#     server_log($pg)
#     standby($t, $pg [, NAME])   another server, which follows $pg
#
#     auth_ok, ready, parameter(NAME => VALUE), error(SQLSTATE, MESSAGE
#     [, SEVERITY]), authentication(N [, BYTES])
#     login($c)       reads the startup packet and authenticates every client
#     queries($c)     true each time a whole query (up to Sync) has been read

use strict;
use warnings;

use Cwd ();
use DBI;
use Exporter 'import';
use InitGate::Checks;
use POSIX ();
use Test::More ();

our @EXPORT = qw(is_check psql hba server_log standby
    auth_ok ready parameter error authentication login queries startup);


sub is_check {
    my ($t, $name, $verdict, $reason, $message) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return settles($t, $name, join(' ', $verdict, $reason // ()), $message);
}


sub psql {
    my ($pg, $sql, $database) = @_;

    my $dbh = DBI->connect($pg->dsn(dbname => $database // 'test'), '', '',
        { RaiseError => 1, PrintError => 0, PrintWarn => 0 });

    my @rows = $sql =~ /^\s*(?:SELECT|SHOW|WITH)\b/i
        ? @{$dbh->selectall_arrayref($sql)} : $dbh->do($sql);

    $dbh->disconnect;

    return @rows;
}


sub hba {
    my ($pg, $lines) = @_;

    my $path = $pg->base_dir . '/data/pg_hba.conf';

    open my $fh, '>', $path or die "$path: $!";
    print $fh "host all postgres 127.0.0.1/32 trust\n$lines\n";
    close $fh;

    psql($pg, 'SELECT pg_reload_conf()');
}


sub server_log {
    my ($pg) = @_;

    open my $fh, '<', $pg->base_dir . '/postgres.log' or return '';
    local $/;

    return <$fh>;
}


sub standby {
    my ($t, $primary, $name) = @_;

    my $dir = $t->server_dir('standby');
    my $uid = $primary->uid;
    my $bin = Cwd::abs_path($primary->pg_ctl) =~ s{/[^/]*$}{}r;
    chown $uid, -1, $dir;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        $> = $< = $uid;
        exec "$bin/pg_basebackup", '-R', '-c', 'fast', '-X', 'stream',
            '-D', "$dir/data", '-U', 'postgres', '-h', '127.0.0.1', '-p',
            $primary->port or POSIX::_exit(1);
    }

    waitpid $pid, 0;
    die 'pg_basebackup failed' if $?;

    my $server = Test::PostgreSQL->new(base_dir => $dir,
        port => $t->port($name // 'standby'));
    push @{$t->{running}}, $server;

    return $server;
}


# messages of the protocol

sub message {
    my ($type, $body) = @_;

    return $type . pack('N', 4 + length $body) . $body;
}


sub authentication {
    my ($n, $bytes) = @_;

    return message('R', pack('N', $n) . ($bytes // ''));
}


sub parameter { message('S', "$_[0]\0$_[1]\0") }

sub ready { message('Z', $_[0] // 'I') }


sub auth_ok {
    return authentication(0)
        . parameter(server_version => '15.0')
        . parameter(client_encoding => 'UTF8')
        . message('K', pack 'NN', 1, 2)
        . ready();
}


sub error {
    my ($state, $text, $severity) = @_;

    $severity //= 'FATAL';
    utf8::encode($_) for $severity, $text;

    return message('E', "S$severity\0V$severity\0C$state\0M$text\0\0");
}


# the keywords and values of a startup packet

sub startup {
    my ($c) = @_;

    while (1) {
        my $size = $c->read_bytes(4) // return;
        my $rest = $c->read_bytes(unpack('N', $size) - 4) // return;

        my ($code, $words) = unpack 'Na*', $rest;

        if ($code == 80877103 || $code == 80877104) {
            $c->send('N') or return;
            next;
        }

        return { split /\0/, $words };
    }
}


sub login {
    my ($c) = @_;

    my $startup = startup($c) or return;
    $c->send(auth_ok()) or return;

    return $startup;
}


sub queries {
    my ($c) = @_;

    while (1) {
        my $head = $c->read_bytes(5) // return;
        my ($type, $size) = unpack 'aN', $head;
        my $body = $c->read_bytes($size - 4) // return;

        return 1 if $type eq 'S';
        return if $type eq 'X';
    }
}


1;
