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
        check file %%DIR%%/one  name=one;
        check file %%DIR%%/two  name=two;
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

$t->write('token', 's3cret-token');
$t->run;
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

# of the overrides of two checks and of a gate, none is lost

%status = %wrong = ();

for my $n (1 .. $rounds) {
    my $answers = both(map { "action=ignore&check=$_&for=1h&reason=$n" }
        qw(one two));
    $status{$answers}++;
    next if $answers ne '204 204';
    my $is = join ' ', sort map { "$_->{check}$_->{reason}" }
        grep { $_->{check} } @{$t->gate('app')->{overrides}};
    $wrong{$is}++ if $is ne "one$n two$n";

    $answers = both('action=clear', "action=open&for=1h&reason=$n");
    $status{$answers}++;
    next if $answers ne '204 204';
    $is = join ' ', map { "$_->{action}$_->{reason}" }
        @{$t->gate('app')->{overrides}};
    $wrong{$is}++ if $is ne '' && $is ne "open$n";
}

is_deeply([grep { !/^20[24] 20[24]$/ } keys %status], [],
    'different overrides: both answered');
is_deeply(\%wrong, {}, 'different overrides: none is lost');

done_testing;
