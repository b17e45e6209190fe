
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One gRPC call at a time over one HTTP/2 connection, by libnghttp2.
 * Independent of sockets: received bytes are passed to read(), and bytes to
 * be sent are passed to a function of the caller.
 */


#ifndef _NGX_GATE_GRPC_H_INCLUDED_
#define _NGX_GATE_GRPC_H_INCLUDED_


#include <ngx_gate.h>
#include <nghttp2/nghttp2.h>


#define NGX_GATE_GRPC_RECEIVED_MAX  65536    /* per call, as received */
#define NGX_GATE_GRPC_HEADERS_MAX   65536    /* per call, uncompressed */
#define NGX_GATE_GRPC_MESSAGE_MAX   4096
#define NGX_GATE_GRPC_TEXT_MAX      128      /* of grpc-message */

#define NGX_GATE_GRPC_PREFIX        5        /* before each message */


/* the gRPC statuses that are handled here */

typedef enum {
    NGX_GATE_GRPC_NO_STATUS = -1,
    NGX_GATE_GRPC_OK = 0,
    NGX_GATE_GRPC_DEADLINE_EXCEEDED = 4,
    NGX_GATE_GRPC_NOT_FOUND = 5,
    NGX_GATE_GRPC_PERMISSION_DENIED = 7,
    NGX_GATE_GRPC_RESOURCE_EXHAUSTED = 8,
    NGX_GATE_GRPC_UNIMPLEMENTED = 12,
    NGX_GATE_GRPC_UNAVAILABLE = 14,
    NGX_GATE_GRPC_UNAUTHENTICATED = 16
} ngx_gate_grpc_status_e;


typedef struct {
    ngx_str_t                 scheme;
    ngx_str_t                 authority;
    ngx_str_t                 path;
    ngx_str_t                 message;      /* with its prefix */
} ngx_gate_grpc_request_t;


typedef struct {
    ngx_int_t                 http_status;  /* 0: none */
    ngx_int_t                 status;       /* ngx_gate_grpc_status_e, or
                                               another number */
    ngx_str_t                 message;      /* without its prefix; no data if
                                               there is no message */
    size_t                    text_len;     /* grpc-message */
    u_char                    text[NGX_GATE_GRPC_TEXT_MAX];

    unsigned                  is_grpc:1;    /* by its Content-Type */
} ngx_gate_grpc_response_t;


typedef struct ngx_gate_grpc_s  ngx_gate_grpc_t;

struct ngx_gate_grpc_s {
    /* in: set by the caller before open, the rest zeroed */
    void                     *data;
    void                    (*send)(void *data, const u_char *bytes,
                                    size_t len);

    /* out */
    ngx_gate_grpc_response_t  response;
    ngx_gate_error_t          error;

    /* private */
    nghttp2_session          *session;      /* NULL: not open */
    ngx_gate_grpc_request_t  *request;
    int32_t                   stream;
    size_t                    sent;         /* of the request's message */
    size_t                    received;
    size_t                    headers;
    size_t                    body_len;
    uint32_t                  reset_code;
    u_char                    body[NGX_GATE_GRPC_PREFIX
                                   + NGX_GATE_GRPC_MESSAGE_MAX];

    unsigned                  greeted:1;    /* SETTINGS received */
    unsigned                  leaving:1;    /* GOAWAY received */
    unsigned                  ended:1;      /* the response is complete */
    unsigned                  reset:1;      /* by the peer */
    unsigned                  closed:1;     /* the stream, in both directions */
};


/* NGX_OK; NGX_ERROR: no memory */

ngx_int_t ngx_gate_grpc_open(ngx_gate_grpc_t *grpc);
ngx_int_t ngx_gate_grpc_call(ngx_gate_grpc_t *grpc,
    ngx_gate_grpc_request_t *request, ngx_msec_t time);

/*
 * NGX_AGAIN: more data is needed; NGX_DONE: the response is complete;
 * NGX_DECLINED: the call was not processed and may be repeated over another
 * connection; NGX_ERROR: there will be no response.  NGX_DECLINED and
 * NGX_ERROR set reason and error.  Between two calls, NGX_DONE means that the
 * connection is usable.
 */

ngx_int_t ngx_gate_grpc_read(ngx_gate_grpc_t *grpc, const u_char *bytes,
    size_t len);

/* the connection ended before the response; never NGX_AGAIN or NGX_DONE */

ngx_int_t ngx_gate_grpc_read_end(ngx_gate_grpc_t *grpc);

/* after a response: another call is possible */

ngx_uint_t ngx_gate_grpc_is_reusable(ngx_gate_grpc_t *grpc);

void ngx_gate_grpc_close(ngx_gate_grpc_t *grpc);    /* idempotent */


#endif /* _NGX_GATE_GRPC_H_INCLUDED_ */
