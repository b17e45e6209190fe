package Bench::Opening;

# From the fact to the first 200 of a client that waits for it: events of each
# kind, and polling.

use strict;
use warnings;

use Bench;
use Bench::Nginx;
use DBI;
use InitGate ();
use IO::Socket::INET;
use Time::HiRes qw(time sleep);

my $token = 'bench';
my $poll = 0.25;


sub run {
    my ($class, $quick) = @_;

    my $trials = $quick ? 25 : 200;
    my $servers = InitGate->new;
    my $ms = 1000 * $poll;

    my @rows = map { row($_, $trials) } (file(), redis($servers), notify(),
        postgres($servers), remote(), polling());

    return {
        title => 'Opening',
        say => 'From the fact (a rename, SET, a POST of the notice, an INSERT'
            . ' with its commit; for remote, a rename at the other nginx) to'
            . " the first 200 of a client that waits, over $trials trials each"
            . ' with the default `interval 1s`. The client is held, or waits'
            . " at `init_ready`. Polling is at `interval ${ms}ms`. The last two"
            . ' rows are arithmetic, not measured: a fact at any time between'
            . ' two looks at their default periods.',
        tables => [{ head => ['', 'p50', 'p99', 'max'], rows => [@rows,
            uniform('`wait4x`, every second: not measured', 1000),
            uniform('kubelet, `periodSeconds: 10`: not measured', 10_000)] }],
    };
}


sub uniform {
    my ($name, $ms) = @_;

    return [$name, map { milliseconds($_ * $ms) } 0.5, 0.99, 1];
}


sub milliseconds {
    my ($ms) = @_;

    return $ms < 100 ? sprintf '%.2f ms', $ms
                     : Bench::thousands($ms) . ' ms';
}


# a way has: name; check => the lines of the gate; set, unset => code; url =>
# that of another nginx, which it follows; wait => 1: at init_ready

sub row {
    my ($way, $trials) = @_;

    my %args = (
        http => "init_checks gate { $way->{check}; latch off; fall 1; }",
        server => <<"CONF",
        location = /held { init_gate gate; init_hold 60s; empty_gif; }
        location = /ready { init_ready gate; }
        location = /init { init_status details=on; }
        location /notify/ { init_notify token_file=@{[token_file()]}; }
CONF
    );

    if (!Bench::Nginx->accepts(%args)) {
        return ["$way->{name}: not available", ('') x 3];
    }

    my $nginx = Bench::Nginx->new(%args);
    $way->{port} = $nginx->port;

    my @took = map { 1000 * trial($nginx, $way) } 1 .. $trials;

    return [$way->{name}, map { milliseconds(Bench::quantile($_, @took)) }
            0.5, 0.99, 1];
}


sub trial {
    my ($nginx, $way) = @_;

    my $status = Bench::connected($nginx->port);
    my $client = Bench::connected($nginx->port);

    $way->{unset}->($way);

    Bench::wait_for(sub {
        my $gate = Bench::json(Bench::ask($status, '/init'))->{gates}[0];
        return $gate->{state} eq 'initializing';
    }, "$way->{name}: a closed gate");

    my ($uri, $header) = $way->{wait} ? ('/ready', "Prefer: wait=55\r\n")
                                      : ('/held', '');

    syswrite $client, "GET $uri HTTP/1.1\r\nHost: a\r\n$header\r\n" or die $!;

    # at any time between two probes, and not together with the last change

    sleep 0.03 + rand($way->{polls} ? $poll : 0.03);

    my $began = time;
    $way->{set}->($way);

    sysread $client, my $answer, 65536 or die "$way->{name}: $!";
    my $took = time - $began;

    die "$way->{name}: $answer" if Bench::status($answer) != 200;

    $way->{after}->($way) if $way->{after};

    return $took;
}


sub file {
    my ($dir) = (Bench::directory());

    my %way = (
        check => "check file $dir/marker",
        set => sub { rename "$dir/new", "$dir/marker" or die $! },
        unset => sub {
            rename "$dir/marker", "$dir/new" or Bench::touch("$dir/new");
        },
    );

    return ({ %way, name => 'file (inotify)' },
            { %way, name => 'file (inotify), at `init_ready`', wait => 1 });
}


sub redis {
    my ($servers) = @_;

    my $port = $servers->redis->port;
    my $redis = Bench::connected($port);

    my $send = sub { syswrite $redis, "$_[0]\r\n" or die $! };
    my $read = sub { sysread $redis, my $reply, 4096 or die $! };

    return {
        name => 'redis (tracking)',
        check => "check redis redis://127.0.0.1:$port key=done",
        set => sub { $send->('SET done 1') },
        after => $read,
        unset => sub { $send->('DEL done'); $read->() },
    };
}


sub notify {
    my $notice = sub {
        my ($way, $verdict) = @_;

        $way->{socket} = Bench::connected($way->{port});
        my $body = "verdict=$verdict";
        my $length = length $body;

        syswrite $way->{socket}, join("\r\n", 'POST /notify/gate/import'
            . ' HTTP/1.1', 'Host: a', "Authorization: Bearer $token",
            'Content-Type: application/x-www-form-urlencoded',
            "Content-Length: $length", '', $body) or die $!;
    };

    my $read = sub {
        my ($way) = @_;

        sysread $way->{socket}, my $answer, 4096 or die $!;
        die $answer if Bench::status($answer) != 204;
    };

    return {
        name => 'notify',
        check => 'check notify import',
        set => sub { $notice->(@_, 'passed') },
        after => $read,
        unset => sub { $notice->(@_, 'waiting'); $read->(@_) },
    };
}


# with the trigger of docs/checks/postgres.md

sub postgres {
    my ($servers) = @_;

    my $pg = $servers->postgres;
    my $db = DBI->connect($pg->dsn(dbname => 'test'), '', '',
        { RaiseError => 1, PrintError => 0, PrintWarn => 0 });

    $db->do($_) for 'CREATE TABLE done ()',
        'CREATE FUNCTION done() RETURNS trigger LANGUAGE plpgsql AS'
        . q( 'BEGIN NOTIFY done; RETURN NULL; END'),
        'CREATE TRIGGER done AFTER INSERT OR DELETE ON done'
        . ' FOR EACH STATEMENT EXECUTE FUNCTION done()';

    return {
        name => 'postgres (`listen=`)',
        check => 'check postgres "' . $pg->uri . '" "query=select true from'
            . ' done" listen=done',
        set => sub { $db->do('INSERT INTO done DEFAULT VALUES') },
        unset => sub { $db->do('DELETE FROM done') },
    };
}


sub remote {
    my ($file) = file();

    my $other = Bench::Nginx->new(
        http => "init_checks gate { $file->{check}; latch off; fall 1; }",
        server => 'location = /ready { init_ready gate; }');

    return {
        %$file,
        name => 'remote',
        check => "check remote http://127.0.0.1:@{[$other->port]}/ready",
        other => $other,
    };
}


sub polling {
    my $dir = Bench::directory();
    my $ms = 1000 * $poll;

    my $backend = Bench::Nginx->new(module => 0, location => "root $dir;");

    return {
        name => "polling (http, `interval ${ms}ms`)",
        check => "check http http://127.0.0.1:@{[$backend->port]}/done;"
            . " interval ${ms}ms ${ms}ms",
        set => sub { Bench::touch("$dir/done") },
        unset => sub { unlink "$dir/done" },
        polls => 1,
        backend => $backend,
    };
}


sub token_file {
    my $path = Bench::directory() . '/token';

    open my $file, '>', $path or die $!;
    print $file $token;
    close $file or die $!;
    chmod 0644, $path;

    return $path;
}

1;
