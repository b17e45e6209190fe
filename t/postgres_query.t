#!/usr/bin/perl

# The postgres check: rows= and query=, and the verdicts of their results; the
# queries modify nothing.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Postgres;

my $t = InitGate->new;
my $pg = $t->postgres;
my $port = $pg->port;

psql($pg, <<'SQL');
CREATE TABLE few AS SELECT generate_series(1, 3) AS i;
CREATE TABLE many AS SELECT generate_series(1, 100000) AS i;
CREATE TABLE status (ready boolean, word text, n numeric);
INSERT INTO status VALUES (false, 'it''s "done"; ok', 12.75);
CREATE TABLE "odd:name" (i int);
CREATE FUNCTION write() RETURNS int LANGUAGE sql AS
    'INSERT INTO few VALUES (0); SELECT 1';
CREATE MATERIALIZED VIEW empty_view AS SELECT 1 WITH NO DATA;
CREATE ROLE stranger LOGIN;
SQL

my $db = "host=127.0.0.1 port=$port dbname=test user=postgres";
my $n = 0;
my (@checks, @expected);

sub asks {
    my ($params, $verdict, $reason, $message, @count) = @_;

    my $name = 'c' . ++$n;
    push @checks, "check postgres \"$db\" name=$name $params;";
    push @expected, [$name, $params, $verdict, $reason, $message, @count];
}

asks('', 'passed');

asks('rows=few:3', 'passed', undef, undef, 3, 3);
asks('rows=few:4', 'waiting', 'too_few', qr/^3 rows in few, expected 4$/, 3, 4);
asks('rows=many:1000', 'passed', undef, undef, 1000, 1000);
asks('rows="odd:name":1', 'waiting', 'too_few', qr/^0 rows/, 0, 1);
asks('rows=none:5', 'waiting', 'missing', qr/^missing tables: none$/, 0, 5);
asks('rows=few:3 tables=few,none', 'waiting', 'missing', qr/none/);
asks('rows=few:3 tables=few,many', 'passed', undef, undef, 3, 3);

asks('"query=SELECT 1"', 'passed');
asks('"query=SELECT 1;"', 'passed');
asks('"query=SHOW server_version"', 'passed');
asks('"query=VALUES (1), (2)"', 'passed');
asks('"query=SELECT ready FROM status"', 'waiting', 'mismatch',
    qr/returns false$/);
asks('"query=SELECT NOT ready FROM status"', 'passed');
asks('"query=SELECT 1 FROM few WHERE i > 3"', 'waiting', 'missing',
    qr/no rows/);
asks('"query=SELECT NULL"', 'waiting', 'missing', qr/NULL/);
asks('"query=SELECT FROM few"', 'waiting', 'missing');

asks('"query=SELECT word FROM status" \'expect=it\\\'s "done"; ok\'',
    'passed');
asks('"query=SELECT word FROM status" expect=done', 'waiting', 'mismatch',
    qr/^the query returns "it's "done"; ok", expected "done"$/);
asks('"query=SELECT ready FROM status" expect=false', 'passed');
asks('"query=SELECT ready FROM status" expect=f', 'passed');
asks('"query=SELECT ready FROM status" expect=true', 'waiting', 'mismatch');
asks('"query=SELECT \'\'" expect=x', 'waiting', 'mismatch');

asks('"query=SELECT count(*) FROM few" min=3', 'passed', undef, undef, 3, 3);
asks('"query=SELECT count(*) FROM few" min=10', 'waiting', 'too_few',
    qr/^the query returns 3, expected 10$/, 3, 10);
asks('"query=SELECT n FROM status" min=12', 'passed', undef, undef, 12, 12);
asks('"query=SELECT n FROM status" min=13', 'waiting', 'too_few',
    qr/12\.75/, 12, 13);
asks('"query=SELECT -5" min=1', 'waiting', 'too_few', qr/-5/, 0, 1);
asks('"query=SELECT 1e18::float8" min=7', 'passed');
asks('"query=SELECT \'NaN\'::float8" min=7', 'waiting', 'wrong_type');
asks('"query=SELECT word FROM status" min=1', 'waiting', 'wrong_type',
    qr/which is not a number$/);
asks('"query=SELECT sum(i) FROM few WHERE i > 3" min=1', 'waiting',
    'missing', qr/NULL/, 0, 1);

# missing objects, and invalid queries

asks('"query=SELECT 1 FROM none"', 'waiting', 'missing',
    qr/relation "none" does not exist \(42P01\)/);
asks('"query=SELECT 1 FROM none.none"', 'waiting', 'missing', qr/42P01/);
asks('"query=SELECT price FROM few"', 'waiting', 'missing',
    qr/column "price" does not exist \(42703\)/);
asks('"query=SELEC 1"', 'error', 'query', qr/syntax error.*\(42601\)/);
asks('"query=SELECT nothing()"', 'waiting', 'missing', qr/42883/);
asks(q{"query=SELECT 'glad'::mood"}, 'waiting', 'missing', qr/42704/);
asks('"query=SELECT * FROM empty_view"', 'waiting', 'missing', qr/55000/);
asks('rows=empty_view:1', 'waiting', 'missing', qr/55000/);
asks('"query=SELECT 1/0"', 'error', 'query', qr/division by zero/);

# read-only, and one statement only

asks('"query=DELETE FROM few RETURNING 1"', 'error', 'query',
    qr/read-only transaction/);
asks('"query=SELECT write()"', 'error', 'query', qr/read-only transaction/);
asks('"query=SELECT 1; DELETE FROM few"', 'error', 'query',
    qr/cannot insert multiple commands/);
asks('"query=COMMIT; DELETE FROM few"', 'error', 'query',
    qr/cannot insert multiple commands/);
asks('"query=BEGIN"', 'error', 'query', qr/no result set/);
asks('"query=COPY few TO STDOUT"', 'error', 'query', qr/COPY/);
asks('"query=COPY few FROM STDIN"', 'error', 'query', qr/COPY|read-only/);
asks('"query=-- nothing"', 'error', 'query', qr/no result set/);
asks('"query=SELECT repeat(\'x\', 1000000)"', 'error', 'protocol',
    qr/response is too large/);
asks('"query=SELECT * FROM many"', 'error', 'protocol');

my $checks = join "\n        ", @checks;

$t->run(http => <<"CONF");
    init_checks app {
        interval 100ms;
        timeout 1m;
        $checks
        check postgres "host=127.0.0.1 port=$port dbname=test user=stranger"
              name=denied rows=few:1;
        check postgres "host=127.0.0.1 port=$port dbname=test user=stranger"
              name=denied_query "query=SELECT 1 FROM few";
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location / { init_gate app;  empty_gif; }
        location = /init { init_status details=on; }
    }
CONF

$t->wait_for(sub {
    !grep { $_->{verdict} eq 'pending' }
        @{$t->json('/init')->{gates}[0]{checks}};
}, 'all checks', 20);

my %check = map { $_->{name} => $_ } @{$t->json('/init')->{gates}[0]{checks}};

for (@expected) {
    my ($name, $params, $verdict, $reason, $message, @count) = @$_;
    my $check = $check{$name};

    is("$check->{verdict} " . ($check->{reason} // ''),
        "$verdict " . ($reason // ''), "$params: $verdict")
        or diag($check->{message});
    like($check->{message} // '', $message, "$params: message") if $message;
    is_deeply([@$check{qw(observed expected)}], \@count, "$params: count")
        if @count;
}

is_check($t, 'denied', 'error', 'denied',
    qr/^permission denied for table few \(42501\)$/);
is_check($t, 'denied_query', 'error', 'denied');

is_deeply([psql($pg, 'SELECT count(*) FROM few')], [[3]], 'queries: no change of the database');

# the shared connection still works

is($check{c1}{verdict}, 'passed', 'other checks: not affected');

done_testing;
