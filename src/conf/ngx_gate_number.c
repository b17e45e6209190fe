
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Parsing of numbers in text; see ngx_gate_number.h.
 */


#include <ngx_gate_number.h>


#define NGX_GATE_NUMBER_MAX  128


ngx_int_t
ngx_gate_number_parse(ngx_str_t *text, int64_t *number)
{
    char         *end, buf[NGX_GATE_NUMBER_MAX];
    u_char       *p, *last;
    long double   n;

    p = text->data;
    last = p + text->len;

    while (p < last && *p <= ' ') {
        p++;
    }

    while (last > p && last[-1] <= ' ') {
        last--;
    }

    if (p == last) {
        return NGX_ERROR;
    }

    text->data = p;
    text->len = last - p;

    if (text->len >= sizeof(buf)) {
        return NGX_ERROR;
    }

    /* strtold() would accept "inf" and "0x10", too */

    for ( /* void */ ; p < last; p++) {
        if (!(*p >= '0' && *p <= '9')
            && (*p == '\0' || ngx_strchr("+-.eE", *p) == NULL))
        {
            return NGX_ERROR;
        }
    }

    *ngx_cpymem(buf, text->data, text->len) = '\0';

    n = strtold(buf, &end);

    if (*end != '\0') {
        return NGX_ERROR;
    }

    *number = (n < 0) ? 0
              : (n >= (long double) INT64_MAX) ? INT64_MAX : (int64_t) n;

    return NGX_OK;
}
