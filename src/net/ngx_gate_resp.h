
/*
 * Replies in Redis's protocol, version 2, by hiredis's codec, within bounds:
 * every length is looked at before the codec sees it, so a reply can neither
 * make it allocate what it has not sent nor keep it waiting for what nobody
 * would want to have.
 */


#ifndef _NGX_GATE_RESP_H_INCLUDED_
#define _NGX_GATE_RESP_H_INCLUDED_


#include <ngx_gate.h>
#include <hiredis/hiredis.h>


#define NGX_GATE_RESP_SIZE_MAX   (NGX_GATE_MATCH_MAX + 1024)
#define NGX_GATE_RESP_ITEMS_MAX  4096
#define NGX_GATE_RESP_DEPTH_MAX  7       /* that of the oldest hiredis */
#define NGX_GATE_RESP_ERROR_MAX  128


typedef struct {
    redisReader              *reader;      /* NULL before the first reply */

    /* the reply being read */
    ngx_uint_t                state;
    u_char                    type;
    ngx_uint_t                negative;    /* the length being read */
    ngx_uint_t                digits;
    size_t                    number;
    size_t                    bulk;        /* bytes of a string to come */
    size_t                    size;        /* bytes of the reply so far */
    ngx_uint_t                items;       /* of the reply so far */
    ngx_uint_t                depth;
    ngx_uint_t                wanted[NGX_GATE_RESP_DEPTH_MAX];
                                           /* items to come of each list */

    /* after NGX_ERROR */
    ngx_gate_reason_e         reason;
    u_char                    error[NGX_GATE_RESP_ERROR_MAX];
    size_t                    error_len;
} ngx_gate_resp_t;


/*
 * NGX_OK: a whole reply, to be freed by freeReplyObject(); NGX_AGAIN: all
 * bytes are taken, more are needed; NGX_ERROR: reason and error tell, and
 * nothing more can be read.
 */

ngx_int_t ngx_gate_resp_read(ngx_gate_resp_t *resp, ngx_buf_t *in,
    redisReply **reply);

/* as before the first byte; harmless on a zeroed object */

void ngx_gate_resp_reset(ngx_gate_resp_t *resp);

/*
 * What an error reply means: LOADING, AUTH, DENIED, ...  "known" is the part
 * of the text that told, and empty with QUERY, any other error.
 */

ngx_gate_reason_e ngx_gate_resp_reason(redisReply *reply, ngx_str_t *known);

/* what kind of reply this is, for messages */

const char *ngx_gate_resp_type(redisReply *reply);

/* "-MOVED 3999 127.0.0.1:6381": an empty host is the one that was asked */

ngx_int_t ngx_gate_resp_redirect(redisReply *reply, const char *word,
    ngx_str_t *host, in_port_t *port);

/* a command as it is sent; NGX_ERROR: no memory */

#define NGX_GATE_RESP_WORDS_MAX  4

ngx_int_t ngx_gate_resp_command(ngx_pool_t *pool, ngx_str_t *command,
    ngx_str_t *words, ngx_uint_t n);


#endif /* _NGX_GATE_RESP_H_INCLUDED_ */
