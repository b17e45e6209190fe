
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The body of a response; see ngx_gate_check_http_body.h.
 */


#include <ngx_gate_check_http_body.h>


#define NGX_GATE_CHECK_HTTP_BODY_SIZE  4096    /* at first */


ngx_int_t
ngx_gate_check_http_body_add(ngx_gate_check_http_body_t *body,
    ngx_str_t *piece, size_t max, ngx_log_t *log)
{
    size_t   len, size;
    u_char  *p;

    len = ngx_min(piece->len, max - body->len);

    if (body->size - body->len < len) {
        size = ngx_max(body->len + len,
                       2 * body->size + NGX_GATE_CHECK_HTTP_BODY_SIZE);

        p = ngx_alloc(size, log);
        if (p == NULL) {
            return NGX_ERROR;
        }

        if (body->data) {
            ngx_memcpy(p, body->data, body->len);
            ngx_free(body->data);
        }

        body->data = p;
        body->size = size;
    }

    if (len) {
        ngx_memcpy(body->data + body->len, piece->data, len);
        body->len += len;
    }

    return (body->len == max) ? NGX_DONE : NGX_OK;
}


ngx_str_t
ngx_gate_check_http_body_text(ngx_gate_check_http_body_t *body)
{
    ngx_str_t  text;

    text.data = body->data ? body->data : (u_char *) "";
    text.len = body->len;

    return text;
}


void
ngx_gate_check_http_body_free(ngx_gate_check_http_body_t *body)
{
    if (body->data) {
        ngx_free(body->data);
    }

    ngx_memzero(body, sizeof(ngx_gate_check_http_body_t));
}
