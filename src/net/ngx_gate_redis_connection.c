
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A connection to Redis: connects, logs in, sends the queued requests, and
 * assigns the replies to them.
 */


#include <ngx_gate_redis_connection.h>


#define NGX_GATE_REDIS_CONNECTION_AUTH    0x0001
#define NGX_GATE_REDIS_CONNECTION_SELECT  0x0002

#define NGX_GATE_REDIS_CONNECTION_POOL_SIZE  1024
#define NGX_GATE_REDIS_CONNECTION_KEEP       30000

#define NGX_GATE_REDIS_CONNECTION_ACTION  "waiting for a reply of Redis"


static ngx_gate_redis_request_t *ngx_gate_redis_connection_create_request(
    ngx_str_t **commands, ngx_uint_t n);
static void ngx_gate_redis_connection_connect(
    ngx_gate_redis_connection_t *conn);
static void ngx_gate_redis_connection_handler(ngx_gate_peer_t *peer,
    ngx_gate_peer_event_e event);
static void ngx_gate_redis_connection_lost(ngx_gate_redis_connection_t *conn,
    ngx_gate_error_t *error);
static void ngx_gate_redis_connection_retry(ngx_gate_redis_connection_t *conn);
static redisReply *ngx_gate_redis_connection_last_error(
    ngx_gate_redis_connection_t *conn);
static void ngx_gate_redis_connection_login(ngx_gate_redis_connection_t *conn);
static ngx_int_t ngx_gate_redis_connection_send(
    ngx_gate_redis_connection_t *conn, ngx_pool_t *pool);
static void ngx_gate_redis_connection_read(ngx_gate_redis_connection_t *conn);
static void ngx_gate_redis_connection_push(ngx_gate_redis_connection_t *conn,
    redisReply *reply);
static void ngx_gate_redis_connection_protocol_error(
    ngx_gate_redis_connection_t *conn);
static void ngx_gate_redis_connection_login_reply(
    ngx_gate_redis_connection_t *conn, redisReply *reply);
static void ngx_gate_redis_connection_reply(ngx_gate_redis_connection_t *conn,
    redisReply *reply);
static void ngx_gate_redis_connection_expired(ngx_event_t *ev);
static void ngx_gate_redis_connection_close(ngx_gate_redis_connection_t *conn);
static void ngx_gate_redis_connection_fail(ngx_gate_redis_connection_t *conn,
    const ngx_gate_error_t *cause);
static void ngx_gate_redis_connection_no_memory(
    ngx_gate_redis_connection_t *conn);
static void ngx_gate_redis_connection_request_error(
    ngx_gate_redis_request_t *request, ngx_gate_error_t *error);
static void ngx_gate_redis_connection_free_request(
    ngx_gate_redis_request_t *request);


ngx_gate_redis_connection_t *
ngx_gate_redis_connection_create(ngx_gate_redis_server_t *server,
    ngx_gate_resolver_t *resolver)
{
    ngx_pool_t                   *pool;
    ngx_gate_redis_connection_t  *conn;

    pool = ngx_create_pool(NGX_GATE_REDIS_CONNECTION_POOL_SIZE, ngx_cycle->log);

    if (pool == NULL) {
        return NULL;
    }

    conn = ngx_pcalloc(pool, sizeof(ngx_gate_redis_connection_t));

    if (conn == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    conn->pool = pool;

    if (ngx_gate_redis_server_copy(pool, &conn->server, server) != NGX_OK) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    conn->peer.endpoint = &conn->server.endpoint;
    conn->peer.resolver = resolver;
    conn->peer.data = conn;
    conn->peer.handler = ngx_gate_redis_connection_handler;

    ngx_queue_init(&conn->queue);
    ngx_queue_init(&conn->sessions);
    ngx_queue_init(&conn->requests);

    ngx_gate_event_init(&conn->expiry, ngx_gate_redis_connection_expired,
                        ngx_cycle->log);

    return conn;
}


ngx_int_t
ngx_gate_redis_connection_enqueue(ngx_gate_redis_connection_t *conn,
    ngx_gate_redis_session_t *session, ngx_str_t **commands, ngx_uint_t n)
{
    ngx_log_t                 *log;
    ngx_gate_redis_request_t  *request;

    request = ngx_gate_redis_connection_create_request(commands, n);

    if (request == NULL) {
        return NGX_ERROR;
    }

    request->session = session;
    session->request = request;

    log = session->log;

    ngx_queue_insert_tail(&conn->requests, &request->queue);

    if (conn->connected) {
        log->action = NGX_GATE_REDIS_CONNECTION_ACTION;
        ngx_gate_peer_send(&conn->peer, request->data, request->size);

    } else if (ngx_gate_peer_is_open(&conn->peer)) {
        log->action = conn->peer.log->action;

    } else if (ngx_queue_head(&conn->requests) == &request->queue) {
        ngx_gate_redis_connection_connect(conn);
    }

    /* otherwise it has failed, and NGX_GATE_PEER_FAILED follows */

    return NGX_OK;
}


static ngx_gate_redis_request_t *
ngx_gate_redis_connection_create_request(ngx_str_t **commands, ngx_uint_t n)
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


/* with the log and the deadline of the first request */

static void
ngx_gate_redis_connection_connect(ngx_gate_redis_connection_t *conn)
{
    ngx_queue_t               *q;
    ngx_gate_redis_request_t  *request;

    q = ngx_queue_head(&conn->requests);
    request = ngx_queue_data(q, ngx_gate_redis_request_t, queue);

    conn->peer.log = request->session->log;
    conn->peer.deadline = request->session->deadline;

    ngx_gate_peer_connect(&conn->peer);
}


static void
ngx_gate_redis_connection_handler(ngx_gate_peer_t *peer,
    ngx_gate_peer_event_e event)
{
    ngx_gate_redis_connection_t  *conn;

    conn = peer->data;

    /* all sessions may be detached by their handlers */
    conn->users++;

    switch (event) {

    case NGX_GATE_PEER_CONNECTED:
        ngx_gate_redis_connection_login(conn);
        break;

    case NGX_GATE_PEER_DATA:
        ngx_gate_redis_connection_read(conn);
        break;

    case NGX_GATE_PEER_CLOSED:
        ngx_gate_error_set(&peer->error, NGX_GATE_RESET,
                           "connection closed by the server");
        ngx_gate_redis_connection_lost(conn, &peer->error);
        break;

    case NGX_GATE_PEER_FAILED:
        ngx_gate_redis_connection_lost(conn, &peer->error);
        break;
    }

    ngx_gate_redis_connection_release(conn);
}


/*
 * If the server closes a connection that has worked, the requests are sent
 * again over a new one, unless nginx itself lacks memory or connections.
 */

static void
ngx_gate_redis_connection_lost(ngx_gate_redis_connection_t *conn,
    ngx_gate_error_t *error)
{
    redisReply  *reply;

    if (!conn->replied
        || conn->subscribed
        || ngx_gate_reason_is_local(error->reason))
    {
        reply = ngx_gate_redis_connection_last_error(conn);

        if (reply) {
            ngx_gate_resp_set_error(reply, error);
        }

        ngx_gate_redis_connection_fail(conn, error);
        return;
    }

    ngx_gate_redis_connection_retry(conn);
}


/* over a new connection */

static void
ngx_gate_redis_connection_retry(ngx_gate_redis_connection_t *conn)
{
    ngx_queue_t               *q, *next;
    ngx_gate_redis_request_t  *request;

    ngx_gate_redis_connection_close(conn);

    for (q = ngx_queue_head(&conn->requests);
         q != ngx_queue_sentinel(&conn->requests);
         q = next)
    {
        next = ngx_queue_next(q);

        request = ngx_queue_data(q, ngx_gate_redis_request_t, queue);

        if (request->session == NULL) {
            ngx_queue_remove(q);
            ngx_gate_redis_connection_free_request(request);
            continue;
        }

        while (request->nreplies) {
            freeReplyObject(request->replies[--request->nreplies]);
        }
    }

    if (!ngx_queue_empty(&conn->requests)) {
        ngx_gate_redis_connection_connect(conn);
    }
}


/* "max number of clients reached", sent before the connection is closed */

static redisReply *
ngx_gate_redis_connection_last_error(ngx_gate_redis_connection_t *conn)
{
    redisReply                *reply;
    ngx_queue_t               *q;
    ngx_gate_redis_request_t  *request;

    if (ngx_queue_empty(&conn->requests)) {
        return NULL;
    }

    q = ngx_queue_head(&conn->requests);
    request = ngx_queue_data(q, ngx_gate_redis_request_t, queue);

    if (request->nreplies == 0) {
        return NULL;
    }

    reply = request->replies[request->nreplies - 1];

    return (reply->type == REDIS_REPLY_ERROR) ? reply : NULL;
}


static void
ngx_gate_redis_connection_login(ngx_gate_redis_connection_t *conn)
{
    ngx_int_t                  rc;
    ngx_pool_t                *pool;
    ngx_queue_t               *q;
    ngx_gate_redis_request_t  *request;

    conn->connected = 1;

    ngx_add_timer(&conn->expiry, NGX_GATE_REDIS_CONNECTION_KEEP);

    pool = ngx_create_pool(NGX_GATE_REDIS_CONNECTION_POOL_SIZE, ngx_cycle->log);

    if (pool == NULL) {
        ngx_gate_redis_connection_no_memory(conn);
        return;
    }

    rc = ngx_gate_redis_connection_send(conn, pool);

    ngx_destroy_pool(pool);

    if (rc != NGX_OK) {
        /* the handlers have been called */
        return;
    }

    for (q = ngx_queue_head(&conn->requests);
         q != ngx_queue_sentinel(&conn->requests);
         q = ngx_queue_next(q))
    {
        request = ngx_queue_data(q, ngx_gate_redis_request_t, queue);

        if (request->session) {
            request->session->log->action = NGX_GATE_REDIS_CONNECTION_ACTION;
        }
    }
}


/* the login and all queued requests at once */

static ngx_int_t
ngx_gate_redis_connection_send(ngx_gate_redis_connection_t *conn,
    ngx_pool_t *pool)
{
    size_t                         size;
    u_char                        *p, *data;
    ngx_queue_t                   *q;
    ngx_gate_redis_request_t      *request;
    ngx_gate_redis_server_login_t  login;

    if (ngx_gate_redis_server_login(&conn->server, pool, &login) != NGX_OK) {
        ngx_gate_redis_connection_fail(conn, &login.error);
        return NGX_ERROR;
    }

    conn->login = (login.auth.len ? NGX_GATE_REDIS_CONNECTION_AUTH : 0)
                  | (login.select.len ? NGX_GATE_REDIS_CONNECTION_SELECT
                     : 0);

    size = login.auth.len + login.select.len;

    for (q = ngx_queue_head(&conn->requests);
         q != ngx_queue_sentinel(&conn->requests);
         q = ngx_queue_next(q))
    {
        request = ngx_queue_data(q, ngx_gate_redis_request_t, queue);
        size += request->size;
    }

    data = ngx_pnalloc(pool, size);

    if (data == NULL) {
        ngx_gate_redis_connection_no_memory(conn);
        return NGX_ERROR;
    }

    p = ngx_cpymem(data, login.auth.data, login.auth.len);
    p = ngx_cpymem(p, login.select.data, login.select.len);

    for (q = ngx_queue_head(&conn->requests);
         q != ngx_queue_sentinel(&conn->requests);
         q = ngx_queue_next(q))
    {
        request = ngx_queue_data(q, ngx_gate_redis_request_t, queue);
        p = ngx_cpymem(p, request->data, request->size);
    }

    ngx_gate_peer_send(&conn->peer, data, size);

    ngx_explicit_memzero(login.auth.data, login.auth.len);
    ngx_explicit_memzero(data, login.auth.len);

    return NGX_OK;
}


static void
ngx_gate_redis_connection_read(ngx_gate_redis_connection_t *conn)
{
    ngx_int_t    rc;
    redisReply  *reply;

    while (conn->connected
           && (conn->peer.in->pos < conn->peer.in->last
               || ngx_gate_resp_is_pending(&conn->resp)))
    {
        if (ngx_queue_empty(&conn->requests)
            && !conn->subscribed)
        {
            ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                          "unexpected reply of redis at \"%V\"",
                          &conn->server.endpoint.text);

            ngx_gate_redis_connection_close(conn);
            return;
        }

        rc = ngx_gate_resp_read(&conn->resp, conn->peer.in, &reply);

        if (rc == NGX_AGAIN) {
            return;
        }

        if (rc == NGX_ERROR) {
            ngx_gate_redis_connection_protocol_error(conn);
            return;
        }

        if (conn->login) {
            ngx_gate_redis_connection_login_reply(conn, reply);

        } else if (ngx_queue_empty(&conn->requests)) {
            ngx_gate_redis_connection_push(conn, reply);
            freeReplyObject(reply);

        } else {
            ngx_gate_redis_connection_reply(conn, reply);
        }
    }
}


static void
ngx_gate_redis_connection_push(ngx_gate_redis_connection_t *conn,
    redisReply *reply)
{
    ngx_queue_t               *q;
    ngx_gate_redis_session_t  *session;

    if (ngx_queue_empty(&conn->sessions)) {
        return;
    }

    q = ngx_queue_head(&conn->sessions);
    session = ngx_queue_data(q, ngx_gate_redis_session_t, queue);

    session->nreplies = 0;
    session->error.len = 0;

    session->push(session, reply);
}


/*
 * A reply that cannot be read, such as a value that has become too large.  On
 * a connection that has worked, or that repeats the requests of one, only its
 * request fails.
 */

static void
ngx_gate_redis_connection_protocol_error(ngx_gate_redis_connection_t *conn)
{
    ngx_queue_t               *q;
    ngx_gate_error_t           error;
    ngx_gate_redis_request_t  *request;

    q = ngx_queue_head(&conn->requests);

    if ((!conn->replied && !conn->repeated)
        || q == ngx_queue_last(&conn->requests))
    {
        ngx_gate_redis_connection_fail(conn, &conn->resp.error);
        return;
    }

    error = conn->resp.error;
    ngx_queue_remove(q);

    conn->repeated = 1;

    ngx_gate_redis_connection_retry(conn);

    request = ngx_queue_data(q, ngx_gate_redis_request_t, queue);
    ngx_gate_redis_connection_request_error(request, &error);
}


/*
 * The error in reply to AUTH is not shown: a server that does not know this
 * command repeats the password.
 */

static void
ngx_gate_redis_connection_login_reply(ngx_gate_redis_connection_t *conn,
    redisReply *reply)
{
    ngx_str_t         known;
    ngx_uint_t        login;
    ngx_gate_error_t  error;

    login = conn->login & NGX_GATE_REDIS_CONNECTION_AUTH;

    if (login == 0) {
        login = conn->login;
    }

    conn->login &= ~login;

    if (reply->type == REDIS_REPLY_STATUS) {
        freeReplyObject(reply);
        return;
    }

    if (reply->type != REDIS_REPLY_ERROR) {
        ngx_gate_error_set(&error, NGX_GATE_PROTOCOL, "%s in reply to %s",
                           ngx_gate_resp_type(reply),
                           login == NGX_GATE_REDIS_CONNECTION_AUTH ? "AUTH"
                           : "SELECT");

    } else if (login == NGX_GATE_REDIS_CONNECTION_AUTH) {
        error.reason = ngx_gate_resp_reason(reply, &known);
        ngx_gate_error_set(&error, error.reason == NGX_GATE_QUERY
                                   ? NGX_GATE_AUTH : error.reason,
                           "AUTH was refused%s%V", known.len ? ": " : "",
                           &known);

    } else {
        error.reason = ngx_gate_resp_reason(reply, &known);
        ngx_gate_error_set(&error, error.reason == NGX_GATE_QUERY
                                   ? NGX_GATE_NO_DATABASE : error.reason,
                           "SELECT %ui: %*s", conn->server.database,
                           (size_t) reply->len, reply->str);
    }

    ngx_gate_redis_connection_fail(conn, &error);

    freeReplyObject(reply);
}


static void
ngx_gate_redis_connection_reply(ngx_gate_redis_connection_t *conn,
    redisReply *reply)
{
    ngx_uint_t                 key_read;
    ngx_queue_t               *q;
    ngx_gate_error_t           error;
    ngx_gate_redis_request_t  *request;
    ngx_gate_redis_session_t  *session;

    q = ngx_queue_head(&conn->requests);
    request = ngx_queue_data(q, ngx_gate_redis_request_t, queue);

    request->replies[request->nreplies++] = reply;

    if (request->nreplies < request->ncommands) {
        return;
    }

    if (q == ngx_queue_last(&conn->requests)
        && ngx_gate_resp_is_pending(&conn->resp)
        && !conn->subscribed)
    {
        /* which reply is that of which command is not known */

        ngx_gate_error_set(&error, NGX_GATE_PROTOCOL,
                           "more replies than commands");
        ngx_gate_redis_connection_fail(conn, &error);
        return;
    }

    ngx_queue_remove(q);

    conn->replied = 1;
    conn->repeated = 0;

    session = request->session;

    if (session) {
        session->request = NULL;
        session->replies = request->replies;
        session->nreplies = request->nreplies;

        key_read = session->key.len;

        session->handler(session);

        if (key_read) {
            ngx_gate_redis_tracking_read(conn);
        }
    }

    ngx_gate_redis_connection_free_request(request);

    if (conn->invalid && ngx_queue_empty(&conn->requests)) {
        ngx_gate_redis_connection_close(conn);
    }
}


/* the same address or name may lead to another server by now */

static void
ngx_gate_redis_connection_expired(ngx_event_t *ev)
{
    ngx_gate_redis_connection_t  *conn;

    conn = ngx_queue_data(ev, ngx_gate_redis_connection_t, expiry);

    ngx_gate_redis_connection_invalidate(conn);

    if (ngx_queue_empty(&conn->requests)) {
        ngx_gate_redis_connection_close(conn);
    }
}


static void
ngx_gate_redis_connection_close(ngx_gate_redis_connection_t *conn)
{
    if (conn->expiry.timer_set) {
        ngx_del_timer(&conn->expiry);
    }

    ngx_gate_peer_close(&conn->peer);
    ngx_gate_resp_reset(&conn->resp);

    conn->connected = 0;
    conn->replied = 0;
    conn->login = 0;

    ngx_gate_redis_tracking_stop(conn);
}


static void
ngx_gate_redis_connection_fail(ngx_gate_redis_connection_t *conn,
    const ngx_gate_error_t *cause)
{
    ngx_queue_t               *q, requests;
    ngx_gate_error_t           error;
    ngx_gate_redis_request_t  *request;

    /* may be of the connection, which the handlers may open again */

    error = *cause;

    conn->repeated = 0;

    ngx_gate_redis_connection_close(conn);

    if (ngx_queue_empty(&conn->requests)) {

        if (conn->subscribed) {
            ngx_gate_redis_connection_push(conn, NULL);
        }

        return;
    }

    /* the handlers may send further requests */

    ngx_queue_init(&requests);
    ngx_queue_add(&requests, &conn->requests);
    ngx_queue_init(&conn->requests);

    while (!ngx_queue_empty(&requests)) {
        q = ngx_queue_head(&requests);
        ngx_queue_remove(q);

        request = ngx_queue_data(q, ngx_gate_redis_request_t, queue);
        ngx_gate_redis_connection_request_error(request, &error);
    }
}


static void
ngx_gate_redis_connection_no_memory(ngx_gate_redis_connection_t *conn)
{
    ngx_gate_error_t  error;

    ngx_gate_error_set(&error, NGX_GATE_NO_MEMORY, "no memory");
    ngx_gate_redis_connection_fail(conn, &error);
}


static void
ngx_gate_redis_connection_request_error(ngx_gate_redis_request_t *request,
    ngx_gate_error_t *error)
{
    ngx_gate_redis_session_t  *session;

    session = request->session;

    ngx_gate_redis_connection_free_request(request);

    if (session) {
        session->request = NULL;
        session->nreplies = 0;
        session->error = *error;

        session->handler(session);
    }
}


static void
ngx_gate_redis_connection_free_request(ngx_gate_redis_request_t *request)
{
    while (request->nreplies) {
        freeReplyObject(request->replies[--request->nreplies]);
    }

    ngx_free(request);
}


void
ngx_gate_redis_connection_invalidate(ngx_gate_redis_connection_t *conn)
{
    if (!conn->invalid) {
        conn->invalid = 1;
        ngx_queue_remove(&conn->queue);
    }
}


/* the last user frees it, possibly in the handler of the peer */

void
ngx_gate_redis_connection_release(ngx_gate_redis_connection_t *conn)
{
    ngx_queue_t  *q;

    if (--conn->users) {
        return;
    }

    ngx_gate_redis_connection_invalidate(conn);
    ngx_gate_redis_connection_close(conn);

    while (!ngx_queue_empty(&conn->requests)) {
        q = ngx_queue_head(&conn->requests);
        ngx_queue_remove(q);
        ngx_gate_redis_connection_free_request(
                                    ngx_queue_data(q, ngx_gate_redis_request_t,
                                                   queue));
    }

    ngx_destroy_pool(conn->pool);
}
