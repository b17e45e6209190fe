#!/usr/bin/perl

# Two operators at the same time, in different workers: the later order wins,
# none is lost, and both are in the log.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Witness;

my $rounds = 100;

my $t = InitGate->new(workers => 3, level => 'notice', http => <<'CONF');
    init_checks app {
        @checks@
    }
    server {
        listen 127.0.0.1:%%PORT_8080%% reuseport;
        access_log off;
        keepalive_requests 1000000;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
        location /control/ { init_control token_file=%%DIR%%/token; }
        location = /worker { add_header X-Worker $pid;  empty_gif; }
    }
CONF

$t->{http} =~ s{\@checks\@}
    {join ' ', map { "check file %%DIR%%/none  name=c$_;" } 0 .. 7}e;
$t->write('token', 's3cret-token');

{
    local $ENV{LD_PRELOAD} = $t->preload('slow_copy')
        if !InitGate::is_linked_in();
    $t->run;
}

$t->wait_state('initializing', 'app');

my %worker = worker_sockets($t, '/worker');
my $prober = $t->prober;
my @operators = map { $worker{$_} } grep { $_ != $prober } keys %worker;
my $pass = $worker{$prober};

# both are sent before an answer is read

sub both {
    my @orders = @_;

    $operators[$_]->syswrite(head('POST', "/control/app?$orders[$_]",
        's3cret-token')) for 0, 1;

    return join ' ', map { status($_) } @operators;
}

sub passes {
    $pass->syswrite(head('GET', '/'));
    return status($pass);
}

# after 202, by a slow machine, an order is not in force yet

my (%status, %wins, %wrong);

for my $n (1 .. $rounds) {
    my @orders = map { "action=$_&for=1h&reason=$_-$n" } qw(open close);
    @orders = reverse @orders if $n % 2;

    my $answers = both(@orders);
    $status{$answers}++;
    next if $answers ne '204 204';

    my @overrides = @{$t->gate('app')->{overrides}};
    my $override = $overrides[0];
    $wins{$override->{action}}++;

    $wrong{number}++ if @overrides != 1;
    $wrong{mixed}++ if $override->{reason} ne "$override->{action}-$n";
    $wrong{requests}++
        if passes() != ($override->{action} eq 'open' ? 200 : 503);
}

is_deeply([grep { !/^20[24] 20[24]$/ } keys %status], [],
    'open and close: both answered');
is_deeply(\%wrong, {}, 'open and close: one of them, as a whole');
note(join ', ', map { "$_ won $wins{$_} times" } sort keys %wins);

for my $action (qw(open close)) {
    $t->wait_log(qr/\[warn\].*"$action" for 3600s was ordered: $action-$rounds, client/);
    is($t->log_count(qr/\[warn\].*init gate "app": "$action" for 3600s was ordered: $action-\d+, client: 127/),
        $rounds, "$action: each is in the log");
}

# Eight orders at the same time, four in each worker: of the overrides of as many
# checks, none is lost.

my @sockets = map {
    my %worker = worker_sockets($t, '/worker');
    map { $worker{$_} } grep { $_ != $prober } keys %worker;
} 1 .. 4;

%status = %wrong = ();

for my $n (1 .. $rounds) {
    $operators[0]->syswrite(head('POST', '/control/app?action=clear',
        's3cret-token'));
    status($operators[0]);

    $sockets[$_]->syswrite(head('POST',
        "/control/app?action=ignore&check=c$_&for=1h&reason=$n",
        's3cret-token')) for 0 .. 7;
    $status{$_}++ for map { status($_) } @sockets;

    my $is = join ' ', sort map { "$_->{check}-$_->{reason}" }
        @{$t->gate('app')->{overrides}};
    $wrong{$is}++ if $is ne join ' ', map { "c$_-$n" } 0 .. 7;
}

is_deeply([grep { $_ != 204 && $_ != 202 } keys %status], [],
    'eight overrides: all answered');
is_deeply(\%wrong, {}, 'eight overrides: none is lost');

done_testing;
