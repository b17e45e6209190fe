
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A connection to Redis, shared by the sessions with the same server, user and
 * database.
 *
 * Requests are queued in the order in which their commands are sent, which is
 * the order of the replies.  Requests that are queued before the connection is
 * established are sent together, after AUTH and SELECT.
 */


#ifndef _NGX_GATE_REDIS_CONNECTION_H_INCLUDED_
#define _NGX_GATE_REDIS_CONNECTION_H_INCLUDED_


#include <ngx_gate_redis.h>
#include <ngx_gate_redis_tracking.h>


struct ngx_gate_redis_connection_s {
    ngx_queue_t               queue;       /* of the worker, until invalid */
    ngx_uint_t                users;

    ngx_gate_redis_server_t   server;
    ngx_gate_peer_t           peer;
    ngx_gate_resp_t           resp;
    ngx_queue_t               sessions;
    ngx_queue_t               requests;
    ngx_event_t               expiry;
    ngx_gate_redis_tracking_t tracking;
    ngx_uint_t                login;       /* replies of the login to come */

    ngx_pool_t               *pool;        /* of this object, too */

    unsigned                  connected:1;
    unsigned                  replied:1;   /* to a request */
    unsigned                  repeated:1;  /* the one before had replied */
    unsigned                  invalid:1;
    unsigned                  subscribed:1;
};


struct ngx_gate_redis_request_s {
    ngx_queue_t                queue;
    ngx_gate_redis_session_t  *session;    /* NULL: detached */
    redisReply                *replies[NGX_GATE_REDIS_COMMANDS_MAX];
    ngx_uint_t                 nreplies;
    ngx_uint_t                 ncommands;
    size_t                     size;
    u_char                     data[1];
};


/* the first request opens it; NULL: no memory */

ngx_gate_redis_connection_t *ngx_gate_redis_connection_create(
    ngx_gate_redis_server_t *server, ngx_gate_resolver_t *resolver);

/* NGX_OK: the handler of the session will be called; NGX_ERROR: no memory */

ngx_int_t ngx_gate_redis_connection_enqueue(ngx_gate_redis_connection_t *conn,
    ngx_gate_redis_session_t *session, ngx_str_t **commands, ngx_uint_t n);

/* no further request is sent over it; closed after those in flight */

void ngx_gate_redis_connection_invalidate(ngx_gate_redis_connection_t *conn);

/* the last user closes it */

void ngx_gate_redis_connection_release(ngx_gate_redis_connection_t *conn);


#endif /* _NGX_GATE_REDIS_CONNECTION_H_INCLUDED_ */
