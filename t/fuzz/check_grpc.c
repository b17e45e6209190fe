
#define FUZZ_CHECK  ngx_gate_check_grpc

#include "check.h"
