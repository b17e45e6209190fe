
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Changes of keys, reported by the server (CLIENT TRACKING).
 *
 * In version 2 of the protocol, the reports for a connection are sent to a
 * second one, which has subscribed to "__redis__:invalidate".  A key is
 * reported once, after it has been read; the next read makes the server report
 * it again.  If the server refuses one of the commands, or the second
 * connection cannot be opened, there are no reports, and keys are only polled.
 * If there were reports before, the second connection is opened again after
 * one of the next reads.
 */


#ifndef _NGX_GATE_REDIS_TRACKING_H_INCLUDED_
#define _NGX_GATE_REDIS_TRACKING_H_INCLUDED_


#include <ngx_gate_redis.h>


typedef struct {
    ngx_uint_t                state;
    ngx_uint_t                succeeded;   /* once */
    ngx_uint_t                reports;     /* more than keys have been read */
    ngx_msec_t                started;
    ngx_log_t                 log;
    ngx_gate_redis_session_t  subscriber;  /* with a connection of its own */
    ngx_gate_redis_session_t  session;     /* of CLIENT TRACKING */
} ngx_gate_redis_tracking_t;


/* a key has been read over this connection */

void ngx_gate_redis_tracking_read(ngx_gate_redis_connection_t *conn);

/* the connection is closed: changed() of its sessions is called */

void ngx_gate_redis_tracking_stop(ngx_gate_redis_connection_t *conn);


#endif /* _NGX_GATE_REDIS_TRACKING_H_INCLUDED_ */
