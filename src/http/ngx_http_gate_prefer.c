
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Preferences of a client in headers without a field in
 * ngx_http_headers_in_t.
 *
 * "Prefer: wait=10" (RFC 7240) limits the wait to 10 seconds; the waiting
 * page sends wait=0 to get the current state.  "Sec-Fetch-Mode" distinguishes
 * a page from a request by a script.
 */


#include <ngx_http_gate.h>


#define NGX_HTTP_GATE_PREFER_WAIT_MAX  86400


static ngx_int_t ngx_http_gate_prefer_parse(ngx_str_t *field);
static u_char *ngx_http_gate_prefer_token(u_char *p, u_char *last,
    ngx_str_t *token);


static ngx_str_t  ngx_http_gate_prefer_name = ngx_string("Prefer");
static ngx_str_t  ngx_http_gate_prefer_fetch_mode =
    ngx_string("Sec-Fetch-Mode");
static ngx_str_t  ngx_http_gate_prefer_navigate = ngx_string("navigate");


/* seconds, or NGX_DECLINED */

ngx_int_t
ngx_http_gate_prefer_wait(ngx_http_request_t *r)
{
    ngx_str_t  *value;

    value = ngx_http_gate_prefer_header(r, &ngx_http_gate_prefer_name);

    return value ? ngx_http_gate_prefer_parse(value) : NGX_DECLINED;
}


/* not a fetch() of a script; some browsers do not send the header */

ngx_uint_t
ngx_http_gate_prefer_page(ngx_http_request_t *r)
{
    ngx_str_t  *value;

    value = ngx_http_gate_prefer_header(r, &ngx_http_gate_prefer_fetch_mode);

    return value == NULL || ngx_gate_str_eq(value,
                                            &ngx_http_gate_prefer_navigate);
}


ngx_str_t *
ngx_http_gate_prefer_header(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        header = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (header[i].key.len == name->len
                && ngx_strncasecmp(header[i].key.data, name->data, name->len)
                   == 0)
            {
                return &header[i].value;
            }
        }
    }

    return NULL;
}


/* one field; NGX_DECLINED: no valid "wait" */

static ngx_int_t
ngx_http_gate_prefer_parse(ngx_str_t *field)
{
    u_char     *p, *last;
    ngx_int_t   n;
    ngx_str_t   name, value;

    p = field->data;
    last = p + field->len;

    while (p < last) {

        p = ngx_http_gate_prefer_token(p, last, &name);
        ngx_str_null(&value);

        if (p < last && *p == '=') {
            p = ngx_http_gate_prefer_token(p + 1, last, &value);
        }

        if (name.len == sizeof("wait") - 1
            && ngx_strncasecmp(name.data, (u_char *) "wait", name.len) == 0)
        {
            n = ngx_atoi(value.data, value.len);

            return n > NGX_HTTP_GATE_PREFER_WAIT_MAX || n == NGX_ERROR
                   ? NGX_DECLINED : n;
        }

        /* skips the parameters of a preference */

        while (p < last && *p != ',') {
            p = ngx_http_gate_prefer_token(p + 1, last, &value);
        }

        p++;
    }

    return NGX_DECLINED;
}


/* a token or a quoted string; returns the next separator */

static u_char *
ngx_http_gate_prefer_token(u_char *p, u_char *last, ngx_str_t *token)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    token->data = p;

    if (p < last && *p == '"') {

        token->data = ++p;

        while (p < last && *p != '"') {
            p += (*p == '\\' && last - p > 1) ? 2 : 1;
        }

        token->len = p - token->data;

        if (p < last) {
            p++;
        }

    } else {
        while (p < last && ngx_strchr(" \t,;=", *p) == NULL) {
            p++;
        }

        token->len = p - token->data;
    }

    while (p < last && ngx_strchr(",;=", *p) == NULL) {
        p++;
    }

    return p;
}
