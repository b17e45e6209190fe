
/*
 * A response in HTTP/1: read at once and in small pieces it must have the same
 * status, body and end.
 */


#include "fuzz.h"
#include <ngx_gate_http_parser.h>


typedef struct {
    ngx_int_t   rc;
    ngx_int_t   end;
    ngx_uint_t  status;
    ngx_uint_t  keepalive;
    size_t      body;
    uint32_t    hash;
    size_t      taken;
} outcome_t;


static outcome_t
answer(u_char *data, size_t size, size_t step, ngx_uint_t head)
{
    size_t                   i;
    u_char                  *pos, *last, *piece;
    ngx_str_t                body;
    outcome_t                out;
    ngx_gate_http_parser_t   parser;

    ngx_memzero(&out, sizeof(outcome_t));
    ngx_gate_http_parser_init(&parser, head);

    out.rc = NGX_AGAIN;
    pos = data;

    while (out.rc == NGX_AGAIN && pos < data + size) {

        last = pos + ngx_min(step, (size_t) (data + size - pos));

        do {
            piece = pos;
            out.rc = ngx_gate_http_parser_parse(&parser, &pos, last, &body);

            if (pos < piece || pos > last) {
                ngx_abort();
            }

            if (out.rc != NGX_OK) {
                break;
            }

            if (body.len == 0 || body.data < piece
                || body.data + body.len != pos)
            {
                ngx_abort();
            }

            if (!ngx_gate_http_parser_has_status(&parser)) {
                ngx_abort();
            }

            for (i = 0; i < body.len; i++) {
                out.hash = out.hash * 31 + body.data[i];
            }

            out.body += body.len;

        } while (out.rc == NGX_OK);

        if (out.rc == NGX_AGAIN && pos != last) {
            ngx_abort();
        }
    }

    if (out.rc == NGX_ERROR) {

        if (parser.error == NULL) {
            ngx_abort();
        }

        return out;
    }

    out.status = parser.status;
    out.taken = pos - data;
    out.end = ngx_gate_http_parser_eof(&parser);
    out.keepalive = ngx_gate_http_parser_keepalive(&parser);

    if (out.end == NGX_DONE && (out.status < 101 || out.status > 999)) {
        ngx_abort();
    }

    if (out.rc == NGX_DONE && out.end != NGX_DONE) {
        ngx_abort();
    }

    if (head && out.body) {
        ngx_abort();
    }

    return out;
}


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    u_char      *copy;
    size_t       step;
    outcome_t    one, two;
    ngx_uint_t   head;

    if (size < 2) {
        return 0;
    }

    head = data[0] & 1;
    step = 1 + (data[1] & 0x3f);

    /* a buffer of this size, so that a read beyond its end is found */

    size -= 2;
    copy = malloc(size ? size : 1);
    fuzz_assert(copy != NULL);

    ngx_memcpy(copy, data + 2, size);

    one = answer(copy, size, size ? size : 1, head);
    two = answer(copy, size, step, head);

    free(copy);

    if (one.rc != two.rc) {
        ngx_abort();
    }

    if (one.rc != NGX_ERROR
        && (one.end != two.end || one.status != two.status
            || one.keepalive != two.keepalive || one.body != two.body
            || one.hash != two.hash || one.taken != two.taken))
    {
        ngx_abort();
    }

    return 0;
}
