# README.md, "Try it", in a minimal Debian: tools/demo with and without a
# terminal, and tools/test.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use InitGate::DebianRoot;

my $root = InitGate::DebianRoot->new;
my $at = $root->checkout =~ s/^\Q$root->{dir}\E//r;

sub left {
    my (undef, $said) = $root->run('sh', '-c', 'ls -d /tmp/init-gate-*');
    return $said =~ /No such file/ ? '' : $said;
}


# without a terminal it exits by itself

my $start = time;
my $said = $root->online_ok(["$at/tools/demo"], 'tools/demo');
my $took = time - $start;

like($said, qr/\(503\)\n.*\(503\)\n.*hello, with 600 files \(200\)\n/s,
    'without a terminal: progress, then open');
like($said, qr{http://127.0.0.1:\d+/init }, 'without a terminal: addresses');
like($said, qr/The gate is open: \S+\n\z/, 'without a terminal: last line');
cmp_ok(() = $said =~ /\(503\)$/mg, '>=', 8,
    'without a terminal: a line each second');
is(left(), '', 'without a terminal: no files left');

note "tools/demo: $took s, with all that was installed";


# with one it stays up until Ctrl-C; no network is needed any more

$root->write('/terminal.sh', <<'SH');
cd /tmp
mkfifo keys
: > seen
# background processes of a shell ignore SIGINT
perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' \
    script -qec "exec $1/tools/demo" /dev/null < keys > seen &
exec 9> keys
for try in $(seq 600); do
    ! grep -q 'Ctrl-C ends' seen || break
    sleep 0.1
done
url=$(sed -n 's/.*The gate is open: \([^ ]*\).*/\1/p' seen | tr -d '\r')
curl -s "$url"
curl -s "${url}ready"
printf '\003' >&9
status=0
wait $! || status=$?
echo "exit status $status"
! curl -s "$url" || echo "still there"
SH

$said = $root->run_ok(['sh', '/terminal.sh', $at], 'tools/demo, in a terminal');
is($said, "hello, with 600 files\n[+]marker ok\n[+]tree ok\n"
    . "readyz check passed\nexit status 0\n",
    'in a terminal: runs until Ctrl-C');
is(left(), '', 'in a terminal: no files left');


# the gate does not open in time

$root->write('/never.sh', <<'SH');
set -e
sed 's/n -lt 60/n -lt 6000/; s/i -lt 60/i -lt 3/' "$1/tools/demo" \
    > "$1/tools/never"
chmod 755 "$1/tools/never"
status=0
"$1/tools/never" || status=$?
rm "$1/tools/never"
echo "exit status $status"
SH

$said = $root->run_ok(['sh', '/never.sh', $at],
    'tools/demo, gate that stays closed');
like($said, qr/the gate did not open.*exit status 1\n\z/s,
    'gate that stays closed: message');
is(left(), '', 'gate that stays closed: no files left');


# tools/test, with one file

$start = time;
$said = $root->online_ok(["$at/tools/test", 't/unit.t'], 'tools/test');
$took = time - $start;
like($said, qr/^Result: PASS\n\z/m, 'tools/test: last line of prove');

note "tools/test t/unit.t: $took s, with all that was installed";

done_testing;
