
/*
 * PostgreSQL without blocking.
 *
 * libpq expects to be woken as by poll(), so the events are level-triggered,
 * and nothing but libpq ever closes its descriptor.  During a login it opens,
 * replaces and closes it as it likes, mostly under the same number: nginx then
 * watches it only while nobody works, which means that before each step both
 * events are removed and nginx's connection is given back, and afterwards a
 * fresh one is taken for whatever descriptor there is then.  Later on there is
 * only one, which is watched until the end, for reading; where libpq has
 * closed it, it says so, and the kernel has forgotten the events by itself.
 *
 * A connection serves one query at a time, the first in its queue, and is
 * closed when there is none, except with "keepalive".  While
 * there is no connection, that query's deadline is also shared out among
 * the attempts to get one.  Whoever leaves in the middle of being served
 * takes the connection with him, since a query cannot be taken back; the
 * next in the queue begins anew.
 */


#include <ngx_gate_pq_connection.h>


static ngx_gate_pq_t *ngx_gate_pq_get_connection(ngx_gate_pq_conf_t *pcf);
static void ngx_gate_pq_release(ngx_gate_pq_t *pq);
static void ngx_gate_pq_post_handler(ngx_event_t *ev);
static void ngx_gate_pq_keepalive(ngx_gate_pq_t *pq);
static void ngx_gate_pq_timeout_handler(ngx_event_t *ev);
static void ngx_gate_pq_event_handler(ngx_event_t *ev);
static void ngx_gate_pq_count_received(ngx_gate_pq_t *pq, ngx_connection_t *c);
static ngx_int_t ngx_gate_pq_add_connection(ngx_gate_pq_t *pq);
static ngx_int_t ngx_gate_pq_set_event(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t wanted);
static void ngx_gate_pq_unwatch(ngx_gate_pq_t *pq);
static void ngx_gate_pq_clear_ssl_errors(void);


/* what libpq reads at a time, while no message is longer */

#define NGX_GATE_PQ_READ_MAX  16384


/* libpq's connections are of the process that opened them */

static ngx_queue_t  ngx_gate_pq_connections = {
    &ngx_gate_pq_connections, &ngx_gate_pq_connections
};


ngx_int_t
ngx_gate_pq_send(ngx_gate_pq_query_t *q)
{
    q->results = NULL;
    q->error_len = 0;
    q->retried = 0;

    if (q->pq == NULL) {
        q->pq = ngx_gate_pq_get_connection(q->conf);

        if (q->pq == NULL) {
            return NGX_ERROR;
        }
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

    if (q->queued) {
        served = (ngx_gate_pq_current(pq) == q
                  && pq->state != NGX_GATE_PQ_CONNECTION_READY);

        ngx_queue_remove(&q->queue);
        q->queued = 0;

        if (served) {
            ngx_gate_pq_close(pq);
            ngx_gate_pq_post(pq);
        }
    }

    q->pq = NULL;

    ngx_gate_pq_release(pq);
}


static ngx_gate_pq_t *
ngx_gate_pq_get_connection(ngx_gate_pq_conf_t *pcf)
{
    ngx_queue_t    *queue;
    ngx_gate_pq_t  *pq;

    for (queue = ngx_queue_head(&ngx_gate_pq_connections);
         queue != ngx_queue_sentinel(&ngx_gate_pq_connections);
         queue = ngx_queue_next(queue))
    {
        pq = ngx_queue_data(queue, ngx_gate_pq_t, queue);

        if (pq->conf->key.len == pcf->key.len
            && ngx_memcmp(pq->conf->key.data, pcf->key.data, pcf->key.len)
               == 0)
        {
            pq->users++;
            return pq;
        }
    }

    pq = ngx_calloc(sizeof(ngx_gate_pq_t), ngx_cycle->log);
    if (pq == NULL) {
        return NULL;
    }

    pq->conf = pcf;
    pq->users = 1;

    ngx_queue_init(&pq->queries);

    ngx_gate_event_init(&pq->timer, ngx_gate_pq_timeout_handler,
                        ngx_cycle->log);
    ngx_gate_event_init(&pq->post, ngx_gate_pq_post_handler, ngx_cycle->log);

    ngx_queue_insert_tail(&ngx_gate_pq_connections, &pq->queue);

    return pq;
}


static void
ngx_gate_pq_release(ngx_gate_pq_t *pq)
{
    if (--pq->users) {
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


/* what is next to do, with nothing of libpq or of a caller on the stack */

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
        pq->reason = NGX_GATE_UNREACHABLE;
        pq->responded = 0;
        pq->error_len = 0;

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
 * A session of ours would keep others from dropping, renaming or copying the
 * database.
 */

static void
ngx_gate_pq_keepalive(ngx_gate_pq_t *pq)
{
    ngx_uint_t      idle;
    ngx_msec_int_t  left;

    idle = ngx_queue_empty(&pq->queries);
    left = (ngx_msec_int_t) (pq->expires - ngx_current_msec);

    if (left <= 0 || (idle && !pq->conf->keepalive)) {
        ngx_gate_pq_close(pq);
        return;
    }

    if (idle) {
        ngx_add_timer(&pq->timer, (ngx_msec_t) left);
    }
}


static void
ngx_gate_pq_timeout_handler(ngx_event_t *ev)
{
    u_char         *p, error[NGX_GATE_PQ_ERROR_MAX];
    ngx_gate_pq_t  *pq;

    pq = ngx_queue_data(ev, ngx_gate_pq_t, timer);

    if (pq->state == NGX_GATE_PQ_CONNECTION_BUSY) {
        ngx_gate_pq_query_receive(pq);
        return;
    }

    if (pq->state == NGX_GATE_PQ_CONNECTION_READY) {
        ngx_gate_pq_close(pq);
        ngx_gate_pq_post(pq);
        return;
    }

    p = ngx_slprintf(error, error + sizeof(error), "no answer from \"%V\"",
                     &pq->conf->hosts[pq->attempt % pq->conf->nhosts].text);

    ngx_gate_pq_login_error(pq, NGX_GATE_TIMEOUT, error, p - error, 0);
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

        /* worker_shutdown_timeout: the queries' own time is up as well */

        ngx_gate_pq_close(pq);
        return;
    }

    if (!ev->write) {
        ngx_gate_pq_count_received(pq, c);
    }

    if (pq->received > NGX_GATE_PQ_RESPONSE_MAX) {
        ngx_gate_pq_query_too_large(pq);
        return;
    }

    switch (pq->state) {

    case NGX_GATE_PQ_CONNECTION_LOGIN:
        ngx_gate_pq_unwatch(pq);
        ngx_gate_pq_login_poll(pq);
        break;

    case NGX_GATE_PQ_CONNECTION_READY:
        ngx_gate_pq_query_idle(pq);
        break;

    default:    /* NGX_GATE_PQ_CONNECTION_ROLE, NGX_GATE_PQ_CONNECTION_BUSY */
        ngx_gate_pq_query_receive(pq);
        break;
    }
}


/*
 * What comes first is not asked for: it is no more than libpq reads at a time,
 * and mostly all.
 */

static void
ngx_gate_pq_count_received(ngx_gate_pq_t *pq, ngx_connection_t *c)
{
    int  n;

    if (pq->received == 0) {
        pq->received = NGX_GATE_PQ_READ_MAX;
        return;
    }

    if (ngx_socket_nread(c->fd, &n) == 0) {
        pq->received += n;
    }
}


/* there is no connection to be had, for nobody */

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

    pq->users++;

    while (!ngx_queue_empty(&failed)) {
        queue = ngx_queue_head(&failed);
        q = ngx_queue_data(queue, ngx_gate_pq_query_t, queue);

        ngx_gate_pq_finish(pq, q, NULL);
    }

    ngx_gate_pq_release(pq);
}


/* the last thing that is done: the handler may free pq */

void
ngx_gate_pq_finish(ngx_gate_pq_t *pq, ngx_gate_pq_query_t *q,
    PGresult **results)
{
    ngx_queue_remove(&q->queue);
    q->queued = 0;

    q->results = results;
    q->tls = (pq->tls == NGX_GATE_PQ_CONNECTION_TLS_REQUIRED);

    if (results == NULL) {
        q->reason = pq->reason;
        q->error_len = pq->error_len;
        ngx_memcpy(q->error, pq->error, pq->error_len);
    }

    /* there may be no query any more, and then the connection is closed */

    ngx_post_event(&pq->post, &ngx_posted_events);

    q->handler(q);
}


ngx_int_t
ngx_gate_pq_watch(ngx_gate_pq_t *pq, ngx_uint_t what)
{
    ngx_connection_t  *c;

    ngx_gate_pq_clear_ssl_errors();

    if (pq->connection == NULL && ngx_gate_pq_add_connection(pq) != NGX_OK) {
        pq->reason = NGX_GATE_NO_CONNECTIONS;
        pq->error_len = ngx_sprintf(pq->error, "no free worker_connections")
                        - pq->error;
        return NGX_ERROR;
    }

    c = pq->connection;

    if (ngx_gate_pq_set_event(c->read, NGX_READ_EVENT,
                              what & NGX_GATE_PQ_CONNECTION_READ)
        != NGX_OK
        || ngx_gate_pq_set_event(c->write, NGX_WRITE_EVENT,
                                 what & NGX_GATE_PQ_CONNECTION_WRITE)
           != NGX_OK)
    {
        ngx_gate_pq_unwatch(pq);

        pq->reason = NGX_GATE_NO_CONNECTIONS;
        pq->error_len = ngx_sprintf(pq->error, "cannot watch a connection")
                        - pq->error;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_pq_add_connection(ngx_gate_pq_t *pq)
{
    ngx_log_t         *log;
    ngx_connection_t  *c;

    log = ngx_cycle->log;

    c = ngx_get_connection(libpq.PQsocket(pq->conn), log);

    if (c == NULL) {
        return NGX_ERROR;
    }

    /* the descriptor is not nginx's to close */

    c->shared = 1;

    c->data = pq;
    c->read->handler = ngx_gate_pq_event_handler;
    c->write->handler = ngx_gate_pq_event_handler;
    c->read->log = log;
    c->write->log = log;

    pq->connection = c;

    return NGX_OK;
}


static ngx_int_t
ngx_gate_pq_set_event(ngx_event_t *ev, ngx_int_t event, ngx_uint_t wanted)
{
    if (wanted && !ev->active) {
        return ngx_add_event(ev, event, NGX_LEVEL_EVENT);
    }

    if (!wanted && ev->active) {
        return ngx_del_event(ev, event, 0);
    }

    return NGX_OK;
}


static void
ngx_gate_pq_unwatch(ngx_gate_pq_t *pq)
{
    ngx_uint_t         flags;
    ngx_connection_t  *c;

    c = pq->connection;

    if (c == NULL) {
        return;
    }

    pq->connection = NULL;

    flags = (libpq.PQsocket(pq->conn) == -1) ? NGX_CLOSE_EVENT : 0;

    if (c->read->active) {
        ngx_del_event(c->read, NGX_READ_EVENT, flags);
    }

    if (c->write->active) {
        ngx_del_event(c->write, NGX_WRITE_EVENT, flags);
    }

    ngx_close_connection(c);
}


void
ngx_gate_pq_close(ngx_gate_pq_t *pq)
{
    ngx_gate_pq_unwatch(pq);

    ngx_gate_resolve_cancel(&pq->resolve);

    if (pq->timer.timer_set) {
        ngx_del_timer(&pq->timer);
    }

    ngx_gate_pq_clear_results(pq->results, pq->nresults);
    pq->nresults = 0;

    if (pq->conn) {
        libpq.PQfinish(pq->conn);
        pq->conn = NULL;
        ngx_gate_pq_clear_ssl_errors();
    }

    pq->state = NGX_GATE_PQ_CONNECTION_CLOSED;
    pq->naddrs = 0;
    pq->address = 0;
    pq->kept = 0;
}


/*
 * libpq and nginx use one OpenSSL, whose queue of errors is the process's:
 * what libpq leaves there, nginx would report as an alert of its own.
 */

static void
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
