#!/usr/bin/perl

# conf-examples/kubernetes: the sidecar in a pod, under load.  A rolling update
# loses no request; restarts of the application, of the gate, and of both.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;
use InitGate::Manifests;
use InitGate::Pod;

my $sidecar = InitGate::Manifests->new('sidecar');

# the Service: the ports of its endpoints

my $service = InitGate->new;

sub endpoints { $service->write('endpoints', join '', map { "$_\n" } @_) }

sub pod {
    my ($manifests, %args) = @_;

    return InitGate::Pod->new($manifests, %args)->start;
}

sub wait_pod {
    my ($pod) = @_;

    $pod->load;
    $service->wait_for(sub { $pod->ready }, 'the pod to be ready');

    return $pod;
}

# half of the clients keep their connections

sub clients {
    return map {
        InitGate::Load->new($service, port => 'endpoints', clients => 1,
            keepalive => $_)
    } 1, 0, 1, 0;
}

sub counts {
    my %all;

    for my $load (@_) {
        my %count = $load->stop->counts;
        $all{$_} += $count{$_} for keys %count;
    }

    return \%all;
}

# of clients, some of which found no nginx

sub statuses {
    my ($counts) = @_;

    return join ' ', sort grep { !/^(?:no_connection: .*|lost)$/ }
        keys %$counts;
}


# A rolling update.  The endpoint of the old pod is removed only a second
# before its gate closes its port.

sub update {
    my ($manifests, $label, %args) = @_;

    my @pods = map { wait_pod(pod($manifests, %args)) } 1, 2;
    my ($old, $new) = map { $_->port } @pods;

    endpoints($old);
    my @clients = clients();
    $_->more(2) for @clients;
    endpoints($old, $new);
    $_->more(2) for @clients;

    my $status;

    if ($args{in_progress}) {
        my $slow = InitGate::Load->new($service, port => $old, clients => 1,
            uri => '/slow', ends => 1);

        $pods[0]->on_stop(gate => sub {
            ok($pods[0]->gate->master, "$label, request in progress: "
                . 'gate still runs after QUIT');
            $pods[0]->release;
            $slow->more(1);
            $status = join ' ', keys %{counts($slow)};
        });
    }

    $pods[0]->delete;
    $_->more(2) for @clients;

    my $seconds = 0;

    until ($pods[0]->gone || $seconds > 60) {
        InitGate::Pod->second;
        endpoints($new) if ++$seconds == 4;
        $_->more(2) for @clients;
    }

    my $grace = $manifests->pod->{spec}{terminationGracePeriodSeconds};
    cmp_ok($seconds, '<', $grace, "$label: within the grace period");
    is($status, 200, "$label, request in progress: finished")
        if $args{in_progress};

    return counts(@clients);
}

sub update_ok {
    my ($manifests, $label) = @_;

    my $counts = update($manifests, $label, in_progress => 1);

    is(join(' ', keys %$counts), 200, "$label: none lost of "
        . ($counts->{200} // 0));
}

update_ok($sidecar, 'rolling update');

SKIP: {
    skip InitGate::Manifests::why(), 1 if !InitGate::Manifests::kustomize();

    my $native = InitGate::Manifests->new('production');
    is($native->containers->{gate}{restartPolicy}, 'Always',
        'gate: a native sidecar');
    update_ok($native, 'rolling update, native sidecar');
}

# the application's preStop makes the difference

my $without = InitGate::Manifests->new('sidecar');
delete $without->containers->{app}{lifecycle};
my $counts = update($without, 'without preStop of the application',
    places => { 'init_hold 10s' => 'init_hold 100ms' });
isnt(join(' ', keys %$counts), 200,
    'without preStop of the application: some refused');


# the application is killed; while it loads again, it returns 500

my $pod = wait_pod(pod($sidecar,
    places => { 'init_hold 10s' => 'init_hold 50s' }));
endpoints($pod->port);

my @clients = clients();
$_->more(2) for @clients;

$pod->unload;
$pod->kill_app;

# the kubelet looks once a second, the gate four times

$service->wait_for(sub { !$pod->ready }, 'the pod not to be ready');
$pod->start_app;

$service->wait_for(sub {
    $pod->gate->check('answer', 'app')->{verdict} eq 'passed'
}, 'the application to answer');
is($pod->gate->check('marker', 'app')->{verdict}, 'waiting',
    'application killed: marker removed');
ok(!$pod->ready, 'application killed: not ready before it has loaded');

wait_pod($pod);
$_->more(2, 200) for @clients;
like(statuses($counts = counts(@clients)), qr/^200(?: 503)?$/,
    'application killed: only 200 and 503') or diag(explain($counts));


# the gate is restarted; there are no responses while it does not run

@clients = clients();
$_->more(2) for @clients;

$pod->stop_gate;
$pod->start_gate;
$_->more(2, 200) for @clients;
is(statuses(counts(@clients)), 200, 'gate restarted: only 200');
ok($pod->ready, 'gate restarted: ready');


# both; the application starts later

@clients = clients();
$_->more(2) for @clients;

$pod->unload;
$pod->kill_app;
$pod->stop_gate;
$pod->start_gate;
ok(!$pod->ready, 'both restarted: not ready with the old marker');
$pod->start_app;
wait_pod($pod);
$_->more(2, 200) for @clients;
like(statuses($counts = counts(@clients)), qr/^200(?: 503)?$/,
    'both restarted: only 200 and 503') or diag(explain($counts));


# requests at an open gate to an application that has ended; "latch on" keeps
# the gate from closing

$pod = wait_pod(pod($sidecar, places => { 'latch off;' => 'latch on;' }));
is($pod->gate->get('/')->{status}, 200, 'open');
$pod->kill_app;
my $response = $pod->gate->get('/');
is($response->{status}, 503, 'application ended, GET: 503');
is($response->{headers}{'retry-after'}, 1,
    'application ended, GET: Retry-After');
is($pod->gate->head('/')->{status}, 503, 'application ended, HEAD: 503');
is($pod->gate->post('/')->{status}, 502, 'application ended, POST: 502');

done_testing;
