#!/usr/bin/perl

# The redis check: users, passwords, databases, Unix sockets.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;

my $t = InitGate->new(workers => 1);

# set later, since the client does not log in

my $server = $t->redis('unixsocket %DIR%/redis.sock', 'unixsocketperm 777');
my $redis = $server->client;

$redis->config(qw(SET requirepass hunter-1));

my $port = $server->port;
my $socket = $server->dir . '/redis.sock';

$redis->acl(qw(SETUSER gate on >hunter@2/:% ~warm:* +ping +select +type
    +getrange +exists));
$redis->acl(qw(SETUSER off off >hunter-3 ~* +@all));

$redis->set('warm:a' => 'ready');
$redis->set('cold' => 'ready');
$redis->select(3);
$redis->set('three' => 'x');

$t->write('password', "hunter-wrong\n");
$t->write('crlf', "hunter-1\r\n");
$t->write('bare', 'hunter-1');
$t->write('empty', "\n");
$t->write('huge', 'hunter' x 2000);
mkdir $t->path('dir');
POSIX::mkfifo($t->path('fifo'), 0644);
chmod 0644, map { $t->path($_) } qw(password crlf bare empty huge fifo);

my $at = "127.0.0.1:$port";
my $encoded = 'gate:hunter%402%2F%3A%25';

$t->run(http => <<"CONF");

    init_checks app {
        interval 20ms;
        timeout 1m;
        backoff 20ms;

        check file %%DIR%%/never  name=never;

        check redis redis://$at             name=none;
        check redis redis://:hunter-1\@$at  name=password;
        check redis redis://default:hunter-1\@$at  name=default;
        check redis redis://:hunter-0\@$at  name=wrong;
        check redis redis://nobody:hunter-1\@$at  name=nobody;
        check redis redis://off:hunter-3\@$at  name=off;

        check redis redis://$encoded\@$at  name=user;
        check redis redis://$encoded\@$at  name=allowed  key=warm:a;
        check redis redis://$encoded\@$at  name=value    key=warm:a
                                                         value=ready;
        check redis redis://$encoded\@$at  name=pattern  key=cold;
        check redis redis://$encoded\@$at  name=command  key=warm:a  field=f;

        check redis redis://$at  name=file   password_file=%%DIR%%/password;
        check redis redis://$at  name=again  password_file=password;
        check redis redis://$at  name=crlf   password_file=crlf  user=default;
        check redis redis://$at  name=bare   password_file=bare;
        check redis redis://$at  name=gone   password_file=gone;
        check redis redis://$at  name=empty  password_file=empty;
        check redis redis://$at  name=huge   password_file=huge;
        check redis redis://$at  name=dir    password_file=dir;
        check redis redis://$at  name=fifo   password_file=fifo;

        check redis redis://:hunter-1\@$at/3     name=db     key=three;
        check redis redis://:hunter-1\@$at?db=3  name=query  key=three;
        check redis redis://:hunter-1\@$at       name=param  key=three  db=3;
        check redis redis://:hunter-1\@$at/0     name=zero   key=three;
        check redis redis://:hunter-1\@$at/16    name=nodb;

        check redis unix:$socket                          name=unix;
        check redis unix:$socket                          name=ufile
                                                    password_file=bare;
        check redis unix:default:hunter-1\@$socket?db=3   name=uall  key=three;
        check redis unix://:hunter-1\@$socket             name=uurl;
        check redis unix:/nonexistent/redis.sock          name=unone;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }

CONF

# closes the connections of nginx

sub kick {
    my @ids = map { /^id=(\d+)/ } grep { !/cmd=(?:client|NULL)/ }
        split /\n/, $redis->client_list;

    eval { $redis->client('KILL', 'ID', $_) } for @ids;
}

# a password file is read for each connection

settles($t, 'file', 'error auth');
$t->write('password', "hunter-1\n");
settles($t, 'file', 'passed');
settles($t, 'again', 'passed');

settles($t, 'none', 'error auth', qr/NOAUTH /);
settles($t, 'password', 'passed');
settles($t, 'default', 'passed');
settles($t, 'wrong', 'error auth', qr/AUTH was refused: WRONGPASS$/);
settles($t, 'nobody', 'error auth');
settles($t, 'off', 'error auth');

settles($t, 'user', 'passed');
settles($t, 'allowed', 'passed');
settles($t, 'value', 'passed');
settles($t, 'pattern', 'error denied', qr/NOPERM /);
settles($t, 'command', 'error denied', qr/NOPERM .*hexists/);

settles($t, 'crlf', 'passed');
settles($t, 'bare', 'passed');

settles($t, 'gone', 'error no_secret', qr{open\(\) ".*/gone" failed \(2: No});
settles($t, 'empty', 'error no_secret', qr{".*/empty" is empty$});
settles($t, 'huge', 'error no_secret', qr{/huge" has 8192 bytes or more$});
settles($t, 'dir', 'error no_secret', qr{/dir" is not a file$});
settles($t, 'fifo', 'error no_secret', qr{/fifo" is not a file$});

$t->write('gone', 'hunter-1');
settles($t, 'gone', 'passed');

# databases

settles($t, $_, 'passed') for qw(db query param);
settles($t, 'zero', 'waiting missing');
settles($t, 'nodb', 'error no_database', qr/SELECT 16: ERR .*out of range/);

# sockets

settles($t, 'unix', 'error auth', qr/NOAUTH /);
settles($t, $_, 'passed') for qw(ufile uall uurl);
settles($t, 'unone', 'error refused',
    qr{connect\(\) to unix:/nonexistent/redis\.sock failed \(2: No such});

# rotated: the old password is valid as long as the connection

$redis->config(qw(SET requirepass hunter-4));
verdict($t, 'password', 'passed');
kick();
settles($t, 'password', 'error auth');
settles($t, 'file', 'error auth');

$t->write('password', 'hunter-4');
settles($t, 'file', 'passed');

# a user loses a permission while connected

$redis->acl(qw(SETUSER gate -ping));
settles($t, 'user', 'error denied');
$redis->acl(qw(SETUSER gate +ping));
settles($t, 'user', 'passed');

# checks of the same user share a connection

my @gate = grep { / user=gate / && !/ sub=1 / } split /\n/, $redis->client_list;
is(scalar @gate, 1, 'checks of a user: one connection');

# no passwords in any output

my $all = join "\n", $t->log, $t->get('/init')->{content};

unlike($all, qr/hunter/, 'log and status: no password')
    or diag(join "\n", grep { /hunter/ } split /\n/, $all);

my @titles = map { $t->read("/proc/$_/cmdline") } $t->workers, $t->master;
unlike("@titles", qr/hunter/, 'process titles: no password');

done_testing;
