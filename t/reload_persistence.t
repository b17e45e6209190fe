#!/usr/bin/perl

# What a gate remembers after a reload with the checks as they were and with
# one changed, after the death of its prober, an upgrade and a restart: the
# table in docs/operations.md, "Reload, restart, upgrade".

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Fake;
use InitGate::Load;

my $fake = InitGate::Fake->new(sub {
    my ($c) = @_;

    $c->read_until(qr/\r\n\r\n/) or return;
    $c->send("HTTP/1.1 200 x\r\nContent-Length: 0\r\n"
        . "Connection: close\r\n\r\n");
});

my $t = InitGate->new(http => '', also => InitGate::Load::BESIDE);

# of each gate one check may change

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

sub gates { map { $_->{gate} => $_ } @{$t->json('/init')->{gates}} }

sub seconds { $_[0] =~ /:(\d\d):(\d\d\.\d+)Z$/ ? $1 * 60 + $2 : 0 }

# how long the last start took

sub took {
    return $t->get('/init?format=prometheus')->{content}
        =~ /^init_gate_duration_seconds\{gate="open"\} (\S+)/m ? $1 : 0;
}

# some more of what is counted, until its pace is known, and enough probes to
# tell whether they have begun anew

my $files = 0;

sub paced {
    $t->wait_for(sub {
        $t->write('tree/' . $files++);

        my %gate = gates();
        return defined $gate{counts}{eta_ms}
            && $gate{counts}{checks}[2]{attempts} > 20;
    }, 'the pace to be known');

    $t->wait_for(sub {
        my %gate = gates();
        return ($gate{counts}{checks}[2]{observed} // 0) == $files;
    }, 'all to be counted');
}

sub settled {
    $t->wait_for(sub {
        my %gate = gates();
        return $gate{open}{ready} && $gate{begun}{trigger}{state} eq 'succeeded'
            && $gate{counts}{state} eq 'initializing'
            && ($gate{counts}{checks}[2]{observed} // 0) == $files;
    }, 'all to settle') or diag explain({ gates() });
}

sub memory {
    my %gate = gates();
    my ($open, $counts, $begun) = @gate{qw(open counts begun)};

    return {
        'its latch' => $open->{latched},
        'when it opened' => $open->{opened_at},
        'when it began' => $open->{started_at},
        'its history' => join(' ', map { "$_->{state} $_->{at}" }
            @{$open->{history}}),
        'how long it took' => took(),
        'when a check passed' => $open->{checks}[0]{passed_at},
        'when the other passed' => $open->{checks}[1]{passed_at},
        'its attempts' => $counts->{checks}[2]{attempts},
        'the deadline' => seconds($counts->{deadline_at}),
        'the trigger' => $begun->{trigger}{succeeded_at},
        'what was refused' => $counts->{refused},
        'the pace' => defined $counts->{eta_ms} ? 1 : 0,
    };
}

# what of it is there afterwards

sub remembered {
    my ($name, $event, @lost) = @_;

    paced();
    is($t->get('/counts')->{status}, 503, "$name: refused before");

    my $before = memory();
    my $asked = $fake->connections;
    my $beside = $event->();
    settled();

    my $after = memory();
    my %kept = map { $_ => ($after->{$_} eq $before->{$_} ? 1 : 0) }
        keys %$before;
    $kept{'its attempts'} = 1
        if $after->{'its attempts'} >= $before->{'its attempts'};

    # by another clock than it is shown
    $kept{'the deadline'} = 1
        if abs($after->{'the deadline'} - $before->{'the deadline'}) < 0.01;

    my %should = ((map { $_ => 1 } keys %$before), map { $_ => 0 } @lost);

    # milliseconds, which may be as many again
    $kept{'how long it took'} &&= $should{'how long it took'};

    is_deeply(\%kept, \%should, "$name: what is remembered")
        or diag explain([$before, $after]);
    is($fake->connections - $asked, $should{'the trigger'} ? 0 : 1,
        "$name: the trigger");
    undisturbed($beside) if $beside;
}

$t->write('marker', 'here');
$t->write('tree/' . $files++);
$t->run(http => conf());
settled();

my $beside = beside($t);

remembered('the checks as they were', sub { $t->reload; return },
    'the pace');

# with its changed check, which passes, the open gate opens anew

remembered('a check changed', sub { $t->reload(http => conf(2)); return },
    'when it opened', 'its history', 'how long it took',
    'when the other passed', 'the pace');

undisturbed($beside);

$t->allow(qr/exited on signal 9/);

remembered('a worker killed', sub {
    my $prober = $t->prober;
    $t->signal('KILL', $prober);
    $t->wait_for(sub { ($t->prober // $prober) != $prober }, 'another prober');
    return;
}, 'the pace');

my @all = ('when it opened', 'when it began', 'its history',
    'how long it took', 'when a check passed', 'when the other passed',
    'its attempts', 'the deadline', 'the trigger', 'what was refused',
    'the pace');

remembered('an upgrade', sub {
    my $old = $t->{pid};
    my $load = beside($t, counted => undef);

    $t->signal('USR2');
    $t->wait_for(sub { ($t->master // $old) != $old }, 'the new pid file');
    $t->{pid} = $t->master;
    $t->wait_for(sub { $t->workers == 2 }, 'new workers');
    $t->signal('QUIT', $old);
    $t->wait_for(sub { !$t->alive($old) }, 'the old master to go');

    return $load;
}, @all);

remembered('a restart', sub { $t->quit; $t->run; return }, @all);

done_testing;
