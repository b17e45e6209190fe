# t/upstream_load.t for ten minutes, or for TEST_UPSTREAM_SECONDS; on a quiet
# machine, there is a drained restart a second and a reload every two.

use strict;
use warnings;

use FindBin;

$ENV{TEST_UPSTREAM_SECONDS} //= 600;

exec $^X, "$FindBin::Bin/../upstream_load.t" or die "$0: $!";
