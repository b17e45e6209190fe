
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Requests that wait for a change by "Prefer: wait=N" (RFC 7240): those of
 * init_ready, and those of the waiting page.  They have a budget of their own,
 * apart from held requests, and do not keep a worker from exiting.
 */


#ifndef _NGX_HTTP_GATE_WAIT_H_INCLUDED_
#define _NGX_HTTP_GATE_WAIT_H_INCLUDED_


#include <ngx_http_gate.h>


struct ngx_http_gate_wait_s {
    ngx_queue_t               queue;
    ngx_event_t               timer;
    ngx_http_request_t       *request;
    ngx_gate_t              **gates;       /* of the location */
    ngx_int_t                 seconds;     /* as applied, or NGX_DECLINED */
    uint32_t                  version;     /* of what was looked at last */
    uint32_t                  tag;         /* of the response */
    unsigned                  page:1;      /* the tag is that of the page */
    unsigned                  matched:1;   /* the client knows this tag */
    unsigned                  queued:1;

    /* whether a change ends the wait of a client without a tag */
    ngx_uint_t              (*ends)(ngx_http_gate_wait_t *wait);
    void                    (*done)(ngx_http_gate_wait_t *wait);
    void                    (*gone)(ngx_http_gate_wait_t *wait);
    void                     *data;
};


/* before the gates are read for a response */

ngx_http_gate_wait_t *ngx_http_gate_wait_create(ngx_http_request_t *r,
    ngx_gate_t **gates, ngx_uint_t page);
void ngx_http_gate_wait_set_tag(ngx_http_gate_wait_t *wait);

/*
 * NGX_AGAIN: the request waits, and done() or gone() will be called.
 * NGX_DECLINED: it is to be answered now.
 */

ngx_int_t ngx_http_gate_wait_request(ngx_http_gate_wait_t *wait);

/* ETag and Preference-Applied */

ngx_int_t ngx_http_gate_wait_add_headers(ngx_http_gate_wait_t *wait);


#endif /* _NGX_HTTP_GATE_WAIT_H_INCLUDED_ */
