#!/usr/bin/perl

# TLS: a server that requires a certificate of the client.  With TLS 1.3 it
# refuses the client after the handshake of the client has ended.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use POSIX ();

my $t = InitGate->new(quit => 2, workers => 1);
my $limit = patience(10);

my ($certificate, $key) = $t->certificate('localhost');
my ($client, $client_key) = $t->certificate('client');
my ($stranger, $stranger_key) = $t->certificate('stranger');

# s_server reads from its standard input, which does not end

pipe my $input, my $hold or die "pipe: $!";
my $owner = $$;
my @pids;
my $n = 0;

sub server {
    my (@options) = @_;

    my $port = $t->port('s' . ++$n);
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        close $hold;
        open STDIN, '<&', $input;
        open STDOUT, '>', "/dev/null";
        open STDERR, '>', "/dev/null";
        exec qw(openssl s_server -quiet -accept), "127.0.0.1:$port",
            '-cert', $certificate, '-key', $key, '-CAfile', $client,
            '-verify_return_error', @options or POSIX::_exit(1);
    }

    push @pids, $pid;

    return $port;
}

my $required = server(qw(-tls1_3 -Verify 1));
my $optional = server(qw(-tls1_3 -verify 1));
my $older = server(qw(-tls1_2 -Verify 1));
my $silent = server(qw(-tls1_3 -verify 1 -num_tickets 0));
my $strict = server(qw(-tls1_3 -Verify 1 -num_tickets 0));
my $open = server(qw(-tls1_3 -num_tickets 0));

my $own = "cert=$client key=$client_key";
my $other = "cert=$stranger key=$stranger_key";

my %case = (
    required => [$required, '', 'error tls', qr/alert certificate required/],
    optional => [$optional, '', 'passed'],
    older => [$older, '', 'error tls', qr/handshake failure/],
    silent => [$silent, '', 'passed'],
    strict => [$strict, '', 'error tls', qr/alert certificate required/],
    open => [$open, '', 'passed'],

    required_known => [$required, $own, 'passed'],
    optional_known => [$optional, $own, 'passed'],
    older_known => [$older, $own, 'passed'],
    silent_known => [$silent, $own, 'passed'],
    strict_known => [$strict, $own, 'passed'],
    open_known => [$open, $own, 'passed'],

    required_stranger => [$required, $other, 'error tls', qr/alert/],
    optional_stranger => [$optional, $other, 'error tls', qr/alert/],
    older_stranger => [$older, $other, 'error tls', qr/alert/],
);

my $checks = join "\n", map {
    my ($port, $words) = @{$case{$_}};
    "check tcp localhost:$port  name=$_  tls  ca=$certificate  $words;";
} sort keys %case;

$t->run(http => <<"CONF");
    init_checks app {
        check file %%DIR%%/never  name=never;
$checks

        check tcp localhost:$required  name=text  tls  ca=$certificate
                  send=a  contains=a;
        check http https://localhost:$required/  name=http  ca=$certificate;
        check grpc localhost:$required  name=grpc  tls  ca=$certificate;

        interval 300ms;
        backoff 300ms;
        timeout ${limit}s;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

settles($t, $_, @{$case{$_}}[2, 3]) for sort keys %case;

# checks that send something

settles($t, $_, 'error tls', qr/alert certificate required/) for qw(text http);
settles($t, 'grpc', qr/^error (?:tls|protocol)$/);

# a server that requests a certificate and sends no ticket takes a second

my $fastest = sub {
    my ($name) = @_;

    my $check = $t->wait_for(sub {
        my $check = $t->check($name);
        return @{$check->{recent}} >= 5 && $check;
    }, "probes of $name", 60);

    my ($fastest) = sort { $a <=> $b } map { $_->[1] } @{$check->{recent}};

    return $fastest;
};

cmp_ok($fastest->('silent'), '>=', 900, 'silent: waited for');
cmp_ok($fastest->($_), '<', 900, "$_: not waited for")
    for qw(open open_known optional optional_known);

done_testing;


END {
    if ($$ == $owner && @pids) {
        local $?;
        kill 'TERM', @pids;
        waitpid $_, 0 for @pids;
    }
}
