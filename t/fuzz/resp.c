
/*
 * Arbitrary replies of a Redis server, in pieces: the first byte is their
 * size.  In one piece the result must be the same.
 */


#include "fuzz.h"
#include <ngx_gate_resp.h>


static ngx_uint_t fuzz_read(const u_char *data, size_t size, size_t piece);
static ngx_uint_t fuzz_reply(redisReply *reply);
static size_t fuzz_size(redisReply *reply);


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    ngx_uint_t  a, b;

    if (size == 0) {
        return 0;
    }

    a = fuzz_read(data + 1, size - 1, 1 + data[0]);
    b = fuzz_read(data + 1, size - 1, size);

    fuzz_assert(a == b);

    return 0;
}


static ngx_uint_t
fuzz_read(const u_char *data, size_t size, size_t piece)
{
    ngx_buf_t         in;
    ngx_int_t         rc;
    ngx_uint_t        sum;
    redisReply       *reply;
    ngx_gate_resp_t   resp;

    ngx_memzero(&resp, sizeof(ngx_gate_resp_t));
    ngx_memzero(&in, sizeof(ngx_buf_t));

    in.pos = (u_char *) data;
    in.last = in.pos;

    rc = NGX_AGAIN;
    sum = 0;

    while (rc == NGX_OK || (rc == NGX_AGAIN && size)) {

        if (rc == NGX_AGAIN) {
            piece = ngx_min(piece, size);
            in.last += piece;
            size -= piece;
        }

        rc = ngx_gate_resp_read(&resp, &in, &reply);

        if (rc == NGX_OK) {
            sum = sum * 31 + fuzz_reply(reply);
            freeReplyObject(reply);
        }

        fuzz_assert(in.pos == in.last);
        fuzz_assert(rc != NGX_OK || resp.items == 0);
        fuzz_assert(rc != NGX_ERROR || resp.error_len);
    }

    ngx_gate_resp_reset(&resp);

    return rc == NGX_ERROR ? sum + 1 : sum;
}


static ngx_uint_t
fuzz_reply(redisReply *reply)
{
    ngx_str_t   host, known;
    in_port_t   port;
    ngx_uint_t  sum;

    fuzz_assert(fuzz_size(reply) <= NGX_GATE_RESP_SIZE_MAX);
    fuzz_assert(ngx_gate_resp_type(reply) != NULL);

    sum = reply->type + reply->integer + reply->elements;

    if (reply->type == REDIS_REPLY_ERROR) {
        sum += ngx_gate_resp_reason(reply, &known);

        if (ngx_gate_resp_redirect(reply, "MOVED", &host, &port) == NGX_OK) {
            fuzz_assert(port > 0);
            fuzz_assert(host.len < (size_t) reply->len);
        }
    }

    return sum;
}


/* the minimum of bytes that the server has to send */

static size_t
fuzz_size(redisReply *reply)
{
    size_t  i, size;

    size = 3;

    if (reply->type == REDIS_REPLY_ARRAY) {
        for (i = 0; i < reply->elements; i++) {
            size += fuzz_size(reply->element[i]);
        }

    } else if (reply->type != REDIS_REPLY_INTEGER
               && reply->type != REDIS_REPLY_NIL)
    {
        size += reply->len;
    }

    return size;
}
