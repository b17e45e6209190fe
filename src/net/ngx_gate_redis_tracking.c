
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Changes of keys; see ngx_gate_redis_tracking.h.
 */


#include <ngx_gate_redis_connection.h>


#define NGX_GATE_REDIS_TRACKING_OFF       0
#define NGX_GATE_REDIS_TRACKING_STARTING  1
#define NGX_GATE_REDIS_TRACKING_ON        2
#define NGX_GATE_REDIS_TRACKING_REFUSED   3

#define NGX_GATE_REDIS_TRACKING_TIMEOUT   3000    /* of the addresses */
#define NGX_GATE_REDIS_TRACKING_PAUSE     1000    /* between two attempts */

/* reports without a key that has been read, such as those of FLUSHALL */
#define NGX_GATE_REDIS_TRACKING_MAX       256

#define NGX_GATE_REDIS_TRACKING_COMMAND                                       \
    "*5\r\n$6\r\nCLIENT\r\n$8\r\nTRACKING\r\n$2\r\non\r\n$8\r\nREDIRECT\r\n"


static void ngx_gate_redis_tracking_start(ngx_gate_redis_connection_t *conn);
static void ngx_gate_redis_tracking_subscribe_handler(
    ngx_gate_redis_session_t *session);
static void ngx_gate_redis_tracking_handler(ngx_gate_redis_session_t *session);
static void ngx_gate_redis_tracking_push_handler(
    ngx_gate_redis_session_t *session, redisReply *reply);
static void ngx_gate_redis_tracking_changed(ngx_gate_redis_connection_t *conn,
    redisReply *keys);
static void ngx_gate_redis_tracking_refused(ngx_gate_redis_session_t *session);
static void ngx_gate_redis_tracking_close(ngx_gate_redis_tracking_t *tracking);


ngx_uint_t
ngx_gate_redis_tracking_is_on(ngx_gate_redis_session_t *session)
{
    return session->connection
           && session->connection->tracking.state == NGX_GATE_REDIS_TRACKING_ON;
}


ngx_uint_t
ngx_gate_redis_tracking_is_refused(ngx_gate_redis_session_t *session)
{
    return session->connection
           && session->connection->tracking.state
              == NGX_GATE_REDIS_TRACKING_REFUSED;
}


void
ngx_gate_redis_tracking_read(ngx_gate_redis_connection_t *conn)
{
    ngx_gate_redis_tracking_t  *tracking;

    tracking = &conn->tracking;

    if (tracking->reports) {
        tracking->reports--;
    }

    if (tracking->state == NGX_GATE_REDIS_TRACKING_OFF
        && !conn->invalid
        && !ngx_queue_empty(&conn->sessions)
        && (tracking->started == 0
            || ngx_current_msec - tracking->started
               >= NGX_GATE_REDIS_TRACKING_PAUSE))
    {
        ngx_gate_redis_tracking_start(conn);
    }
}


static void
ngx_gate_redis_tracking_start(ngx_gate_redis_connection_t *conn)
{
    ngx_str_t                  *commands[2];
    ngx_gate_redis_session_t   *subscriber;
    ngx_gate_redis_tracking_t  *tracking;

    static ngx_str_t  id = ngx_string("*2\r\n$6\r\nCLIENT\r\n$2\r\nID\r\n");
    static ngx_str_t  subscribe = ngx_string("*2\r\n$9\r\nSUBSCRIBE\r\n"
                                             "$20\r\n__redis__:invalidate\r\n");

    tracking = &conn->tracking;

    tracking->state = NGX_GATE_REDIS_TRACKING_STARTING;
    tracking->reports = 0;
    tracking->started = ngx_current_msec;
    tracking->log = *ngx_cycle->log;

    subscriber = &tracking->subscriber;

    subscriber->resolver = conn->peer.resolver;
    subscriber->log = &tracking->log;
    subscriber->deadline = ngx_current_msec + NGX_GATE_REDIS_TRACKING_TIMEOUT;
    subscriber->data = conn;
    subscriber->handler = ngx_gate_redis_tracking_subscribe_handler;
    subscriber->push = ngx_gate_redis_tracking_push_handler;

    commands[0] = &id;
    commands[1] = &subscribe;

    if (ngx_gate_redis_send(subscriber, &conn->server, commands, 2) != NGX_OK) {
        ngx_gate_redis_tracking_close(tracking);
    }
}


static void
ngx_gate_redis_tracking_subscribe_handler(ngx_gate_redis_session_t *session)
{
    u_char                        id[NGX_INT64_LEN];
    u_char                        text[sizeof(NGX_GATE_REDIS_TRACKING_COMMAND)
                                       + sizeof("$20\r\n\r\n") + NGX_INT64_LEN];
    size_t                        len;
    ngx_str_t                     command, *commands;
    ngx_gate_redis_tracking_t    *tracking;
    ngx_gate_redis_connection_t  *conn;

    conn = session->data;
    tracking = &conn->tracking;

    if (session->nreplies == 0 && tracking->succeeded) {
        ngx_gate_redis_tracking_close(tracking);
        return;
    }

    if (session->nreplies != 2
        || session->replies[0]->type != REDIS_REPLY_INTEGER
        || session->replies[1]->type != REDIS_REPLY_ARRAY)
    {
        ngx_gate_redis_tracking_refused(session);
        return;
    }

    len = ngx_sprintf(id, "%L", (int64_t) session->replies[0]->integer) - id;

    command.data = text;
    command.len = ngx_sprintf(text, NGX_GATE_REDIS_TRACKING_COMMAND
                              "$%uz\r\n%*s\r\n", len, len, id)
                  - text;

    commands = &command;

    tracking->session.log = &tracking->log;
    tracking->session.data = conn;
    tracking->session.handler = ngx_gate_redis_tracking_handler;

    if (ngx_gate_redis_connection_enqueue(conn, &tracking->session, &commands,
                                          1)
        != NGX_OK)
    {
        ngx_gate_redis_tracking_close(tracking);
    }
}


static void
ngx_gate_redis_tracking_handler(ngx_gate_redis_session_t *session)
{
    ngx_gate_redis_connection_t  *conn;

    conn = session->data;

    if (session->nreplies != 1
        || session->replies[0]->type != REDIS_REPLY_STATUS)
    {
        ngx_gate_redis_tracking_refused(session);
        return;
    }

    conn->tracking.state = NGX_GATE_REDIS_TRACKING_ON;
    conn->tracking.succeeded = 1;

    /* keys that were read before are not reported */

    ngx_gate_redis_tracking_changed(conn, NULL);
}


/* "message", the channel, and a list of keys, or null for all keys */

static void
ngx_gate_redis_tracking_push_handler(ngx_gate_redis_session_t *session,
    redisReply *reply)
{
    ngx_gate_redis_connection_t  *conn;

    conn = session->data;

    if (reply == NULL) {
        ngx_gate_redis_tracking_stop(conn);
        return;
    }

    if (++conn->tracking.reports > NGX_GATE_REDIS_TRACKING_MAX) {
        ngx_gate_redis_tracking_refused(session);
        return;
    }

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 3) {
        ngx_gate_redis_tracking_changed(conn, reply->element[2]);
    }
}


static void
ngx_gate_redis_tracking_changed(ngx_gate_redis_connection_t *conn,
    redisReply *keys)
{
    redisReply                *key;
    ngx_queue_t               *q;
    ngx_gate_redis_session_t  *session;

    /* without broadcasting, each key is reported alone */

    key = (keys && keys->type == REDIS_REPLY_ARRAY && keys->elements == 1)
          ? keys->element[0] : NULL;

    for (q = ngx_queue_head(&conn->sessions);
         q != ngx_queue_sentinel(&conn->sessions);
         q = ngx_queue_next(q))
    {
        session = ngx_queue_data(q, ngx_gate_redis_session_t, queue);

        if (session->key.len
            && (key == NULL
                || (key->type == REDIS_REPLY_STRING
                    && (size_t) key->len == session->key.len
                    && ngx_memcmp(key->str, session->key.data, key->len)
                       == 0)))
        {
            session->changed(session);
        }
    }
}


static void
ngx_gate_redis_tracking_refused(ngx_gate_redis_session_t *session)
{
    ngx_uint_t                    i;
    ngx_str_t                     text;
    ngx_gate_redis_connection_t  *conn;

    conn = session->data;

    ngx_str_set(&text, "unexpected reply");

    if (session->error.len) {
        text.len = session->error.len;
        text.data = session->error.text;
    }

    for (i = 0; i < session->nreplies; i++) {
        if (session->replies[i]->type == REDIS_REPLY_ERROR) {
            text.len = ngx_min(session->replies[i]->len,
                               NGX_GATE_ERROR_MAX);
            text.data = (u_char *) session->replies[i]->str;
            break;
        }
    }

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "redis at \"%V\" does not report changes of keys, they are "
                  "polled: %V", &conn->server.endpoint.text, &text);

    ngx_gate_redis_tracking_close(&conn->tracking);

    conn->tracking.state = NGX_GATE_REDIS_TRACKING_REFUSED;
}


void
ngx_gate_redis_tracking_stop(ngx_gate_redis_connection_t *conn)
{
    ngx_uint_t                 on;
    ngx_queue_t               *q;
    ngx_gate_redis_session_t  *session;

    on = (conn->tracking.state == NGX_GATE_REDIS_TRACKING_ON);

    ngx_gate_redis_tracking_close(&conn->tracking);

    if (!on) {
        return;
    }

    for (q = ngx_queue_head(&conn->sessions);
         q != ngx_queue_sentinel(&conn->sessions);
         q = ngx_queue_next(q))
    {
        session = ngx_queue_data(q, ngx_gate_redis_session_t, queue);

        if (session->key.len) {
            session->changed(session);
        }
    }
}


static void
ngx_gate_redis_tracking_close(ngx_gate_redis_tracking_t *tracking)
{
    tracking->state = NGX_GATE_REDIS_TRACKING_OFF;

    if (tracking->session.request) {
        tracking->session.request->session = NULL;
        tracking->session.request = NULL;
    }

    ngx_gate_redis_detach(&tracking->subscriber);
}
