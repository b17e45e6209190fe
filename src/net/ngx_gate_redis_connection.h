
/*
 * A connection to Redis, shared by the sessions that want the same one.
 *
 * Each request is a request; the requests of a connection stand in the order in
 * which their commands were, or will be, sent, and the replies come in the
 * same order.  Requests asked before the connection is there wait in the
 * queue, and leave in one piece behind AUTH and SELECT.
 */


#ifndef _NGX_GATE_REDIS_CONNECTION_H_INCLUDED_
#define _NGX_GATE_REDIS_CONNECTION_H_INCLUDED_


#include <ngx_gate_redis.h>


struct ngx_gate_redis_connection_s {
    ngx_queue_t               queue;       /* of the worker, until retired */
    ngx_uint_t                users;

    ngx_gate_redis_server_t   server;
    ngx_gate_peer_t           peer;
    ngx_gate_resp_t           resp;
    ngx_queue_t               requests;
    ngx_event_t               expiry;
    ngx_uint_t                login;       /* replies to come before theirs */

    ngx_pool_t               *pool;        /* where this object is, too */

    unsigned                  connected:1;
    unsigned                  replied:1;   /* has answered a request */
    unsigned                  invalid:1;
};


struct ngx_gate_redis_request_s {
    ngx_queue_t                queue;
    ngx_gate_redis_session_t  *session;    /* NULL: it has left */
    redisReply                *replies[NGX_GATE_REDIS_COMMANDS_MAX];
    ngx_uint_t                 nreplies;
    ngx_uint_t                 ncommands;
    size_t                     size;
    u_char                     data[1];
};


/* not yet open: the first request opens it; NULL: no memory */

ngx_gate_redis_connection_t *ngx_gate_redis_connection_create(
    ngx_gate_redis_server_t *server, ngx_gate_resolver_t *resolver);

/* at the end of the queue; the session's handler will be called */

void ngx_gate_redis_connection_enqueue(ngx_gate_redis_connection_t *conn,
    ngx_gate_redis_request_t *request);

/* no session may join any more */

void ngx_gate_redis_connection_invalidate(ngx_gate_redis_connection_t *conn);

/* one user less; the last one closes it */

void ngx_gate_redis_connection_release(ngx_gate_redis_connection_t *conn);


#endif /* _NGX_GATE_REDIS_CONNECTION_H_INCLUDED_ */
