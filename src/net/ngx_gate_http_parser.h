
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Incremental parser of an HTTP/1 response: the status, and where the body
 * begins and ends.  Stores only what the framing needs, whatever the size of
 * the response.
 */


#ifndef _NGX_GATE_HTTP_PARSER_H_INCLUDED_
#define _NGX_GATE_HTTP_PARSER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_GATE_HTTP_PARSER_HEADER_MAX  65536 /* header and trailer lines */
#define NGX_GATE_HTTP_PARSER_LINE_MAX    256   /* part of a line that is
                                                  parsed */


typedef enum {
    NGX_GATE_HTTP_PARSER_STATUS = 0,
    NGX_GATE_HTTP_PARSER_HEADER,
    NGX_GATE_HTTP_PARSER_BODY,
    NGX_GATE_HTTP_PARSER_CHUNK_SIZE,
    NGX_GATE_HTTP_PARSER_CHUNK,
    NGX_GATE_HTTP_PARSER_CHUNK_END,
    NGX_GATE_HTTP_PARSER_TRAILER,
    NGX_GATE_HTTP_PARSER_END
} ngx_gate_http_parser_state_e;


/* for a line of the header that is not too long, if it is set */

typedef void (*ngx_gate_http_parser_header_pt)(void *data, ngx_str_t *name,
    ngx_str_t *value);


typedef struct {
    ngx_gate_http_parser_state_e  state;
    ngx_uint_t                    status;    /* of the final response, or 0 */
    const char                   *error;
    off_t                         left;      /* of the body, or of a chunk;
                                                -1: until the end */
    off_t                         length;    /* Content-Length, or -1 */
    size_t                        header_size;
    size_t                        line_len;  /* may exceed the size of line */
    u_char                        line[NGX_GATE_HTTP_PARSER_LINE_MAX];

    ngx_gate_http_parser_header_pt  header;
    void                         *data;

    unsigned                      head:1;    /* a response to HEAD */
    unsigned                      http10:1;
    unsigned                      chunked:1;
    unsigned                      encoded:1; /* Transfer-Encoding was present */
    unsigned                      close:1;
    unsigned                      keepalive:1;
    unsigned                      framing:1; /* the last line was such a
                                                header */
    unsigned                      begun:1;   /* a byte was received */
} ngx_gate_http_parser_t;


void ngx_gate_http_parser_init(ngx_gate_http_parser_t *parser,
    ngx_uint_t head);

/*
 * Parses bytes from pos.  NGX_OK: "body" is the next piece of the body;
 * NGX_AGAIN: all bytes were parsed, more are needed; NGX_DONE: the response
 * is complete; NGX_ERROR: it is invalid, parser->error is set.
 */

ngx_int_t ngx_gate_http_parser_parse(ngx_gate_http_parser_t *parser,
    u_char **pos, u_char *last, ngx_str_t *body);

/* the connection has ended: NGX_DONE, or NGX_ERROR if it ended too early */

ngx_int_t ngx_gate_http_parser_eof(ngx_gate_http_parser_t *parser);

/* compares without case, as names of headers and tokens */

ngx_uint_t ngx_gate_http_parser_token_is(ngx_str_t *token, const char *text);

/* the final header has been read */

#define ngx_gate_http_parser_has_status(parser)                               \
    ((parser)->state >= NGX_GATE_HTTP_PARSER_BODY)

/* once complete: the connection can be used for another request */

#define ngx_gate_http_parser_keepalive(parser)                                \
    ((parser)->keepalive && !(parser)->close)


#endif /* _NGX_GATE_HTTP_PARSER_H_INCLUDED_ */
