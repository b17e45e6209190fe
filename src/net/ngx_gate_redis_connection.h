
/*
 * A connection to Redis, shared by the sessions that want the same one.
 *
 * Each question is a turn; the turns of a connection stand in the order in
 * which their commands were, or will be, sent, and the replies come in the
 * same order.  Questions asked before the connection is there wait in the
 * queue, and leave in one piece behind AUTH and SELECT.
 */


#ifndef _NGX_GATE_REDIS_CONNECTION_H_INCLUDED_
#define _NGX_GATE_REDIS_CONNECTION_H_INCLUDED_


#include <ngx_gate_redis.h>


struct ngx_gate_redis_s {
    ngx_queue_t                queue;      /* of the worker, until retired */
    ngx_uint_t                 users;

    ngx_gate_redis_server_t    server;
    ngx_gate_peer_t            peer;
    ngx_gate_resp_t            resp;
    ngx_queue_t                turns;
    ngx_uint_t                 greeting;   /* replies to come before theirs */

    ngx_pool_t                *pool;       /* where this object is, too */

    unsigned                   connected:1;
    unsigned                   proven:1;   /* has answered a question */
    unsigned                   retired:1;
};


struct ngx_gate_redis_turn_s {
    ngx_queue_t                queue;
    ngx_gate_redis_session_t  *session;    /* NULL: it has left */
    redisReply                *replies[NGX_GATE_REDIS_COMMANDS_MAX];
    ngx_uint_t                 nreplies;
    ngx_uint_t                 wanted;
    size_t                     size;
    u_char                     data[1];
};


/* not yet open: the first turn opens it; NULL: no memory */

ngx_gate_redis_t *ngx_gate_redis_create(ngx_gate_redis_server_t *server,
    ngx_resolver_t *resolver);

/* at the end of the queue; the session's handler will be called */

void ngx_gate_redis_enqueue(ngx_gate_redis_t *redis,
    ngx_gate_redis_turn_t *turn);

/* no session may join any more */

void ngx_gate_redis_retire(ngx_gate_redis_t *redis);

/* one user less; the last one closes it */

void ngx_gate_redis_release(ngx_gate_redis_t *redis);


#endif /* _NGX_GATE_REDIS_CONNECTION_H_INCLUDED_ */
