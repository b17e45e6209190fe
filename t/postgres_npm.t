#!/usr/bin/perl

# The postgres check on the tables of migration tools for Node.js, run step by
# step.  "tools/migrations" installs them.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Postgres;

my $modules = "$FindBin::Bin/migrations/node_modules";

plan(skip_all => 'tools/migrations has not been run') if !-d $modules;

# the two versions, the verdict of the second before it is applied, and whether
# an advisory lock is held meanwhile

my %tools = (
    'db-migrate' => ['20240101000000-init', '20240201000000-prices',
        'other_revision'],
    drizzle => [1704067200000, 1706745600000, 'behind'],
    kysely => ['2024_01_init', '2024_02_prices', 'other_revision', 1],
    mikroorm => ['Migration20240101', 'Migration20240201', 'other_revision'],
    'node-pg-migrate' => ['1704067200000_init', '1706745600000_prices',
        'other_revision', 1],
    sequelize => ['20240101-init.js', '20240201-prices', 'other_revision'],
    typeorm => ['Init1704067200000', 1706745600000, 'other_revision'],
);

my $t = InitGate->new(workers => 1);
my $pg = $t->postgres;
my $port = $pg->port;

sub url { "postgresql://postgres\@127.0.0.1:$port/test" }

sub start {
    my ($tool, @args) = @_;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        chdir $t->dir;
        open STDOUT, '>>', 'tools.log';
        open STDERR, '>&', \*STDOUT;
        exec 'node', "$FindBin::Bin/migrations/run.mjs", url(), $tool, @args
            or POSIX::_exit(127);
    }

    return $pid;
}

sub migrate {
    my $pid = start(@_);

    waitpid $pid, 0;

    return $? == 0 || !diag($t->read('tools.log'));
}

my $checks = '';

for my $tool (sort keys %tools) {
    my ($first, $second) = @{$tools{$tool}};
    my $db = qq{check postgres "@{[url()]}" migrations=$tool};

    $checks .= "$db name=$tool-first version=$first;\n"
        . "$db name=$tool-exact version=$first exact;\n"
        . "$db name=$tool-second version=$second;\n"
        . "$db name=$tool-any settle=1ms;\n";
}

$t->run(http => <<"CONF");
    init_checks app {
        interval 50ms;
        check file %%DIR%%/never name=never;
        $checks
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

for my $tool (sort keys %tools) {
    my ($first, $second, $before, $locks) = @{$tools{$tool}};

    psql($pg, 'DROP TABLE IF EXISTS migrations');

    is_check($t, "$tool-$_", 'waiting', 'uninitialized')
        for qw(first exact second any);

    ok(migrate($tool, 1), "$tool, one migration");
    is_check($t, "$tool-$_", 'passed') for qw(first exact any);
    is_check($t, "$tool-second", 'waiting', $before);

    # killed in the middle of the second

    my $pid = start($tool, 2, 1000);

    $t->wait_for(sub { (psql($pg, "SELECT count(*) FROM pg_stat_activity"
        . " WHERE query LIKE '%pg_sleep(1000)%'"
        . " AND pid <> pg_backend_pid()"))[0][0] }, 'the second', 30);

    is_check($t, "$tool-second", 'running', 'in_progress') if $locks;

    kill 'KILL', $pid;
    waitpid $pid, 0;
    psql($pg, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        . " WHERE query LIKE '%pg_sleep(1000)%' AND pid <> pg_backend_pid()");

    is_check($t, "$tool-second", 'waiting', $before);

    ok(migrate($tool, 2), "$tool, two migrations");
    is_check($t, "$tool-$_", 'passed') for qw(first second any);
    is_check($t, "$tool-exact", 'waiting', 'ahead');
}

done_testing;
