# t/upstream_many.t with the CPU time of the worker that probes, over 30 s.

use strict;
use warnings;

use FindBin;

$ENV{TEST_UPSTREAM_CPU} //= 30;

exec $^X, "$FindBin::Bin/../upstream_many.t" or die "$0: $!";
