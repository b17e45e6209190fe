
/*
 * A JSON body: the first byte selects what is required of the value, the first
 * line is the pointer, the rest is the body.  The result is a verdict with a
 * reason where it has to have one; there are numbers only if the check counts.
 */


#include "fuzz.h"
#include <ngx_gate_check_http_json.h>


static void fuzz_check(ngx_gate_check_http_json_t *json,
    ngx_gate_result_t *result);


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    ngx_str_t                    pointer, body;
    ngx_conf_t                   cf;
    const u_char                *end;
    ngx_gate_result_t            result;
    ngx_gate_check_http_json_t   json;

    if (size == 0 || (end = memchr(data, '\n', size)) == NULL
        || fuzz_conf(&cf) != NGX_OK)
    {
        return 0;
    }

    ngx_memzero(&json, sizeof(ngx_gate_check_http_json_t));

    switch (data[0] % 4) {

    case 0:
        ngx_str_set(&json.value, "1");
        break;

    case 1:
        json.min = 2;
        break;

    case 2:
        json.min = INT64_MAX;
        break;

    default:
        break;
    }

    pointer.data = (u_char *) data + 1;
    pointer.len = (end > data) ? end - data - 1 : 0;

    body.data = (u_char *) end + 1;
    body.len = data + size - body.data;

    if (ngx_gate_check_http_json_parse(&cf, &json, &pointer) == NULL) {
        ngx_gate_check_http_json_evaluate(&json, NULL, &body, &result);
        fuzz_check(&json, &result);
    }

    ngx_destroy_pool(cf.pool);

    return 0;
}


static void
fuzz_check(ngx_gate_check_http_json_t *json, ngx_gate_result_t *result)
{
    fuzz_assert(result->message_len <= NGX_GATE_MESSAGE_MAX);

    fuzz_assert((result->observed == -1 && result->expected == -1)
                || (result->observed >= 0 && result->expected == json->min));

    switch (result->verdict) {

    case NGX_GATE_PASSED:
        fuzz_assert(result->reason == NGX_GATE_OK);
        break;

    case NGX_GATE_WAITING:
        fuzz_assert(result->reason == NGX_GATE_MISSING
                    || result->reason == NGX_GATE_MISMATCH
                    || (result->reason == NGX_GATE_TOO_FEW && json->min));
        fuzz_assert(result->message_len);
        break;

    default:
        fuzz_assert(result->verdict == NGX_GATE_ERROR
                    && result->reason == NGX_GATE_PROTOCOL);
    }
}
