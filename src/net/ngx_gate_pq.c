
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * PostgreSQL without blocking.
 *
 * libpq expects the semantics of poll(), so the events are level-triggered,
 * and only libpq closes its descriptor.  During a login, libpq opens,
 * replaces and closes descriptors, often with the same number.  The
 * descriptor is therefore watched only between two steps: before each step,
 * both events are removed and the connection of nginx is freed, and after it
 * a new one is added for the current descriptor.  After the login, the
 * descriptor does not change and is watched for reading until the end; if
 * libpq has closed it, libpq reports this, and the kernel has removed the
 * events.
 *
 * A connection serves one query at a time, the first in its queue, and is
 * closed when the queue is empty, unless a user has it kept.  Until there is a
 * connection, the time of that query is divided among the attempts to open
 * one.  If a query is canceled while it runs, the connection is closed, since
 * the query cannot be withdrawn; a new connection is opened for the next
 * query in the queue.
 */


#include <ngx_gate_pq_connection.h>


static ngx_gate_pq_t *ngx_gate_pq_get_connection(ngx_gate_pq_query_t *q);
static void ngx_gate_pq_release(ngx_gate_pq_t *pq);
static void ngx_gate_pq_post_handler(ngx_event_t *ev);
static void ngx_gate_pq_keepalive(ngx_gate_pq_t *pq);
static ngx_uint_t ngx_gate_pq_is_kept(ngx_gate_pq_t *pq);
static void ngx_gate_pq_timeout_handler(ngx_event_t *ev);
static void ngx_gate_pq_event_handler(ngx_event_t *ev);
static void ngx_gate_pq_count_received(ngx_gate_pq_t *pq, ngx_connection_t *c);
static void ngx_gate_pq_unwatch(ngx_gate_pq_t *pq);


/* libpq's read size, unless a message is longer */

#define NGX_GATE_PQ_READ_MAX  16384


/* a connection of libpq belongs to the process that opened it */

static ngx_queue_t  ngx_gate_pq_connections = {
    &ngx_gate_pq_connections, &ngx_gate_pq_connections
};


ngx_int_t
ngx_gate_pq_send(ngx_gate_pq_query_t *q)
{
    q->results = NULL;
    q->error.len = 0;
    q->retried = 0;

    if (q->pq == NULL) {
        q->pq = ngx_gate_pq_get_connection(q);

        if (q->pq == NULL) {
            return NGX_ERROR;
        }

        ngx_queue_insert_tail(&q->pq->users, &q->user);
    }

    q->log->action = "waiting for the connection to PostgreSQL";
    q->queued = 1;

    ngx_queue_insert_tail(&q->pq->queries, &q->queue);

    ngx_gate_pq_post(q->pq);

    return NGX_OK;
}


void
ngx_gate_pq_detach(ngx_gate_pq_query_t *q)
{
    ngx_uint_t      served;
    ngx_gate_pq_t  *pq;

    pq = q->pq;

    if (pq == NULL) {
        return;
    }

    ngx_queue_remove(&q->user);

    if (q->listen == NGX_GATE_PQ_LISTEN_ON) {
        q->listen = NGX_GATE_PQ_LISTEN_OFF;
    }

    if (q->queued) {
        served = (ngx_gate_pq_current(pq) == q
                  && pq->state != NGX_GATE_PQ_CONNECTION_READY);

        ngx_queue_remove(&q->queue);
        q->queued = 0;

        if (served) {

            if (pq->state == NGX_GATE_PQ_CONNECTION_LOGIN) {
                ngx_gate_pq_judge_address(pq, 0);
            }

            ngx_gate_pq_close(pq);
            ngx_gate_pq_post(pq);
        }
    }

    q->pq = NULL;

    /* closed, unless another user has it kept */

    ngx_post_event(&pq->post, &ngx_posted_events);

    ngx_gate_pq_release(pq);
}


static ngx_gate_pq_t *
ngx_gate_pq_get_connection(ngx_gate_pq_query_t *q)
{
    ngx_str_t      *key;
    ngx_queue_t    *queue;
    ngx_gate_pq_t  *pq;

    key = &q->conf->key;

    for (queue = ngx_queue_head(&ngx_gate_pq_connections);
         queue != ngx_queue_sentinel(&ngx_gate_pq_connections);
         queue = ngx_queue_next(queue))
    {
        pq = ngx_queue_data(queue, ngx_gate_pq_t, queue);

        if (ngx_gate_str_eq(&pq->conf->key, key)
            && ngx_gate_resolver_same(pq->resolver, q->resolver))
        {
            pq->nusers++;
            return pq;
        }
    }

    pq = ngx_calloc(sizeof(ngx_gate_pq_t), ngx_cycle->log);
    if (pq == NULL) {
        return NULL;
    }

    pq->conf = q->conf;
    pq->resolver = q->resolver;
    pq->nusers = 1;

    ngx_queue_init(&pq->queries);
    ngx_queue_init(&pq->users);

    ngx_gate_event_init(&pq->timer, ngx_gate_pq_timeout_handler,
                        ngx_cycle->log);
    ngx_gate_event_init(&pq->post, ngx_gate_pq_post_handler, ngx_cycle->log);

    ngx_queue_insert_tail(&ngx_gate_pq_connections, &pq->queue);

    return pq;
}


static void
ngx_gate_pq_release(ngx_gate_pq_t *pq)
{
    if (--pq->nusers) {
        return;
    }

    ngx_gate_pq_close(pq);

    if (pq->post.posted) {
        ngx_delete_posted_event(&pq->post);
    }

    ngx_queue_remove(&pq->queue);

    ngx_free(pq);
}


void
ngx_gate_pq_post(ngx_gate_pq_t *pq)
{
    if (!ngx_queue_empty(&pq->queries)) {
        ngx_post_event(&pq->post, &ngx_posted_events);
    }
}


/* the next step, outside of any call by libpq or a caller */

static void
ngx_gate_pq_post_handler(ngx_event_t *ev)
{
    ngx_gate_pq_t  *pq;

    pq = ngx_queue_data(ev, ngx_gate_pq_t, post);

    if (pq->state == NGX_GATE_PQ_CONNECTION_READY) {
        ngx_gate_pq_keepalive(pq);
    }

    if (ngx_queue_empty(&pq->queries)) {
        return;
    }

    switch (pq->state) {

    case NGX_GATE_PQ_CONNECTION_CLOSED:

        pq->attempt = 0;
        pq->naddrs = 0;
        pq->error.reason = NGX_GATE_UNREACHABLE;
        pq->error.len = 0;
        pq->responded = 0;

        ngx_gate_pq_login_attempt(pq);
        break;

    case NGX_GATE_PQ_CONNECTION_NEXT:
        ngx_gate_pq_login_attempt(pq);
        break;

    case NGX_GATE_PQ_CONNECTION_READY:
        ngx_gate_pq_query_send(pq);
        break;

    default:
        break;
    }
}


/*
 * An open session would prevent the database from being dropped, renamed or
 * copied.
 */

static void
ngx_gate_pq_keepalive(ngx_gate_pq_t *pq)
{
    ngx_uint_t      idle;
    ngx_msec_int_t  left;

    idle = ngx_queue_empty(&pq->queries);
    left = (ngx_msec_int_t) (pq->expires - ngx_current_msec);

    if (left <= 0 || (idle && !ngx_gate_pq_is_kept(pq))) {
        ngx_gate_pq_close(pq);
        return;
    }

    if (idle) {
        ngx_add_timer(&pq->timer, (ngx_msec_t) left);
    }
}


static ngx_uint_t
ngx_gate_pq_is_kept(ngx_gate_pq_t *pq)
{
    ngx_queue_t          *queue;
    ngx_gate_pq_query_t  *q;

    for (queue = ngx_queue_head(&pq->users);
         queue != ngx_queue_sentinel(&pq->users);
         queue = ngx_queue_next(queue))
    {
        q = ngx_queue_data(queue, ngx_gate_pq_query_t, user);

        if (q->conf->keepalive || q->listen == NGX_GATE_PQ_LISTEN_ON) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_gate_pq_timeout_handler(ngx_event_t *ev)
{
    ngx_gate_pq_t     *pq;
    ngx_gate_error_t   error;

    pq = ngx_queue_data(ev, ngx_gate_pq_t, timer);

    if (pq->state == NGX_GATE_PQ_CONNECTION_BUSY
        || pq->state == NGX_GATE_PQ_CONNECTION_LISTEN)
    {
        ngx_gate_pq_query_receive(pq);
        return;
    }

    if (pq->state == NGX_GATE_PQ_CONNECTION_READY) {
        ngx_gate_pq_close(pq);
        ngx_gate_pq_post(pq);
        return;
    }

    ngx_gate_error_set(&error, NGX_GATE_TIMEOUT, "no reply from \"%V\"",
                       &pq->conf->hosts[pq->attempt % pq->conf->nhosts].text);
    ngx_gate_pq_login_error(pq, &error, 0);

    if (pq->state == NGX_GATE_PQ_CONNECTION_LOGIN) {
        ngx_gate_pq_judge_address(pq, 0);
    }

    ngx_gate_pq_login_next(pq, 0);
}


static void
ngx_gate_pq_event_handler(ngx_event_t *ev)
{
    ngx_gate_pq_t     *pq;
    ngx_connection_t  *c;

    c = ev->data;
    pq = c->data;

    if (c->close || c->error) {

        /* worker_shutdown_timeout: the time of the queries is over, too */

        ngx_gate_pq_close(pq);
        return;
    }

    if (!ev->write && !pq->direct) {
        ngx_gate_pq_count_received(pq, c);
    }

    if (pq->received > NGX_GATE_PQ_RESPONSE_MAX) {
        ngx_gate_pq_query_too_large(pq);
        return;
    }

    if (!ev->write && pq->direct) {

        /* not counted if there are notifications */

        ngx_gate_pq_count_received(pq, c);
    }

    switch (pq->state) {

    case NGX_GATE_PQ_CONNECTION_LOGIN:
        ngx_gate_pq_unwatch(pq);
        ngx_gate_pq_login_poll(pq);
        break;

    case NGX_GATE_PQ_CONNECTION_READY:
        ngx_gate_pq_query_idle(pq);
        break;

    default:    /* NGX_GATE_PQ_CONNECTION_ROLE, _LISTEN, _BUSY */
        ngx_gate_pq_query_receive(pq);
        break;
    }
}


/*
 * The first read is not counted: libpq reads at most this much at a time, and
 * usually everything.
 */

static void
ngx_gate_pq_count_received(ngx_gate_pq_t *pq, ngx_connection_t *c)
{
    int  n;

    pq->counted = 0;

    if (pq->received == 0) {
        pq->counted = NGX_GATE_PQ_READ_MAX;

    } else if (ngx_socket_nread(c->fd, &n) == 0) {
        pq->counted = n;
    }

    pq->received += pq->counted;
}


/* no connection is possible: all queries fail */

void
ngx_gate_pq_fail(ngx_gate_pq_t *pq)
{
    ngx_queue_t           failed, *queue;
    ngx_gate_pq_query_t  *q;

    ngx_gate_pq_close(pq);

    if (ngx_queue_empty(&pq->queries)) {
        return;
    }

    ngx_queue_init(&failed);
    ngx_queue_add(&failed, &pq->queries);
    ngx_queue_init(&pq->queries);

    pq->nusers++;

    while (!ngx_queue_empty(&failed)) {
        queue = ngx_queue_head(&failed);
        q = ngx_queue_data(queue, ngx_gate_pq_query_t, queue);

        ngx_gate_pq_finish(pq, q, NULL);
    }

    ngx_gate_pq_release(pq);
}


/* call last: the handler may free pq */

void
ngx_gate_pq_finish(ngx_gate_pq_t *pq, ngx_gate_pq_query_t *q,
    PGresult **results)
{
    ngx_queue_remove(&q->queue);
    q->queued = 0;

    q->results = results;
    q->tls = (pq->tls == NGX_GATE_PQ_CONNECTION_TLS_REQUIRED);

    if (results == NULL) {
        q->error = pq->error;
    }

    /* if no query is left, the connection is closed */

    ngx_post_event(&pq->post, &ngx_posted_events);

    q->handler(q);
}


ngx_int_t
ngx_gate_pq_watch(ngx_gate_pq_t *pq, ngx_uint_t what)
{
    ngx_gate_pq_clear_ssl_errors();

    if (pq->connection == NULL) {
        pq->connection = ngx_gate_watch_open(libpq.PQsocket(pq->conn),
                                             ngx_gate_pq_event_handler, pq);
    }

    if (pq->connection == NULL) {
        ngx_gate_error_set(&pq->error, NGX_GATE_NO_CONNECTIONS,
                           "no free worker_connections");
        return NGX_ERROR;
    }

    if (ngx_gate_watch_set(pq->connection, what) != NGX_OK) {
        ngx_gate_pq_unwatch(pq);

        ngx_gate_error_set(&pq->error, NGX_GATE_NO_CONNECTIONS,
                           "cannot watch a connection");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_gate_pq_unwatch(ngx_gate_pq_t *pq)
{
    if (pq->connection) {
        ngx_gate_watch_close(pq->connection, libpq.PQsocket(pq->conn) == -1);
        pq->connection = NULL;
    }
}


void
ngx_gate_pq_close(ngx_gate_pq_t *pq)
{
    ngx_gate_pq_unwatch(pq);

    ngx_gate_resolver_cancel(&pq->resolve);

    if (pq->timer.timer_set) {
        ngx_del_timer(&pq->timer);
    }

    ngx_gate_pq_clear_results(pq->results, pq->nresults);
    pq->nresults = 0;

    if (pq->step) {
        ngx_gate_pq_step_cancel(pq);
    }

    if (pq->conn) {
        libpq.PQfinish(pq->conn);
        pq->conn = NULL;
        ngx_gate_pq_clear_ssl_errors();
    }

    pq->state = NGX_GATE_PQ_CONNECTION_CLOSED;
    pq->naddrs = 0;
    pq->address = 0;
    pq->kept = 0;
    pq->direct = 0;
    pq->notifications = 0;

    ngx_gate_pq_listen_lost(pq);
}


/*
 * libpq and nginx share one OpenSSL, and its error queue belongs to the
 * process: nginx would log an error left by libpq as an alert.
 */

void
ngx_gate_pq_clear_ssl_errors(void)
{
#if (NGX_SSL)
    ERR_clear_error();
#endif
}


void
ngx_gate_pq_clear_results(PGresult **results, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        libpq.PQclear(results[i]);
    }
}


void
ngx_gate_pq_set_action(ngx_gate_pq_t *pq, char *action)
{
    ngx_queue_t          *queue;
    ngx_gate_pq_query_t  *q;

    for (queue = ngx_queue_head(&pq->queries);
         queue != ngx_queue_sentinel(&pq->queries);
         queue = ngx_queue_next(queue))
    {
        q = ngx_queue_data(queue, ngx_gate_pq_query_t, queue);
        q->log->action = action;
    }
}


ngx_gate_pq_query_t *
ngx_gate_pq_current(ngx_gate_pq_t *pq)
{
    ngx_queue_t  *queue;

    queue = ngx_queue_head(&pq->queries);

    return ngx_queue_data(queue, ngx_gate_pq_query_t, queue);
}
