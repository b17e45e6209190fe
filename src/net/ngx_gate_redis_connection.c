
/*
 * A connection to Redis: it is opened, logs in, sends what waits, and gives
 * each turn the replies that are its own.
 */


#include <ngx_gate_redis_connection.h>


#define NGX_GATE_REDIS_AUTH    0x0001
#define NGX_GATE_REDIS_SELECT  0x0002

#define NGX_GATE_REDIS_POOL    1024

#define NGX_GATE_REDIS_WAITING  "waiting for an answer of Redis"


static void ngx_gate_redis_connect(ngx_gate_redis_t *redis);
static void ngx_gate_redis_handler(ngx_gate_peer_t *peer,
    ngx_gate_peer_event_e event);
static void ngx_gate_redis_lost(ngx_gate_redis_t *redis,
    ngx_gate_reason_e reason, u_char *error, size_t len);
static void ngx_gate_redis_again(ngx_gate_redis_t *redis);
static redisReply *ngx_gate_redis_last_words(ngx_gate_redis_t *redis);
static void ngx_gate_redis_greet(ngx_gate_redis_t *redis);
static ngx_int_t ngx_gate_redis_send(ngx_gate_redis_t *redis,
    ngx_pool_t *pool);
static void ngx_gate_redis_read(ngx_gate_redis_t *redis);
static void ngx_gate_redis_confused(ngx_gate_redis_t *redis);
static void ngx_gate_redis_greeted(ngx_gate_redis_t *redis,
    redisReply *reply);
static void ngx_gate_redis_answered(ngx_gate_redis_t *redis,
    redisReply *reply);
static void ngx_gate_redis_hang_up(ngx_gate_redis_t *redis);
static void ngx_cdecl ngx_gate_redis_fail(ngx_gate_redis_t *redis,
    ngx_gate_reason_e reason, const char *fmt, ...);
static void ngx_gate_redis_turn_failed(ngx_gate_redis_turn_t *turn,
    ngx_gate_reason_e reason, u_char *error, size_t len);
static void ngx_gate_redis_forget(ngx_gate_redis_turn_t *turn);


ngx_gate_redis_t *
ngx_gate_redis_create(ngx_gate_redis_server_t *server,
    ngx_resolver_t *resolver)
{
    ngx_pool_t        *pool;
    ngx_gate_redis_t  *redis;

    pool = ngx_create_pool(NGX_GATE_REDIS_POOL, ngx_cycle->log);

    if (pool == NULL) {
        return NULL;
    }

    redis = ngx_pcalloc(pool, sizeof(ngx_gate_redis_t));

    if (redis == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    redis->pool = pool;

    if (ngx_gate_redis_server_copy(pool, &redis->server, server) != NGX_OK) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    redis->peer.endpoint = &redis->server.endpoint;
    redis->peer.resolver = resolver;
    redis->peer.data = redis;
    redis->peer.handler = ngx_gate_redis_handler;

    ngx_queue_init(&redis->turns);

    return redis;
}


void
ngx_gate_redis_enqueue(ngx_gate_redis_t *redis, ngx_gate_redis_turn_t *turn)
{
    ngx_log_t  *log;

    log = turn->session->log;

    ngx_queue_insert_tail(&redis->turns, &turn->queue);

    if (redis->connected) {
        log->action = NGX_GATE_REDIS_WAITING;
        ngx_gate_peer_send(&redis->peer, turn->data, turn->size);

    } else if (ngx_gate_peer_is_open(&redis->peer)) {
        log->action = redis->peer.log->action;

    } else if (ngx_queue_head(&redis->turns) == &turn->queue) {
        ngx_gate_redis_connect(redis);
    }

    /* otherwise it has failed, of which an event will tell */
}


/* the log of the first who waits tells how far it got */

static void
ngx_gate_redis_connect(ngx_gate_redis_t *redis)
{
    ngx_queue_t            *q;
    ngx_gate_redis_turn_t  *turn;

    q = ngx_queue_head(&redis->turns);
    turn = ngx_queue_data(q, ngx_gate_redis_turn_t, queue);

    redis->peer.log = turn->session->log;

    ngx_gate_peer_connect(&redis->peer);
}


static void
ngx_gate_redis_handler(ngx_gate_peer_t *peer, ngx_gate_peer_event_e event)
{
    ngx_gate_redis_t  *redis;

    redis = peer->data;

    /* the sessions may all leave meanwhile */
    redis->users++;

    switch (event) {

    case NGX_GATE_PEER_CONNECTED:
        ngx_gate_redis_greet(redis);
        break;

    case NGX_GATE_PEER_DATA:
        ngx_gate_redis_read(redis);
        break;

    case NGX_GATE_PEER_CLOSED:
        ngx_gate_redis_lost(redis, NGX_GATE_RESET,
                            (u_char *) "connection closed by the server", 31);
        break;

    case NGX_GATE_PEER_FAILED:
        ngx_gate_redis_lost(redis, peer->reason, peer->error,
                            peer->error_len);
        break;
    }

    ngx_gate_redis_release(redis);
}


/*
 * A kept connection that the server gives up when it is used again: nobody
 * learns of it.  One that was not good for a single answer does not count,
 * nor does what we ourselves are in want of.
 */

static void
ngx_gate_redis_lost(ngx_gate_redis_t *redis, ngx_gate_reason_e reason,
    u_char *error, size_t len)
{
    ngx_str_t    known;
    redisReply  *reply;

    if (!redis->proven
        || reason == NGX_GATE_NO_CONNECTIONS
        || reason == NGX_GATE_NO_MEMORY)
    {
        reply = ngx_gate_redis_last_words(redis);

        if (reply) {
            reason = ngx_gate_resp_reason(reply, &known);
            ngx_gate_redis_fail(redis, reason, "%*s", (size_t) reply->len,
                                reply->str);

        } else {
            ngx_gate_redis_fail(redis, reason, "%*s", len, error);
        }

        return;
    }

    ngx_gate_redis_again(redis);
}


/* those who wait get another connection */

static void
ngx_gate_redis_again(ngx_gate_redis_t *redis)
{
    ngx_queue_t            *q, *next;
    ngx_gate_redis_turn_t  *turn;

    ngx_gate_redis_hang_up(redis);

    for (q = ngx_queue_head(&redis->turns);
         q != ngx_queue_sentinel(&redis->turns);
         q = next)
    {
        next = ngx_queue_next(q);

        turn = ngx_queue_data(q, ngx_gate_redis_turn_t, queue);

        if (turn->session == NULL) {
            ngx_queue_remove(q);
            ngx_gate_redis_forget(turn);
            continue;
        }

        while (turn->nreplies) {
            freeReplyObject(turn->replies[--turn->nreplies]);
        }
    }

    if (!ngx_queue_empty(&redis->turns)) {
        ngx_gate_redis_connect(redis);
    }
}


/* "max number of clients reached", and then it hangs up */

static redisReply *
ngx_gate_redis_last_words(ngx_gate_redis_t *redis)
{
    redisReply             *reply;
    ngx_queue_t            *q;
    ngx_gate_redis_turn_t  *turn;

    if (ngx_queue_empty(&redis->turns)) {
        return NULL;
    }

    q = ngx_queue_head(&redis->turns);
    turn = ngx_queue_data(q, ngx_gate_redis_turn_t, queue);

    if (turn->nreplies == 0) {
        return NULL;
    }

    reply = turn->replies[turn->nreplies - 1];

    return (reply->type == REDIS_REPLY_ERROR) ? reply : NULL;
}


static void
ngx_gate_redis_greet(ngx_gate_redis_t *redis)
{
    ngx_int_t               rc;
    ngx_pool_t             *pool;
    ngx_queue_t            *q;
    ngx_gate_redis_turn_t  *turn;

    redis->connected = 1;

    pool = ngx_create_pool(NGX_GATE_REDIS_POOL, ngx_cycle->log);

    if (pool == NULL) {
        ngx_gate_redis_fail(redis, NGX_GATE_NO_MEMORY, "no memory");
        return;
    }

    rc = ngx_gate_redis_send(redis, pool);

    ngx_destroy_pool(pool);

    if (rc != NGX_OK) {
        /* the sessions know already */
        return;
    }

    for (q = ngx_queue_head(&redis->turns);
         q != ngx_queue_sentinel(&redis->turns);
         q = ngx_queue_next(q))
    {
        turn = ngx_queue_data(q, ngx_gate_redis_turn_t, queue);

        if (turn->session) {
            turn->session->log->action = NGX_GATE_REDIS_WAITING;
        }
    }
}


/* everything that waits goes out in one piece */

static ngx_int_t
ngx_gate_redis_send(ngx_gate_redis_t *redis, ngx_pool_t *pool)
{
    size_t                   size;
    u_char                  *p, *data;
    ngx_queue_t             *q;
    ngx_gate_redis_turn_t   *turn;
    ngx_gate_redis_login_t   login;

    if (ngx_gate_redis_server_login(&redis->server, pool, &login) != NGX_OK) {
        ngx_gate_redis_fail(redis, login.reason, "%*s", login.error_len,
                            login.error);
        return NGX_ERROR;
    }

    redis->greeting = (login.auth.len ? NGX_GATE_REDIS_AUTH : 0)
                      | (login.select.len ? NGX_GATE_REDIS_SELECT : 0);

    size = login.auth.len + login.select.len;

    for (q = ngx_queue_head(&redis->turns);
         q != ngx_queue_sentinel(&redis->turns);
         q = ngx_queue_next(q))
    {
        turn = ngx_queue_data(q, ngx_gate_redis_turn_t, queue);
        size += turn->size;
    }

    data = ngx_pnalloc(pool, size);

    if (data == NULL) {
        ngx_gate_redis_fail(redis, NGX_GATE_NO_MEMORY, "no memory");
        return NGX_ERROR;
    }

    p = ngx_cpymem(data, login.auth.data, login.auth.len);
    p = ngx_cpymem(p, login.select.data, login.select.len);

    for (q = ngx_queue_head(&redis->turns);
         q != ngx_queue_sentinel(&redis->turns);
         q = ngx_queue_next(q))
    {
        turn = ngx_queue_data(q, ngx_gate_redis_turn_t, queue);
        p = ngx_cpymem(p, turn->data, turn->size);
    }

    ngx_gate_peer_send(&redis->peer, data, size);

    ngx_explicit_memzero(login.auth.data, login.auth.len);
    ngx_explicit_memzero(data, login.auth.len);

    return NGX_OK;
}


static void
ngx_gate_redis_read(ngx_gate_redis_t *redis)
{
    ngx_int_t    rc;
    redisReply  *reply;

    while (redis->connected && redis->peer.in->pos < redis->peer.in->last) {

        if (ngx_queue_empty(&redis->turns)) {

            /* nobody waits, so nobody needs to hear of it */

            ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                          "redis at \"%V\" answered without a question",
                          &redis->server.endpoint.text);

            ngx_gate_redis_hang_up(redis);
            return;
        }

        rc = ngx_gate_resp_read(&redis->resp, redis->peer.in, &reply);

        if (rc == NGX_AGAIN) {
            return;
        }

        if (rc == NGX_ERROR) {
            ngx_gate_redis_confused(redis);
            return;
        }

        if (redis->greeting) {
            ngx_gate_redis_greeted(redis, reply);

        } else {
            ngx_gate_redis_answered(redis, reply);
        }
    }
}


/*
 * Something that cannot be read, as a value that has become too long.  On a
 * connection that has worked so far it is the matter of whose turn it is, and
 * of nobody else.
 */

static void
ngx_gate_redis_confused(ngx_gate_redis_t *redis)
{
    size_t                  len;
    u_char                  error[NGX_GATE_RESP_ERROR_MAX];
    ngx_queue_t            *q;
    ngx_gate_reason_e       reason;
    ngx_gate_redis_turn_t  *turn;

    reason = redis->resp.reason;
    len = redis->resp.error_len;
    ngx_memcpy(error, redis->resp.error, len);

    q = ngx_queue_head(&redis->turns);

    if (!redis->proven || q == ngx_queue_last(&redis->turns)) {
        ngx_gate_redis_fail(redis, reason, "%*s", len, error);
        return;
    }

    ngx_queue_remove(q);

    ngx_gate_redis_again(redis);

    turn = ngx_queue_data(q, ngx_gate_redis_turn_t, queue);
    ngx_gate_redis_turn_failed(turn, reason, error, len);
}


/*
 * What the server says about AUTH is not passed on: where that command is not
 * known, its answer repeats the password.
 */

static void
ngx_gate_redis_greeted(ngx_gate_redis_t *redis, redisReply *reply)
{
    ngx_str_t          known;
    ngx_uint_t         greeting;
    ngx_gate_reason_e  reason;

    greeting = redis->greeting & NGX_GATE_REDIS_AUTH;

    if (greeting == 0) {
        greeting = redis->greeting;
    }

    redis->greeting &= ~greeting;

    if (reply->type == REDIS_REPLY_ERROR) {

        reason = ngx_gate_resp_reason(reply, &known);

        if (greeting == NGX_GATE_REDIS_AUTH) {

            if (reason == NGX_GATE_QUERY) {
                reason = NGX_GATE_AUTH;
            }

            ngx_gate_redis_fail(redis, reason, "AUTH was refused%s%V",
                                known.len ? ": " : "", &known);

        } else {

            if (reason == NGX_GATE_QUERY) {
                reason = NGX_GATE_NO_DATABASE;
            }

            ngx_gate_redis_fail(redis, reason, "SELECT %ui: %*s",
                                redis->server.database,
                                (size_t) reply->len, reply->str);
        }

    } else if (reply->type != REDIS_REPLY_STATUS) {
        ngx_gate_redis_fail(redis, NGX_GATE_PROTOCOL,
                            "%s in reply to %s", ngx_gate_resp_type(reply),
                            greeting == NGX_GATE_REDIS_AUTH ? "AUTH"
                                                            : "SELECT");
    }

    freeReplyObject(reply);
}


static void
ngx_gate_redis_answered(ngx_gate_redis_t *redis, redisReply *reply)
{
    ngx_queue_t               *q;
    ngx_gate_redis_turn_t     *turn;
    ngx_gate_redis_session_t  *session;

    q = ngx_queue_head(&redis->turns);
    turn = ngx_queue_data(q, ngx_gate_redis_turn_t, queue);

    turn->replies[turn->nreplies++] = reply;

    if (turn->nreplies < turn->wanted) {
        return;
    }

    if (q == ngx_queue_last(&redis->turns)
        && redis->peer.in->pos < redis->peer.in->last)
    {
        /* whose answer is whose? */

        ngx_gate_redis_fail(redis, NGX_GATE_PROTOCOL,
                            "more replies than commands");
        return;
    }

    ngx_queue_remove(q);

    redis->proven = 1;

    session = turn->session;

    if (session) {
        session->turn = NULL;
        session->replies = turn->replies;
        session->nreplies = turn->nreplies;

        session->handler(session);
    }

    ngx_gate_redis_forget(turn);
}


static void
ngx_gate_redis_hang_up(ngx_gate_redis_t *redis)
{
    ngx_gate_peer_close(&redis->peer);
    ngx_gate_resp_reset(&redis->resp);

    redis->connected = 0;
    redis->proven = 0;
    redis->greeting = 0;
}


static void ngx_cdecl
ngx_gate_redis_fail(ngx_gate_redis_t *redis, ngx_gate_reason_e reason,
    const char *fmt, ...)
{
    u_char                  error[NGX_GATE_REDIS_ERROR_MAX];
    size_t                  len;
    va_list                 args;
    ngx_queue_t            *q, turns;
    ngx_gate_redis_turn_t  *turn;

    va_start(args, fmt);
    len = ngx_vslprintf(error, error + NGX_GATE_REDIS_ERROR_MAX, fmt, args)
          - error;
    va_end(args);

    ngx_gate_redis_hang_up(redis);

    if (ngx_queue_empty(&redis->turns)) {
        return;
    }

    /* the handlers may ask again, over the same object */

    ngx_queue_init(&turns);
    ngx_queue_add(&turns, &redis->turns);
    ngx_queue_init(&redis->turns);

    while (!ngx_queue_empty(&turns)) {
        q = ngx_queue_head(&turns);
        ngx_queue_remove(q);

        turn = ngx_queue_data(q, ngx_gate_redis_turn_t, queue);
        ngx_gate_redis_turn_failed(turn, reason, error, len);
    }
}


static void
ngx_gate_redis_turn_failed(ngx_gate_redis_turn_t *turn,
    ngx_gate_reason_e reason, u_char *error, size_t len)
{
    ngx_gate_redis_session_t  *session;

    session = turn->session;

    ngx_gate_redis_forget(turn);

    if (session) {
        session->turn = NULL;
        session->nreplies = 0;
        session->reason = reason;
        session->error_len = len;
        ngx_memcpy(session->error, error, len);

        session->handler(session);
    }
}


static void
ngx_gate_redis_forget(ngx_gate_redis_turn_t *turn)
{
    while (turn->nreplies) {
        freeReplyObject(turn->replies[--turn->nreplies]);
    }

    ngx_free(turn);
}


void
ngx_gate_redis_retire(ngx_gate_redis_t *redis)
{
    if (!redis->retired) {
        redis->retired = 1;
        ngx_queue_remove(&redis->queue);
    }
}


/* the last one closes the door, maybe from within the peer's handler */

void
ngx_gate_redis_release(ngx_gate_redis_t *redis)
{
    ngx_queue_t  *q;

    if (--redis->users) {
        return;
    }

    ngx_gate_redis_retire(redis);
    ngx_gate_redis_hang_up(redis);

    while (!ngx_queue_empty(&redis->turns)) {
        q = ngx_queue_head(&redis->turns);
        ngx_queue_remove(q);
        ngx_gate_redis_forget(ngx_queue_data(q, ngx_gate_redis_turn_t,
                                             queue));
    }

    ngx_destroy_pool(redis->pool);
}
