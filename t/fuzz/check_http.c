
#define FUZZ_CHECK  ngx_gate_check_http

#include "check.h"
