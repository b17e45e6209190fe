
/*
 * Data from a gRPC server, in pieces: the first byte is their size.  In one
 * piece, the verdict must be the same.  Then all of it as a message.
 */


#include "fuzz.h"
#include <ngx_gate_check_grpc.h>


typedef struct {
    ngx_int_t                      rc;
    ngx_gate_result_t              verdict;
} outcome_t;


static void fuzz_read(outcome_t *out, const u_char *data, size_t size,
    size_t piece);
static void fuzz_send(void *data, const u_char *bytes, size_t len);
static void fuzz_message(const u_char *data, size_t size);


static ngx_gate_grpc_request_t  fuzz_request = {
    ngx_string("http"),
    ngx_string("localhost:50051"),
    ngx_string("/grpc.health.v1.Health/Check"),
    { 5, (u_char *) "\0\0\0\0\0" }
};


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    outcome_t  a, b;

    if (size == 0) {
        return 0;
    }

    fuzz_message(data, size);

    fuzz_read(&a, data + 1, size - 1, 1 + data[0]);
    fuzz_read(&b, data + 1, size - 1, size);

    fuzz_assert((a.rc == NGX_DONE) == (b.rc == NGX_DONE));
    fuzz_assert(a.verdict.verdict == b.verdict.verdict);
    fuzz_assert(a.verdict.reason == b.verdict.reason);
    fuzz_assert(a.verdict.message_len == b.verdict.message_len);
    fuzz_assert(ngx_memcmp(a.verdict.message, b.verdict.message,
                           a.verdict.message_len)
                == 0);

    return 0;
}


static void
fuzz_read(outcome_t *out, const u_char *data, size_t size, size_t piece)
{
    u_char           *copy;
    ngx_gate_grpc_t   grpc;

    ngx_memzero(out, sizeof(outcome_t));
    ngx_memzero(&grpc, sizeof(ngx_gate_grpc_t));

    grpc.send = fuzz_send;

    fuzz_assert(ngx_gate_grpc_open(&grpc) == NGX_OK);
    fuzz_assert(ngx_gate_grpc_call(&grpc, &fuzz_request, 1000) == NGX_OK);
    fuzz_assert(!ngx_gate_grpc_is_reusable(&grpc));

    out->rc = NGX_AGAIN;

    while (out->rc == NGX_AGAIN && size) {
        piece = ngx_min(piece, size);

        /* a copy, so that a read beyond its end is found */

        copy = malloc(piece);
        fuzz_assert(copy != NULL);
        ngx_memcpy(copy, data, piece);

        out->rc = ngx_gate_grpc_read(&grpc, copy, piece);

        free(copy);
        data += piece;
        size -= piece;
    }

    if (out->rc == NGX_AGAIN) {
        out->rc = ngx_gate_grpc_read_end(&grpc);
        fuzz_assert(out->rc != NGX_AGAIN && out->rc != NGX_DONE);
    }

    if (out->rc == NGX_DONE) {
        ngx_gate_check_grpc_verdict(&grpc.response, &out->verdict);

        fuzz_assert(out->verdict.verdict == NGX_GATE_PASSED
                    || out->verdict.reason != NGX_GATE_OK);

    } else {
        /* the first one of several errors may be another one */

        fuzz_assert(grpc.error.len && grpc.error.reason != NGX_GATE_OK);
    }

    ngx_gate_grpc_close(&grpc);
    ngx_gate_grpc_close(&grpc);
}


static void
fuzz_send(void *data, const u_char *bytes, size_t len)
{
    fuzz_assert(len > 0);
}


static void
fuzz_message(const u_char *data, size_t size)
{
    u_char                         *copy;
    ngx_gate_grpc_response_t        response;
    ngx_gate_result_t               verdict;

    copy = malloc(size);
    fuzz_assert(copy != NULL);
    ngx_memcpy(copy, data, size);

    ngx_memzero(&response, sizeof(ngx_gate_grpc_response_t));

    response.message.data = copy;
    response.message.len = size;

    ngx_gate_check_grpc_verdict(&response, &verdict);

    fuzz_assert(verdict.verdict == NGX_GATE_PASSED
                || verdict.reason != NGX_GATE_OK);
    fuzz_assert(verdict.message_len <= NGX_GATE_MESSAGE_MAX);

    free(copy);
}
