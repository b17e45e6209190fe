
#define FUZZ_CHECK  ngx_gate_check_tcp

#include "check.h"
