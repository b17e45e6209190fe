
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * POST requests that change the state, with a token, and with arguments in
 * the query or in a form.  Refusals are problem details.
 */


#ifndef _NGX_HTTP_GATE_POST_H_INCLUDED_
#define _NGX_HTTP_GATE_POST_H_INCLUDED_


#include <ngx_http_gate.h>
#include <ngx_gate_mailbox.h>
#include <ngx_http_gate_form.h>


#define NGX_HTTP_GATE_POST_MAX  4096    /* of a form */


typedef struct ngx_http_gate_post_s  ngx_http_gate_post_t;

/* decides about the path before the body is read: NULL, or a sentence */

typedef const char *(*ngx_http_gate_post_find_pt)(ngx_http_gate_post_t *post,
    ngx_str_t *path);

/* has to finalize the request */

typedef void (*ngx_http_gate_post_done_pt)(ngx_http_gate_post_t *post);


struct ngx_http_gate_post_s {
    ngx_http_request_t         *request;
    ngx_http_gate_post_done_pt  done;

    ngx_gate_t                 *gate;
    ngx_gate_check_t           *check;

    ngx_msec_t                  start_msec;
    size_t                      len;
    u_char                     *form;       /* NGX_HTTP_GATE_POST_MAX bytes */

    /* while waiting for the item to be in force */
    ngx_queue_t                 queue;
    ngx_event_t                 timer;
    ngx_gate_mailbox_t         *box;
    ngx_atomic_uint_t           count;
    unsigned                    queued:1;
};


ngx_int_t ngx_http_gate_post_begin(ngx_http_request_t *r,
    ngx_http_gate_post_find_pt find, ngx_http_gate_post_done_pt done);

/* of the query and of the form; NGX_DECLINED: the request is finalized */

ngx_int_t ngx_http_gate_post_args(ngx_http_gate_post_t *post,
    ngx_http_gate_form_arg_t *args);

/* finalizes the request: 422, or another status, and a sentence */

void ngx_http_gate_post_invalid(ngx_http_gate_post_t *post,
    const char *detail);
void ngx_http_gate_post_unavailable(ngx_http_gate_post_t *post);

/*
 * Responds with 204 when the item is in force, or with 202 after two seconds;
 * see ngx_http_gate_await.c.
 */

void ngx_http_gate_await_begin(ngx_http_gate_post_t *post,
    ngx_gate_mailbox_t *box, ngx_atomic_uint_t count);
void ngx_http_gate_await_end(ngx_http_gate_post_t *post);


#endif /* _NGX_HTTP_GATE_POST_H_INCLUDED_ */
