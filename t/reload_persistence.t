#!/usr/bin/perl

# What is kept of a gate after a reload with the same checks and with one
# changed, after its prober was killed, after an upgrade and a restart: the
# table in docs/operations.md, "Reload, restart, upgrade".

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;

my $fake = InitGate::Fake->http(200);

my $t = InitGate->new(http => '', also => InitGate::Load::BACKGROUND);

# one check of each gate may change

sub conf {
    my ($changed) = @_;

    my $kept = 'check file %%DIR%%/marker  name=kept;';
    my $other = 'check file %%DIR%%/marker  name=other'
        . ($changed ? "  min_size=$changed;" : ';');

    return InitGate::Load::LOG . <<"CONF";
    init_checks open {
        $kept
        $other
        interval 50ms;
    }
    init_checks counts {
        $kept
        $other
        check file %%DIR%%/tree  name=tree  files=100000;
        interval 50ms;
        deadline 1h;
    }
    init_checks begun {
        $other
        check file %%DIR%%/none  name=none;
        interval 50ms;
        trigger http://127.0.0.1:@{[$fake->port]}/begin;
    }

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        access_log %%DIR%%/decisions.log decisions;
        location / { init_gate open;  empty_gif; }
        location = /counts { init_gate counts;  empty_gif; }
        location = /init { init_status details=on;  access_log off; }
    }
CONF
}

sub gates { map { $_->{gate} => $_ } $t->gates }

# the duration of the last start

sub took {
    return $t->get('/init?format=prometheus')->{content}
        =~ /^nginx_init_gate_startup_duration_seconds\{gate="open"\} (\S+)/m ? $1 : 0;
}

# more files, until there is an ETA, and enough probes to detect a restart of
# their number

my $files = 0;

sub make_progress {
    $t->wait_for(sub {
        $t->write('tree/' . $files++);

        my %gate = gates();
        return defined $gate{counts}{eta_ms}
            && $gate{counts}{checks}[2]{attempts} > 20;
    }, 'an ETA');

    $t->wait_for(sub {
        my %gate = gates();
        return ($gate{counts}{checks}[2]{observed} // 0) == $files;
    }, 'all files to be counted');
}

sub settled {
    $t->wait_for(sub {
        my %gate = gates();
        return $gate{open}{ready} && $gate{begun}{trigger}{state} eq 'succeeded'
            && $gate{counts}{state} eq 'initializing'
            && ($gate{counts}{checks}[2]{observed} // 0) == $files;
    }, 'the gates to settle') or diag explain({ gates() });
}

sub memory {
    my %gate = gates();
    my ($open, $counts, $begun) = @gate{qw(open counts begun)};

    return {
        'latched' => $open->{latched},
        'opened_at' => $open->{opened_at},
        'started_at' => $open->{started_at},
        'history' => join(' ', map { "$_->{state} $_->{at}" }
            @{$open->{history}}),
        'duration' => took(),
        'passed_at of a check' => $open->{checks}[0]{passed_at},
        'passed_at of the changed check' => $open->{checks}[1]{passed_at},
        'attempts' => $counts->{checks}[2]{attempts},
        'deadline_at' => $t->time_of($counts->{deadline_at}),
        'trigger' => $begun->{trigger}{succeeded_at},
        'refused' => $counts->{refused},
        'ETA' => defined $counts->{eta_ms} ? 1 : 0,
    };
}

# the kept ones of these

sub kept_after {
    my ($name, $event, @lost) = @_;

    make_progress();
    is($t->get('/counts')->{status}, 503, "before $name: refused");

    my $before = memory();
    my $asked = $fake->connections;
    my $background = $event->();
    settled();

    my $after = memory();
    my %kept = map { $_ => ($after->{$_} eq $before->{$_} ? 1 : 0) }
        keys %$before;
    $kept{'attempts'} = 1
        if $after->{'attempts'} >= $before->{'attempts'};

    # the deadline is stored by another clock than it is reported
    $kept{'deadline_at'} = 1
        if abs($after->{'deadline_at'} - $before->{'deadline_at'}) < 0.01;

    my %should = ((map { $_ => 1 } keys %$before), map { $_ => 0 } @lost);

    # milliseconds, which may be equal by chance
    $kept{'duration'} &&= $should{'duration'};

    is_deeply(\%kept, \%should, "after $name: kept members")
        or diag explain([$before, $after]);
    is($fake->connections - $asked, $should{'trigger'} ? 0 : 1,
        "after $name: requests of the trigger");
    unaffected($background) if $background;
}

$t->write('marker', 'here');
$t->write('tree/' . $files++);
$t->run(http => conf());
settled();

my $background = background($t);

kept_after('a reload with the same checks', sub { $t->reload; return },
    'ETA');

# with its changed check, which passes, the gate opens again

kept_after('a reload with a changed check',
    sub { $t->reload(http => conf(2)); return },
    'opened_at', 'history', 'duration',
    'passed_at of the changed check', 'ETA');

unaffected($background);

kept_after('the prober was killed', sub {
    $t->kill_prober;
    return;
}, 'ETA');

my @all = ('opened_at', 'started_at', 'history',
    'duration', 'passed_at of a check', 'passed_at of the changed check',
    'attempts', 'deadline_at', 'trigger', 'refused',
    'ETA');

kept_after('an upgrade', sub {
    my $load = background($t, counted => undef);

    (my $old, $t->{pid}) = $t->upgrade;
    $t->signal('QUIT', $old);
    $t->wait_exit($old);

    return $load;
}, @all);

kept_after('a restart', sub { $t->quit; $t->run; return }, @all);

done_testing;
