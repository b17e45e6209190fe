
/*
 * Arbitrary arguments of a notice.
 */


#include "fuzz.h"
#include <ngx_http_gate_form.h>


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    u_char                     error[NGX_HTTP_GATE_FORM_ERROR];
    int64_t                    n;
    ngx_int_t                  rc;
    ngx_str_t                  text;
    ngx_uint_t                 i;
    ngx_pool_t                *pool;
    ngx_http_gate_form_arg_t   args[] = {
        { ngx_string("a"), ngx_null_string },
        { ngx_string("number"), ngx_null_string },
        { ngx_null_string, ngx_null_string }
    };

    pool = ngx_create_pool(1024, &fuzz_log);
    if (pool == NULL) {
        return 0;
    }

    text.data = (u_char *) data;
    text.len = size;

    rc = ngx_http_gate_form_parse(pool, &text, args, error);

    fuzz_assert(rc == NGX_OK
                || (rc == NGX_DECLINED
                    && ngx_strlen(error) < NGX_HTTP_GATE_FORM_ERROR));

    for (i = 0; rc == NGX_OK && i < 2; i++) {

        if (args[i].value.data == NULL) {
            continue;
        }

        fuzz_assert(args[i].value.len <= size
                    && args[i].value.data[args[i].value.len] == '\0'
                    && ngx_strlen(args[i].value.data) == args[i].value.len);

        n = ngx_http_gate_form_number(&args[i].value, 1);

        fuzz_assert(n == NGX_ERROR || n >= 1);
    }

    ngx_destroy_pool(pool);

    return 0;
}
