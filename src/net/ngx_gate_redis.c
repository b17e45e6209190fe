
/*
 * Sessions with Redis, and the connections of this worker that they share.
 *
 * A session that leaves in the middle of its turn (in general because time
 * was up) retires the connection: those who wait on it go on waiting, but
 * nobody joins them any more, so that a server that no longer answers is not
 * asked over the same connection again and again.
 */


#include <ngx_gate_redis_connection.h>


static ngx_gate_redis_t *ngx_gate_redis_find(ngx_gate_redis_server_t *server);
static ngx_gate_redis_turn_t *ngx_gate_redis_turn(ngx_str_t **commands,
    ngx_uint_t n);


static ngx_queue_t  ngx_gate_redis_connections = {
    &ngx_gate_redis_connections, &ngx_gate_redis_connections
};


ngx_int_t
ngx_gate_redis_ask(ngx_gate_redis_session_t *session,
    ngx_gate_redis_server_t *server, ngx_str_t **commands, ngx_uint_t n)
{
    ngx_gate_redis_t       *redis;
    ngx_gate_redis_turn_t  *turn;

    redis = session->connection;

    if (redis && (redis->retired
                  || !ngx_gate_redis_server_same(&redis->server, server)))
    {
        ngx_gate_redis_leave(session);
        redis = NULL;
    }

    if (redis == NULL) {
        redis = ngx_gate_redis_find(server);

        if (redis == NULL) {
            redis = ngx_gate_redis_create(server, session->resolver);

            if (redis == NULL) {
                return NGX_ERROR;
            }

            ngx_queue_insert_tail(&ngx_gate_redis_connections, &redis->queue);
        }

        redis->users++;
        session->connection = redis;
    }

    turn = ngx_gate_redis_turn(commands, n);

    if (turn == NULL) {
        return NGX_ERROR;
    }

    turn->session = session;
    session->turn = turn;

    ngx_gate_redis_enqueue(redis, turn);

    return NGX_OK;
}


void
ngx_gate_redis_distrust(ngx_gate_redis_session_t *session)
{
    if (session->connection) {
        ngx_gate_redis_retire(session->connection);
    }

    ngx_gate_redis_leave(session);
}


void
ngx_gate_redis_leave(ngx_gate_redis_session_t *session)
{
    ngx_gate_redis_t  *redis;

    redis = session->connection;

    if (redis == NULL) {
        return;
    }

    session->connection = NULL;

    if (session->turn) {
        session->turn->session = NULL;
        session->turn = NULL;

        ngx_gate_redis_retire(redis);
    }

    ngx_gate_redis_release(redis);
}


static ngx_gate_redis_t *
ngx_gate_redis_find(ngx_gate_redis_server_t *server)
{
    ngx_queue_t       *q;
    ngx_gate_redis_t  *redis;

    for (q = ngx_queue_head(&ngx_gate_redis_connections);
         q != ngx_queue_sentinel(&ngx_gate_redis_connections);
         q = ngx_queue_next(q))
    {
        redis = ngx_queue_data(q, ngx_gate_redis_t, queue);

        if (ngx_gate_redis_server_same(&redis->server, server)) {
            return redis;
        }
    }

    return NULL;
}


static ngx_gate_redis_turn_t *
ngx_gate_redis_turn(ngx_str_t **commands, ngx_uint_t n)
{
    size_t                  size;
    u_char                 *p;
    ngx_uint_t              i;
    ngx_gate_redis_turn_t  *turn;

    size = 0;

    for (i = 0; i < n; i++) {
        size += commands[i]->len;
    }

    turn = ngx_alloc(sizeof(ngx_gate_redis_turn_t) + size, ngx_cycle->log);

    if (turn == NULL) {
        return NULL;
    }

    turn->nreplies = 0;
    turn->wanted = n;
    turn->size = size;

    p = turn->data;

    for (i = 0; i < n; i++) {
        p = ngx_cpymem(p, commands[i]->data, commands[i]->len);
    }

    return turn;
}
