
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The prober claims the zone and starts the runners of all gates; it stops
 * them when a newer worker takes over, or when this worker exits; see
 * ngx_gate_prober.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_record.h>
#include <ngx_gate_prober.h>
#include <ngx_gate_notices.h>
#include <ngx_gate_orders.h>


#define NGX_GATE_PROBER_RETRY_WRITING  10
#define NGX_GATE_PROBER_RETRY_BUSY     100
#define NGX_GATE_PROBER_CLAIMS_MAX     100    /* after that, a write has been
                                                 interrupted */
#define NGX_GATE_PROBER_DRAIN          20

#define NGX_GATE_PROBER_NO_SOCKET      ((ngx_socket_t) -2)


static void ngx_gate_prober_heartbeat_handler(ngx_gate_timer_t *timer);
static ngx_int_t ngx_gate_prober_init_runners(ngx_gate_prober_t *prober);
static ngx_uint_t ngx_gate_prober_is_owner_hung(ngx_gate_prober_t *prober);
static void ngx_gate_prober_claim_later(ngx_gate_prober_t *prober,
    ngx_msec_t delay);
static ngx_uint_t ngx_gate_prober_is_idle(ngx_gate_prober_t *prober);
static ngx_int_t ngx_gate_prober_activate(ngx_gate_prober_t *prober);
static void ngx_gate_prober_lost_zone(ngx_gate_prober_t *prober);
static void ngx_gate_prober_deactivate(ngx_gate_prober_t *prober);
static void ngx_gate_prober_publish_handler(ngx_event_t *ev);
static void ngx_gate_prober_wake_handler(ngx_gate_wake_t *wake);
static ngx_uint_t ngx_gate_prober_has_events(ngx_gate_prober_t *prober);
static void ngx_gate_prober_watch_exit(ngx_gate_prober_t *prober);
static void ngx_gate_prober_exit_handler(ngx_event_t *ev);
static void ngx_gate_prober_unwatch_exit(ngx_gate_prober_t *prober);
static void ngx_gate_prober_drain_handler(ngx_event_t *ev);


ngx_gate_prober_t *
ngx_gate_prober_start(ngx_cycle_t *cycle, ngx_array_t *gates,
    ngx_gate_zone_t *zone, ngx_gate_stats_t *stats, ngx_uint_t generation,
    ngx_uint_t standby)
{
    ngx_pool_t         *pool;
    ngx_gate_prober_t  *prober;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    prober = ngx_pcalloc(pool, sizeof(ngx_gate_prober_t));
    if (prober == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    prober->pool = pool;
    prober->log = cycle->log;
    prober->zone = zone;
    prober->stats = stats;
    prober->generation = generation;
    prober->gates = gates;
    prober->standby = standby;

    ngx_gate_writer_init(&prober->writer, zone, generation);

    if (!standby && ngx_gate_prober_init_runners(prober) != NGX_OK) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    ngx_gate_timers_init(&prober->timers, prober->log);

    prober->heartbeat_timer.handler = ngx_gate_prober_heartbeat_handler;

    ngx_gate_event_init(&prober->publish_event,
                        ngx_gate_prober_publish_handler, prober->log);
    ngx_gate_event_init(&prober->drain_event, ngx_gate_prober_drain_handler,
                        prober->log);

    prober->drain_event.cancelable = 0;

    /* the cached time may be that of the master's last event */

    ngx_time_update();

    ngx_gate_prober_heartbeat_handler(&prober->heartbeat_timer);

    return prober;
}


/* allocated when probing starts: a standby rarely needs them */

static ngx_int_t
ngx_gate_prober_init_runners(ngx_gate_prober_t *prober)
{
    ngx_uint_t   i;
    ngx_gate_t  *gate;

    prober->runners = ngx_pcalloc(prober->pool, prober->gates->nelts
                                                * sizeof(ngx_gate_runner_t));
    if (prober->runners == NULL) {
        return NGX_ERROR;
    }

    gate = prober->gates->elts;

    for (i = 0; i < prober->gates->nelts; i++) {
        if (ngx_gate_runner_init(&prober->runners[i], &gate[i], prober)
            != NGX_OK)
        {
            prober->runners = NULL;
            return NGX_ERROR;
        }
    }

    prober->nrunners = prober->gates->nelts;

    prober->wake.handler = ngx_gate_prober_wake_handler;

    if (ngx_gate_notices_init(prober) != NGX_OK) {
        prober->nrunners = 0;
        prober->runners = NULL;
        return NGX_ERROR;
    }

    ngx_gate_prober_watch_exit(prober);

    return NGX_OK;
}


void
ngx_gate_prober_stop(ngx_gate_prober_t *prober)
{
    ngx_gate_prober_unwatch_exit(prober);

    if (prober->drain_event.timer_set) {
        ngx_del_timer(&prober->drain_event);
    }

    ngx_gate_prober_deactivate(prober);

    ngx_gate_writer_release(&prober->writer);
}


static void
ngx_gate_prober_heartbeat_handler(ngx_gate_timer_t *timer)
{
    ngx_uint_t          i;
    ngx_gate_prober_t  *prober;

    prober = ngx_rbtree_data(timer, ngx_gate_prober_t, heartbeat_timer);

    if (!prober->active && ngx_gate_prober_activate(prober) != NGX_OK) {
        return;
    }

    if (!ngx_gate_writer_owns(&prober->writer)) {
        ngx_gate_prober_lost_zone(prober);
        return;
    }

    if (prober->exiting && !prober->drain_event.timer_set) {
        ngx_gate_prober_drain_handler(&prober->drain_event);

        if (!prober->active) {
            return;
        }
    }

    for (i = 0; i < prober->nrunners; i++) {
        ngx_gate_runner_beat(&prober->runners[i]);
    }

    if (!prober->wake.listening) {
        ngx_gate_prober_wake_handler(&prober->wake);
    }

    ngx_gate_writer_touch(&prober->writer, ngx_gate_prober_is_idle(prober));

    if (!prober->zone->idle) {
        ngx_gate_timers_add(&prober->timers, timer, NGX_GATE_WRITER_HEARTBEAT);
    }
}


static ngx_uint_t
ngx_gate_prober_is_idle(ngx_gate_prober_t *prober)
{
    ngx_uint_t  i;

    /* without eventfd, orders are received with the heartbeats */

    if (!prober->wake.listening && ngx_gate_prober_has_events(prober)) {
        return 0;
    }

    for (i = 0; i < prober->nrunners; i++) {
        if (!ngx_gate_runner_is_idle(&prober->runners[i])) {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_gate_prober_activate(ngx_gate_prober_t *prober)
{
    ngx_int_t   rc;
    ngx_uint_t  i, hung;

    if (ngx_exiting || ngx_quit || ngx_terminate) {
        return NGX_DECLINED;
    }

    hung = ngx_gate_prober_is_owner_hung(prober);

    if (prober->standby && !hung) {

        if (!prober->zone->idle) {
            ngx_gate_prober_claim_later(prober, NGX_GATE_WRITER_HEARTBEAT);
        }

        return NGX_BUSY;
    }

    if (prober->runners == NULL
        && ngx_gate_prober_init_runners(prober) != NGX_OK)
    {
        ngx_gate_prober_claim_later(prober, NGX_GATE_WRITER_HEARTBEAT);
        return NGX_ERROR;
    }

    rc = ngx_gate_writer_claim(&prober->writer,
                               hung || prober->failed_claims
                                       > NGX_GATE_PROBER_CLAIMS_MAX);
    switch (rc) {

    case NGX_OK:
        break;

    case NGX_AGAIN:
        prober->failed_claims++;
        ngx_gate_prober_claim_later(prober, NGX_GATE_PROBER_RETRY_WRITING);
        return rc;

    case NGX_BUSY:
        ngx_gate_prober_claim_later(prober, prober->standby
                                            ? NGX_GATE_WRITER_HEARTBEAT
                                            : NGX_GATE_PROBER_RETRY_BUSY);
        return rc;

    default: /* NGX_DECLINED */
        ngx_log_error(NGX_LOG_INFO, prober->log, 0,
                      "init gates are probed by a newer worker process");
        return rc;
    }

    if (prober->writer.deposed) {
        ngx_log_error(NGX_LOG_ERR, prober->log, 0,
                      "init gates: worker process %P does not respond, "
                      "this one probes instead", prober->writer.deposed);
    }

    prober->active = 1;
    prober->failed_claims = 0;
    prober->waited = 0;

    ngx_gate_zone_fence(&prober->writer);
    ngx_gate_writer_touch(&prober->writer, 0);

    ngx_gate_notices_start(prober);

    for (i = 0; i < prober->nrunners; i++) {
        ngx_gate_runner_start(&prober->runners[i]);
    }

    ngx_gate_orders_start(prober);

    if (ngx_gate_prober_has_events(prober)) {
        (void) ngx_gate_wake_listen(&prober->wake, prober->log);
        ngx_post_event(&prober->publish_event, &ngx_posted_events);
    }

    return NGX_OK;
}


/*
 * Whether the owner has had no heartbeat for NGX_GATE_WRITER_TIMEOUT. Counts
 * only ticks of this process, so that a pause of all processes deposes no
 * owner.
 */

static ngx_uint_t
ngx_gate_prober_is_owner_hung(ngx_gate_prober_t *prober)
{
    ngx_atomic_uint_t  heartbeat;

    heartbeat = prober->zone->touched_msec;

    if (heartbeat != prober->last_heartbeat || prober->zone->idle) {
        prober->last_heartbeat = heartbeat;
        prober->waited = 0;
        return 0;
    }

    prober->waited += prober->delay;

    return prober->waited >= NGX_GATE_WRITER_TIMEOUT;
}


static void
ngx_gate_prober_claim_later(ngx_gate_prober_t *prober, ngx_msec_t delay)
{
    prober->delay = delay;

    ngx_gate_timers_add(&prober->timers, &prober->heartbeat_timer, delay);
}


/*
 * Call before any store to shared memory.  A prober that has lost the zone to
 * a newer generation is deactivated, but not from within
 * ngx_gate_probe_end().
 */

ngx_int_t
ngx_gate_prober_write_begin(ngx_gate_prober_t *prober)
{
    if (ngx_gate_writer_write_begin(&prober->writer) == NGX_OK) {
        return NGX_OK;
    }

    ngx_post_event(&prober->publish_event, &ngx_posted_events);

    return NGX_DECLINED;
}


ngx_int_t
ngx_gate_prober_write_end(ngx_gate_prober_t *prober)
{
    if (ngx_gate_writer_write_end(&prober->writer) == NGX_OK) {
        return NGX_OK;
    }

    ngx_post_event(&prober->publish_event, &ngx_posted_events);

    return NGX_DECLINED;
}


/* permanently, unless the owner is of our own generation, and dies */

static void
ngx_gate_prober_lost_zone(ngx_gate_prober_t *prober)
{
    ngx_gate_prober_deactivate(prober);

    ngx_gate_prober_claim_later(prober, NGX_GATE_PROBER_RETRY_BUSY);
}


static void
ngx_gate_prober_deactivate(ngx_gate_prober_t *prober)
{
    ngx_uint_t  i;

    if (prober->active) {
        ngx_gate_wake_stop(&prober->wake);
        ngx_gate_notices_stop(prober);
        ngx_gate_orders_stop(prober);
    }

    prober->active = 0;

    for (i = 0; i < prober->nrunners; i++) {
        ngx_gate_runner_stop(&prober->runners[i]);
    }

    ngx_gate_timers_del(&prober->timers, &prober->heartbeat_timer);

    if (prober->publish_event.posted) {
        ngx_delete_posted_event(&prober->publish_event);
    }
}


static void
ngx_gate_prober_publish_handler(ngx_event_t *ev)
{
    ngx_uint_t          i;
    ngx_gate_prober_t  *prober;

    prober = ngx_queue_data(ev, ngx_gate_prober_t, publish_event);

    if (!ngx_gate_writer_owns(&prober->writer)) {
        ngx_gate_prober_lost_zone(prober);
        return;
    }

    for (i = 0; i < prober->nrunners; i++) {
        ngx_gate_runner_publish(&prober->runners[i]);
    }

    if (ngx_gate_notices_acknowledge(prober)
        + ngx_gate_orders_acknowledge(prober))
    {
        ngx_gate_wake_send(prober->log);
    }
}


/*
 * Something was put into a mailbox, published, or requested.  Without this
 * event, it is received with the next heartbeat.
 */

static void
ngx_gate_prober_wake_handler(ngx_gate_wake_t *wake)
{
    ngx_gate_prober_t  *prober;

    prober = ngx_queue_data(wake, ngx_gate_prober_t, wake);

    ngx_gate_notices_wake(prober);
    ngx_gate_orders_receive(prober);
    ngx_gate_trigger_wake(prober);
}


static ngx_uint_t
ngx_gate_prober_has_events(ngx_gate_prober_t *prober)
{
    ngx_uint_t  i;

    for (i = 0; i < prober->nrunners; i++) {
        if (prober->runners[i].gate->overrides
            || prober->runners[i].gate->trigger_on_request)
        {
            return 1;
        }
    }

    return prober->notified.nelts != 0;
}


/*
 * An exiting worker continues to probe until it exits, unless there is a
 * newer configuration: its connections may last long, and nginx starts
 * another worker only afterwards.
 *
 * A graceful exit ends when no timer is left that is not cancelable; timers
 * of probes are cancelable.  But requests may be held at our gates, in this
 * worker and in others, and need a prober to open the gates.
 * ngx_close_idle_connections() calls the handlers of idle connections at the
 * start of a graceful exit, so an idle connection without a socket receives
 * this event.  After worker_shutdown_timeout, the handler is called again,
 * with the error flag.
 */

static void
ngx_gate_prober_watch_exit(ngx_gate_prober_t *prober)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(0, prober->log);

    if (c == NULL) {
        /* requests that are held when this worker exits are not released */
        return;
    }

    c->fd = NGX_GATE_PROBER_NO_SOCKET;
    c->idle = 1;
    c->data = prober;
    c->log = prober->log;

    c->read->log = prober->log;
    c->write->log = prober->log;

    c->read->handler = ngx_gate_prober_exit_handler;
    c->write->handler = ngx_gate_prober_exit_handler;

    prober->exit_connection = c;
}


static void
ngx_gate_prober_unwatch_exit(ngx_gate_prober_t *prober)
{
    ngx_connection_t  *c;

    c = prober->exit_connection;

    if (c == NULL) {
        return;
    }

    prober->exit_connection = NULL;

    c->idle = 0;

    /* some event methods index connections by descriptor */

    c->fd = 0;
    ngx_free_connection(c);

    c->fd = (ngx_socket_t) -1;
}


static void
ngx_gate_prober_exit_handler(ngx_event_t *ev)
{
    ngx_connection_t   *c;
    ngx_gate_prober_t  *prober;

    c = ev->data;
    prober = c->data;

    c->idle = 0;

    if (c->error) {
        ngx_gate_prober_stop(prober);
        return;
    }

    prober->exiting = 1;

    ngx_gate_prober_drain_handler(&prober->drain_event);
}


static void
ngx_gate_prober_drain_handler(ngx_event_t *ev)
{
    ngx_gate_prober_t  *prober;

    prober = ngx_queue_data(ev, ngx_gate_prober_t, drain_event);

    if (!prober->active || !ngx_gate_writer_owns(&prober->writer)) {
        ngx_gate_prober_stop(prober);
        return;
    }

    if (ngx_gate_stats_waiting(prober->stats, prober->zone->id)) {
        ngx_add_timer(ev, NGX_GATE_PROBER_DRAIN);
        return;
    }

    if (prober->stats->generation != prober->generation) {
        ngx_gate_prober_stop(prober);
    }
}
