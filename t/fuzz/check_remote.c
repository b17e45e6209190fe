
#define FUZZ_CHECK  ngx_gate_check_remote

#include "check.h"
