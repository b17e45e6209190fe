
/*
 * Sessions with Redis, and the connections of this worker that they share.
 *
 * A session that is detached during its request, in general after a timeout,
 * invalidates the connection: other requests in flight continue, but further
 * requests use another connection, so that a server that does not reply any
 * more is not asked over the same connection again.
 */


#include <ngx_gate_redis_connection.h>


static ngx_gate_redis_connection_t *ngx_gate_redis_find_connection(
    ngx_gate_redis_server_t *server, ngx_gate_resolver_t *resolver);
static ngx_gate_redis_request_t *ngx_gate_redis_create_request(
    ngx_str_t **commands, ngx_uint_t n);


static ngx_queue_t  ngx_gate_redis_connections = {
    &ngx_gate_redis_connections, &ngx_gate_redis_connections
};


ngx_int_t
ngx_gate_redis_send(ngx_gate_redis_session_t *session,
    ngx_gate_redis_server_t *server, ngx_str_t **commands, ngx_uint_t n)
{
    ngx_gate_redis_request_t     *request;
    ngx_gate_redis_connection_t  *conn;

    conn = session->connection;

    if (conn && (conn->invalid
                 || !ngx_gate_redis_server_same(&conn->server, server)))
    {
        ngx_gate_redis_detach(session);
        conn = NULL;
    }

    if (conn == NULL) {
        conn = ngx_gate_redis_find_connection(server, session->resolver);

        if (conn == NULL) {
            conn = ngx_gate_redis_connection_create(server, session->resolver);

            if (conn == NULL) {
                return NGX_ERROR;
            }

            ngx_queue_insert_tail(&ngx_gate_redis_connections, &conn->queue);
        }

        conn->users++;
        session->connection = conn;
    }

    request = ngx_gate_redis_create_request(commands, n);

    if (request == NULL) {
        return NGX_ERROR;
    }

    request->session = session;
    session->request = request;

    ngx_gate_redis_connection_enqueue(conn, request);

    return NGX_OK;
}


void
ngx_gate_redis_invalidate(ngx_gate_redis_session_t *session)
{
    if (session->connection) {
        ngx_gate_redis_connection_invalidate(session->connection);
    }

    ngx_gate_redis_detach(session);
}


void
ngx_gate_redis_detach(ngx_gate_redis_session_t *session)
{
    ngx_gate_redis_connection_t  *conn;

    conn = session->connection;

    if (conn == NULL) {
        return;
    }

    session->connection = NULL;

    if (session->request) {
        session->request->session = NULL;
        session->request = NULL;

        ngx_gate_redis_connection_invalidate(conn);
    }

    ngx_gate_redis_connection_release(conn);
}


static ngx_gate_redis_connection_t *
ngx_gate_redis_find_connection(ngx_gate_redis_server_t *server,
    ngx_gate_resolver_t *resolver)
{
    ngx_queue_t                  *q;
    ngx_gate_redis_connection_t  *conn;

    for (q = ngx_queue_head(&ngx_gate_redis_connections);
         q != ngx_queue_sentinel(&ngx_gate_redis_connections);
         q = ngx_queue_next(q))
    {
        conn = ngx_queue_data(q, ngx_gate_redis_connection_t, queue);

        if (ngx_gate_redis_server_same(&conn->server, server)
            && ngx_gate_resolver_same(conn->peer.resolver, resolver))
        {
            return conn;
        }
    }

    return NULL;
}


static ngx_gate_redis_request_t *
ngx_gate_redis_create_request(ngx_str_t **commands, ngx_uint_t n)
{
    size_t                     size;
    u_char                    *p;
    ngx_uint_t                 i;
    ngx_gate_redis_request_t  *request;

    size = 0;

    for (i = 0; i < n; i++) {
        size += commands[i]->len;
    }

    request = ngx_alloc(sizeof(ngx_gate_redis_request_t) + size,
                        ngx_cycle->log);

    if (request == NULL) {
        return NULL;
    }

    request->nreplies = 0;
    request->ncommands = n;
    request->size = size;

    p = request->data;

    for (i = 0; i < n; i++) {
        p = ngx_cpymem(p, commands[i]->data, commands[i]->len);
    }

    return request;
}
