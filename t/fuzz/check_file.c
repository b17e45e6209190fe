
#define FUZZ_CHECK  ngx_gate_check_file

#include "check.h"
