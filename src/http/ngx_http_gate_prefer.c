
/*
 * What a client prefers by headers that nginx has no place for.
 *
 * "Prefer: wait=10" (RFC 7240) is for how many seconds it would wait; the
 * waiting page asks with wait=0, since it wants to notify how things stand.
 * By "Sec-Fetch-Mode" a browser says that somebody is looking.
 */


#include <ngx_http_gate.h>


#define NGX_HTTP_GATE_PREFER_WAIT_MAX  86400


static ngx_str_t *ngx_http_gate_prefer_header(ngx_http_request_t *r,
    ngx_str_t *name);
static ngx_int_t ngx_http_gate_prefer_parse(ngx_str_t *value);


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


/* whether it is no fetch() of a script; not every browser says */

ngx_uint_t
ngx_http_gate_prefer_page(ngx_http_request_t *r)
{
    ngx_str_t  *value;

    value = ngx_http_gate_prefer_header(r, &ngx_http_gate_prefer_fetch_mode);

    return value == NULL || ngx_gate_str_eq(value,
                                            &ngx_http_gate_prefer_navigate);
}


static ngx_str_t *
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


static ngx_int_t
ngx_http_gate_prefer_parse(ngx_str_t *value)
{
    u_char     *p, *end, *last;
    ngx_int_t   n;

    last = value->data + value->len;

    p = ngx_strlcasestrn(value->data, last, (u_char *) "wait=",
                         sizeof("wait=") - 2);

    if (p == NULL || (p > value->data && p[-1] != ' ' && p[-1] != ',')) {
        return NGX_DECLINED;
    }

    p += sizeof("wait=") - 1;

    for (end = p; end < last && *end >= '0' && *end <= '9'; end++) {
        /* void */
    }

    n = ngx_atoi(p, end - p);

    if (n == NGX_ERROR || n > NGX_HTTP_GATE_PREFER_WAIT_MAX) {
        return NGX_DECLINED;
    }

    return n;
}
