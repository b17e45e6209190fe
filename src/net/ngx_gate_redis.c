
/* SPDX-License-Identifier: BSD-2-Clause */

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


static ngx_queue_t  ngx_gate_redis_connections = {
    &ngx_gate_redis_connections, &ngx_gate_redis_connections
};


ngx_int_t
ngx_gate_redis_send(ngx_gate_redis_session_t *session,
    ngx_gate_redis_server_t *server, ngx_str_t **commands, ngx_uint_t n)
{
    ngx_gate_redis_connection_t  *conn;

    conn = session->connection;

    if (conn && (conn->invalid
                 || !ngx_gate_redis_server_same(&conn->server, server)))
    {
        ngx_gate_redis_detach(session);
        conn = NULL;
    }

    if (conn == NULL) {
        conn = session->push ? NULL
               : ngx_gate_redis_find_connection(server, session->resolver);

        if (conn == NULL) {
            conn = ngx_gate_redis_connection_create(server, session->resolver);

            if (conn == NULL) {
                return NGX_ERROR;
            }

            conn->subscribed = (session->push != NULL);

            if (!conn->subscribed) {
                ngx_queue_insert_tail(&ngx_gate_redis_connections,
                                      &conn->queue);
            }
        }

        ngx_queue_insert_tail(&conn->sessions, &session->queue);
        conn->users++;
        session->connection = conn;
    }

    return ngx_gate_redis_connection_enqueue(conn, session, commands, n);
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
    ngx_queue_remove(&session->queue);

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
