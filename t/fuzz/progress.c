
/*
 * Arbitrary contents of a progress file.
 */


#include "fuzz.h"
#include <ngx_gate_check_file_progress_text.h>


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    ngx_str_t                            content;
    ngx_gate_check_file_progress_text_t  progress;

    content.len = size;
    content.data = (u_char *) data;

    ngx_gate_check_file_progress_text_parse(&content, &progress);

    fuzz_assert((progress.observed == -1 && progress.expected == -1)
                || (progress.observed >= 0 && progress.expected > 0
                    && progress.observed <= progress.expected));

    fuzz_assert(progress.text.data >= data
                && progress.text.data + progress.text.len <= data + size);

    return 0;
}
