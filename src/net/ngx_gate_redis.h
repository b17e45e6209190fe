
/*
 * A conversation with a Redis server: logs in, selects the database, sends
 * commands, reads their replies.  All sessions of a worker with one server,
 * user and database share one connection, on which their commands follow each
 * other without waiting; it stays open as long as one of them holds it.
 */


#ifndef _NGX_GATE_REDIS_H_INCLUDED_
#define _NGX_GATE_REDIS_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_redis_server.h>
#include <ngx_gate_resp.h>


#define NGX_GATE_REDIS_COMMANDS_MAX  4    /* of one request */
#define NGX_GATE_REDIS_ERROR_MAX     256


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
     * out: the replies to all commands, in order, until the handler returns;
     * or none, and reason and error tell why
     */
    redisReply                  **replies;
    ngx_uint_t                    nreplies;
    ngx_gate_reason_e             reason;
    u_char                        error[NGX_GATE_REDIS_ERROR_MAX];
    size_t                        error_len;

    /* private */
    ngx_gate_redis_connection_t  *connection;    /* held between requests */
    ngx_gate_redis_request_t     *request;       /* in flight */
};


/*
 * One request at a time.  The handler is called once for it, never from
 * within ask(), and may ask the next one or leave.  The commands must not
 * change anything: should a kept connection request out to be closed, they are
 * sent once more over another one.  Of "server", the user, password
 * and password_file are not copied.  NGX_ERROR: no memory.
 */

ngx_int_t ngx_gate_redis_send(ngx_gate_redis_session_t *session,
    ngx_gate_redis_server_t *server, ngx_str_t **commands, ngx_uint_t n);

/* what was answered makes no sense: nobody asks on this connection again */

void ngx_gate_redis_invalidate(ngx_gate_redis_session_t *session);

/* the handler will not be called any more; harmless on a zeroed session */

void ngx_gate_redis_detach(ngx_gate_redis_session_t *session);


#endif /* _NGX_GATE_REDIS_H_INCLUDED_ */
