#!/usr/bin/perl

# conf-examples/kubernetes: a pod of the sidecar from its start to its end,
# under load.  A rolling update loses no request; an application that restarts
# alone, and a gate that does, are gated.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Load;
use InitGate::Manifests;
use InitGate::Pod;

my $sidecar = InitGate::Manifests->new('sidecar');

# kube-proxy: where the connections of the Service go

my $service = InitGate->new;

sub endpoints { $service->write('endpoints', join '', map { "$_\n" } @_) }

sub pod {
    my ($manifests, %args) = @_;

    return InitGate::Pod->new($manifests, %args)->start;
}

sub ready {
    my ($pod) = @_;

    $pod->load;
    $service->wait_for(sub { $pod->ready }, 'the pod to be ready');

    return $pod;
}

# half of the clients keep their connections

sub clients {
    return map {
        InitGate::Load->new($service, port => 'endpoints', clients => 1,
            keepalive => $_, @_)
    } 1, 0, 1, 0;
}

sub some { $_->more(2) for @_ }

# all counts of some clients

sub counts {
    my %all;

    for my $load (@_) {
        my %count = $load->stop->counts;
        $all{$_} += $count{$_} for keys %count;
    }

    return \%all;
}

# the words of a client that met no nginx

sub answers {
    my ($counts) = @_;

    return join ' ', sort grep { !/^(?:barred: .*|lost)$/ } keys %$counts;
}


# A rolling update.  The endpoint of the old pod is withdrawn everywhere only
# a second before its gate stops to accept.

sub update {
    my ($manifests, %args) = @_;

    my @pods = map { ready(pod($manifests, %args)) } 1, 2;
    my ($old, $new) = map { $_->port } @pods;

    endpoints($old);
    my @clients = clients();
    some(@clients);
    endpoints($old, $new);
    some(@clients);

    my $seconds = 0;
    my $status;

    if (!$args{unfinished}) {
        my $slow = InitGate::Load->new($service, port => $old, clients => 1,
            uri => '/slow', ends => 1);

        $pods[0]->on_stop(gate => sub {
            ok($pods[0]->gate->master, 'the gate finishes a request');
            $pods[0]->release;
            $slow->more(1);
            $status = counts($slow);
        });
    }

    $pods[0]->delete;
    some(@clients);

    until ($pods[0]->gone || $seconds > 60) {
        InitGate::Pod->second;
        endpoints($new) if ++$seconds == 4;
        some(@clients);
    }

    my $grace = $manifests->pod->{spec}{terminationGracePeriodSeconds};
    cmp_ok($seconds, '<', $grace, "the old pod has ended after $seconds s");
    is_deeply([keys %$status], [200], 'in progress when it began to end')
        if !$args{unfinished};

    return counts(@clients);
}

sub lost_nothing {
    my ($counts, $name) = @_;

    is(join(' ', keys %$counts), 200,
        "$name: no request is lost of " . ($counts->{200} // 0));
}

lost_nothing(update($sidecar), 'a rolling update');

SKIP: {
    skip InitGate::Manifests::why(), 1 if !InitGate::Manifests::kustomize();

    my $native = InitGate::Manifests->new('production');
    is($native->containers->{gate}{restartPolicy}, 'Always', 'a native sidecar');
    lost_nothing(update($native), 'a rolling update of native sidecars');
}

# it is the application's preStop that does it

my $without = InitGate::Manifests->new('sidecar');
delete $without->containers->{app}{lifecycle};
my $counts = update($without, unfinished => 1,
    places => { 'init_hold 10s' => 'init_hold 100ms' });
isnt(join(' ', keys %$counts), 200, 'without it, some are');


# the application is killed, and loads again: while it does, it answers 500

my $pod = ready(pod($sidecar));
endpoints($pod->port);

my @clients = clients();
some(@clients);

$pod->unload;
$pod->kill_app;

# the kubelet looks once a second, the gate four times

$service->wait_for(sub { !$pod->ready }, 'the pod not to be ready');
$pod->start_app;

my $gate = sub {
    my ($app) = grep { $_->{gate} eq 'app' } @{$pod->gate->json('/init')->{gates}};
    return { map { $_->{name} => $_->{verdict} } @{$app->{checks}} };
};

$service->wait_for(sub { $gate->()->{answer} eq 'passed' },
    'the application to answer');
is($gate->()->{marker}, 'waiting', 'the marker of the first process is gone');
ok(!$pod->ready, 'it is not ready, although it answers');

ready($pod);
some(@clients);
$counts = counts(@clients);
ok($counts->{200}, 'it serves again');
like(answers($counts), qr/^200(?: 503)?$/, 'no answer but 200 and 503')
    or diag(explain($counts));


# the gate is restarted alone; nothing can answer while it is away

@clients = clients(timeout => 2);
some(@clients);

$pod->stop_gate;
$pod->start_gate;
$_->more(2, 200) for @clients;
is(answers(counts(@clients)), 200, 'the gate restarts: no other answer');
ok($pod->ready, 'and the pod is ready');


# and both; the application comes later

@clients = clients(timeout => 2);
some(@clients);

$pod->unload;
$pod->kill_app;
$pod->stop_gate;
$pod->start_gate;
ok(!$pod->ready, 'the marker is there, the application is not');
$pod->start_app;
ready($pod);
$_->more(2, 200) for @clients;
like(answers($counts = counts(@clients)), qr/^200(?: 503)?$/,
    'both restart: no answer but 200 and 503') or diag(explain($counts));


# What is in the hands of an application that dies: a GET may be repeated.  The
# gate is kept from noticing.

$pod = ready(pod($sidecar, places => { 'latch off;' => 'latch on;' }));
is($pod->gate->get('/')->{status}, 200, 'open');
$pod->kill_app;
my $answer = $pod->gate->get('/');
is($answer->{status}, 503, 'GET: 503');
is($answer->{headers}{'retry-after'}, 1, 'with Retry-After');
is($pod->gate->head('/')->{status}, 503, 'HEAD: 503');
is($pod->gate->post('/')->{status}, 502, 'POST: 502');

done_testing;
