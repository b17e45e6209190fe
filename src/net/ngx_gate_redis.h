
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A session with a Redis server: logs in, selects the database, sends
 * commands, reads their replies.  All sessions of a worker with one server,
 * user and database share one connection, on which their commands are
 * pipelined.  It is kept as long as a session uses it, for at most 30 seconds.
 */


#ifndef _NGX_GATE_REDIS_H_INCLUDED_
#define _NGX_GATE_REDIS_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_redis_server.h>
#include <ngx_gate_resp.h>


#define NGX_GATE_REDIS_COMMANDS_MAX  4    /* of one request */


typedef struct ngx_gate_redis_connection_s          ngx_gate_redis_connection_t;
typedef struct ngx_gate_redis_request_s     ngx_gate_redis_request_t;
typedef struct ngx_gate_redis_session_s  ngx_gate_redis_session_t;

struct ngx_gate_redis_session_s {
    /* in: set by the caller before the first request */
    ngx_gate_resolver_t          *resolver;
    ngx_log_t                    *log;
    ngx_msec_t                    deadline;
    void                         *data;
    void                        (*handler)(ngx_gate_redis_session_t *session);

    /*
     * if the commands read "key": changed() is called, not from within send()
     * or detach(), if the server reports a change of the key, or begins or
     * ceases to report changes
     */
    ngx_str_t                     key;
    void                        (*changed)(ngx_gate_redis_session_t *session);

    /*
     * not NULL: the connection is not shared, and further replies are passed to
     * push(), or NULL if the connection is closed
     */
    void                        (*push)(ngx_gate_redis_session_t *session,
                                        redisReply *reply);

    /*
     * out: the replies to all commands, in order, until the handler returns;
     * or, with nreplies 0, the error
     */
    redisReply                  **replies;
    ngx_uint_t                    nreplies;
    ngx_gate_error_t              error;

    /* private */
    ngx_queue_t                   queue;         /* of the connection */
    ngx_gate_redis_connection_t  *connection;    /* held between requests */
    ngx_gate_redis_request_t     *request;       /* in flight */
};


/*
 * One request at a time.  The handler is called once for it, never from
 * within send(), and may call send() or detach().  The commands must be
 * read-only: if a kept connection has been closed by the server, they are sent
 * again over another one.  The user, password and password_file of "server" are
 * not copied.  NGX_ERROR: no memory.
 */

ngx_int_t ngx_gate_redis_send(ngx_gate_redis_session_t *session,
    ngx_gate_redis_server_t *server, ngx_str_t **commands, ngx_uint_t n);

/* whether the server reports changes of the keys that the session reads */

ngx_uint_t ngx_gate_redis_tracking_is_on(ngx_gate_redis_session_t *session);

/* whether it has refused to */

ngx_uint_t ngx_gate_redis_tracking_is_refused(
    ngx_gate_redis_session_t *session);

/* a reply was not valid: no session uses this connection again */

void ngx_gate_redis_invalidate(ngx_gate_redis_session_t *session);

/* the handler is not called any more; may be called on a zeroed session */

void ngx_gate_redis_detach(ngx_gate_redis_session_t *session);


#endif /* _NGX_GATE_REDIS_H_INCLUDED_ */
