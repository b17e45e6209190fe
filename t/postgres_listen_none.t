#!/usr/bin/perl

# The postgres check: "listen" where no notifications can be received, behind a
# pooler, on a standby, or if the server refuses LISTEN.  The check is polled,
# and its message and one line of the log name the cause.  After the promotion
# of the standby, its sessions listen.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Fake;
use InitGate::MonotonicClock;
use InitGate::Postgres;

my $t = InitGate->new(workers => 1);
my $pg = $t->postgres;
my $port = $pg->port;

psql($pg, 'CREATE TABLE items (i int)');

my $standby = standby($t, $pg);


# PgBouncer, in each mode

my $dir = $t->server_dir('pgbouncer');
my $listen = $t->port('pgbouncer');

$t->write("$dir/users", qq("postgres" "pool"\n));
$t->write("$dir/ini", <<"INI");
[databases]
session = host=127.0.0.1 port=$port dbname=test pool_mode=session
transaction = host=127.0.0.1 port=$port dbname=test pool_mode=transaction
statement = host=127.0.0.1 port=$port dbname=test pool_mode=statement
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $listen
unix_socket_dir =
auth_type = md5
auth_file = $dir/users
default_pool_size = 1
logfile = $dir/log
pidfile = $dir/pid
INI

chmod 0777, $dir;

my $bouncer = fork // die "fork: $!";

if (!$bouncer) {
    open STDERR, '>', '/dev/null';
    exec 'pgbouncer', ($> ? () : ('-u', 'nobody')), "$dir/ini"
        or POSIX::_exit(1);
}

END { kill 'KILL', $bouncer if $bouncer }

$t->wait_for(sub { $t->read("$dir/log") =~ /listening on/ }, 'PgBouncer');


# servers that do not let a session listen, and one that has no process number

sub message { $_[0] . pack('N', 4 + length $_[1]) . $_[1] }

sub row {
    my @values = @_;

    return message('T', pack('n', scalar @values) . join '', map {
            "c\0" . pack('NnNnNn', 0, 0, 25, 0xffff, 0xffffffff, 0) } @values)
        . message('D', pack('n', scalar @values) . join '', map {
            pack('N', length) . $_ } @values)
        . message('C', "SELECT 1\0");
}

my $parsed = message('1', '') . message('2', '');

my $process = $parsed . row(1, 'f') . ready();
my $answer = $parsed . row(1) . $parsed . row('x') . ready();

# replies to LISTEN by CODE, and to all other queries

sub server {
    my ($listen, $first) = @_;

    return InitGate::Fake->new(sub {
        my ($c) = @_;

        login($c) or return;

        while (my $sql = sql($c)) {
            if ($sql =~ /pg_backend_pid/) { $c->send($first // $process) }
            elsif ($sql =~ /LISTEN/) { $listen->($c) or return }
            else { $c->send($answer) }
        }
    });
}

# the text of a query, up to its end

sub sql {
    my ($c) = @_;

    my $sql = '';

    while (1) {
        my $head = $c->read_bytes(5) // return;
        my ($type, $size) = unpack 'aN', $head;
        my $body = $c->read_bytes($size - 4) // return;

        $sql .= $body if $type eq 'P';
        return $sql if $type eq 'S';
        return if $type eq 'X';
    }
}

sub notification {
    my ($channel, $text) = @_;

    return message('A', pack('N', 1) . "$channel\0" . ($text // '') . "\0");
}

my $listening = $parsed . message('n', '') . message('C', "LISTEN\0") . ready();

my %server = (
    denied => server(sub {
        $_[0]->send(message('1', '') . error('42501', 'it is not permitted',
            'ERROR') . ready())
    }),
    closes => server(sub { }),
    none => server(sub { $_[0]->send($listening) }, $parsed . row(0, 'f')
        . ready()),
    empty => server(sub { $_[0]->send($listening) }, $parsed . row('', '')
        . ready()),
    column => server(sub { $_[0]->send($listening) }, $parsed . row(1)
        . ready()),

    # as many as fit
    flood => server(sub {
        my ($c) = @_;
        $c->send($listening) or return;
        for (1 .. 100) {
            $c->send(notification('c') x 2000) or return;
            select undef, undef, undef, 0.01;
        }
        $c->hang;
    }),

    # two of them, with the results and after them
    good => server(sub {
        my ($c) = @_;
        $c->send($listening . notification('c')) or return;
        sql($c) or return;
        $c->send(notification('other') . $answer =~ s/(Z.{5})\z/
            notification('c', 'text') . $1/ser . notification('c')) or return;
        1;
    }),
);

sub db { "host=127.0.0.1 port=$listen user=postgres password=pool dbname=$_[0]" }

my $pooled = join "\n", map {
    "check postgres \"@{[db($_)]}\" name=$_ rows=items:1 listen=c;"
    . "check postgres \"@{[db($_)]}\" name=kept_$_ rows=items:1 listen=c"
    . ' keepalive;'
} qw(session transaction statement);

my $fake = join "\n", map {
    "check postgres \"host=127.0.0.1 port=@{[$server{$_}->port]} user=a\""
    . " name=$_ \"query=SELECT 1\" expect=y listen=c;"
} sort grep { $_ ne 'good' } keys %server;

$t->conf(http => <<"CONF");
    init_checks app {
        interval 50ms;
        backoff 50ms;
        timeout 1m;
        check file %%DIR%%/never name=never;
        check postgres "host=127.0.0.1 port=@{[$standby->port]} user=postgres
                        dbname=test" name=standby rows=items:1 listen=c;
        check postgres "host=127.0.0.1 port=@{[$standby->port]} user=postgres
                        dbname=test" name=promoted rows=items:2 listen=c
              interval=25s;
        $pooled
        $fake
        check postgres "host=127.0.0.1 port=@{[$server{good}->port]} user=a"
              name=good interval=1h "query=SELECT 1" expect=y listen=c;
    }
    server {
        location / { init_gate app; }
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

my $clock = InitGate::MonotonicClock::is_available()
    && InitGate::MonotonicClock->new($t);

($clock || $t)->run;

my $pooler = qr/; polled: the connection leads to a pooler$/;
my $refused = qr/; polled: the server refused LISTEN$/;

# through a pooler, the next probe notices the change

my @pooled = map { ($_, "kept_$_") } qw(session transaction statement);

settles($t, $_, 'waiting too_few', $pooler) for @pooled;
settles($t, 'standby', 'waiting too_few', qr/; polled: the server is a standby$/);
psql($pg, 'INSERT INTO items VALUES (1)');

settles($t, $_, 'passed') for @pooled, 'standby';
is($t->check('session')->{message}, 'polled: the connection leads to a pooler',
    'passed: the message');

my $dbh = DBI->connect("dbi:Pg:host=127.0.0.1;port=$listen;dbname=transaction",
    'postgres', 'pool', { RaiseError => 1, pg_server_prepare => 0 });
is_deeply($dbh->selectall_arrayref('SELECT pg_listening_channels()'), [],
    'pooler: its session does not listen');
$dbh->disconnect;

# refused

settles($t, $_, 'waiting mismatch', $refused) for qw(denied closes column);
settles($t, $_, 'waiting mismatch', $pooler) for qw(none empty);
settles($t, 'flood', 'waiting mismatch',
    qr/; polled: the server sent too many notifications$/);

my @names = (@pooled, 'standby', grep { $_ ne 'good' } sort keys %server);

probed($t, $_) for @names;

for my $name (@names) {
    is($t->log_count(qr/\[warn\].* notifications of "c" are not received, polled: .*, check "$name" of/),
        1, "$name: one line in the log");
}

is($t->log_count(qr/refused LISTEN: it is not permitted \(42501\), check "denied"/),
    1, 'denied: the error of the server');

# notifications beside the results

settles($t, 'good', 'waiting mismatch', qr/expected "y"$/);
$t->wait_for(sub { $t->check('good')->{attempts} >= 2 }, 'another probe');
pass('notifications beside the results: probed again');

unlike(server_log($_), qr/ERROR/, 'server: no errors') for $pg, $standby;

# a promotion is noticed after 30 seconds

SKIP: {
    skip 'no clock that can be put forward', 3 if !$clock;

    settles($t, 'promoted', 'waiting too_few', qr/; polled: the server is a standby$/);
    psql($standby, 'SELECT pg_promote()');
    $clock->forward(31);
    settles($t, 'promoted', 'waiting too_few', qr/expected 2$/);
    settles($t, 'standby', 'passed', qr/^$/);
}

done_testing;
