
/*
 * "Prefer: wait=10" (RFC 7240): for how many seconds a client would wait.
 * The waiting page asks with wait=0, since it wants to tell how things stand.
 */


#include <ngx_http_gate.h>


#define NGX_HTTP_GATE_WAIT_MAX  86400


static ngx_int_t ngx_http_gate_prefer_parse(ngx_str_t *value);


/* seconds, or NGX_DECLINED */

ngx_int_t
ngx_http_gate_prefer_wait(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        header = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (header[i].key.len == sizeof("Prefer") - 1
                && ngx_strncasecmp(header[i].key.data, (u_char *) "Prefer",
                                   sizeof("Prefer") - 1)
                   == 0)
            {
                return ngx_http_gate_prefer_parse(&header[i].value);
            }
        }
    }

    return NGX_DECLINED;
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

    return (n == NGX_ERROR || n > NGX_HTTP_GATE_WAIT_MAX) ? NGX_DECLINED : n;
}
