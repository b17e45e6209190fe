
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Replies in Redis' protocol, version 2, by the reader of hiredis, which
 * allocates an array as large as the header of the reply says, and buffers what
 * it is fed.  The number of elements is limited before an array is allocated,
 * and the size of a reply as long as it is incomplete.
 */


#ifndef _NGX_GATE_RESP_H_INCLUDED_
#define _NGX_GATE_RESP_H_INCLUDED_


#include <ngx_gate.h>
#include <hiredis/hiredis.h>


#define NGX_GATE_RESP_SIZE_MAX   (NGX_GATE_MATCH_MAX + 1024)
#define NGX_GATE_RESP_ITEMS_MAX  4096


typedef struct {
    redisReader              *reader;      /* NULL before the first reply */
    size_t                    size;        /* fed since the last reply */
    ngx_uint_t                items;       /* of the arrays of this reply */
    ngx_gate_error_t          error;       /* after NGX_ERROR */
} ngx_gate_resp_t;


/*
 * Takes all of "in".  NGX_OK: a complete reply, to be freed by
 * freeReplyObject(); NGX_AGAIN: more bytes are needed; NGX_ERROR: error is
 * set, and reset() must follow.
 */

ngx_int_t ngx_gate_resp_read(ngx_gate_resp_t *resp, ngx_buf_t *in,
    redisReply **reply);

/* bytes of a further reply have been taken */

ngx_uint_t ngx_gate_resp_is_pending(ngx_gate_resp_t *resp);

/* may be called on a zeroed object */

void ngx_gate_resp_reset(ngx_gate_resp_t *resp);

/*
 * The reason for an error reply.  "known" is the part of the text that selects
 * it, and is empty for QUERY, any other error.
 */

ngx_gate_reason_e ngx_gate_resp_reason(redisReply *reply, ngx_str_t *known);
void ngx_gate_resp_set_error(redisReply *reply, ngx_gate_error_t *error);

/* the type of a reply, for messages */

const char *ngx_gate_resp_type(redisReply *reply);

/* "-MOVED 3999 127.0.0.1:6381": an empty host is that of the replying server */

ngx_int_t ngx_gate_resp_redirect(redisReply *reply, const char *word,
    ngx_str_t *host, in_port_t *port);

/* a command as it is sent; NGX_ERROR: no memory */

#define NGX_GATE_RESP_WORDS_MAX  4

ngx_int_t ngx_gate_resp_command(ngx_pool_t *pool, ngx_str_t *command,
    ngx_str_t *words, ngx_uint_t n);


#endif /* _NGX_GATE_RESP_H_INCLUDED_ */
