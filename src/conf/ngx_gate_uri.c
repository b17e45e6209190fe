
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Parts of URIs; see ngx_gate_uri.h.
 */


#include <ngx_gate_uri.h>


void
ngx_gate_uri_cut_userinfo(ngx_str_t *authority, ngx_str_t *userinfo)
{
    u_char  *p, *last;

    ngx_str_null(userinfo);

    last = authority->data + authority->len;

    for (p = last; p > authority->data; p--) {

        if (p[-1] == '@') {
            userinfo->data = authority->data;
            userinfo->len = p - 1 - authority->data;

            authority->data = p;
            authority->len = last - p;
            return;
        }
    }
}


ngx_int_t
ngx_gate_uri_decode(ngx_pool_t *pool, u_char *p, u_char *last,
    ngx_str_t *decoded, ngx_uint_t form)
{
    u_char     *dst;
    ngx_int_t   ch;

    dst = ngx_pnalloc(pool, last - p + 1);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    decoded->data = dst;

    for ( /* void */ ; p < last; p++) {
        ch = *p;

        if (ch == '%') {
            ch = (last - p > 2) ? ngx_hextoi(p + 1, 2) : NGX_ERROR;
            p += 2;

        } else if (ch == '+' && form) {
            ch = ' ';
        }

        if (ch < 0 || (ch == 0 && form)) {
            ngx_str_null(decoded);
            return NGX_DECLINED;
        }

        *dst++ = (u_char) ch;
    }

    *dst = '\0';
    decoded->len = dst - decoded->data;

    return NGX_OK;
}
