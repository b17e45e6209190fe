
/*
 * A number in text; see ngx_gate_number.h.
 */


#include <ngx_gate_number.h>


ngx_int_t
ngx_gate_number_parse(ngx_str_t *text, int64_t *number)
{
    u_char      *p, *last, *start;
    int64_t      n;
    ngx_uint_t   negative;

    p = text->data;
    last = p + text->len;

    while (p < last && *p <= ' ') {
        p++;
    }

    while (last > p && last[-1] <= ' ') {
        last--;
    }

    if (p < last) {
        text->data = p;
        text->len = last - p;
    }

    negative = (p < last && *p == '-');

    if (p < last && (*p == '-' || *p == '+')) {
        p++;
    }

    n = 0;

    for (start = p; p < last && *p >= '0' && *p <= '9'; p++) {

        n = (n > (INT64_MAX - (*p - '0')) / 10) ? INT64_MAX
                                                : n * 10 + (*p - '0');
    }

    if (p == start) {
        return NGX_ERROR;
    }

    if (p < last && *p == '.') {

        for (p++; p < last && *p >= '0' && *p <= '9'; p++) { /* void */ }
    }

    if (p < last) {
        return NGX_ERROR;
    }

    *number = negative ? 0 : n;

    return NGX_OK;
}
