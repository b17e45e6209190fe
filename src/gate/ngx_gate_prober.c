
/*
 * The worker that probes: claims the zone, and starts the runners of all gates;
 * stops them when a newer worker takes over, or this one exits; see
 * ngx_gate_prober.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_record.h>
#include <ngx_gate_prober.h>


#define NGX_GATE_PROBER_RETRY_WRITING  10
#define NGX_GATE_PROBER_RETRY_BUSY     100
#define NGX_GATE_PROBER_CLAIMS_MAX     100    /* then a write has broken off */
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

    /* the time of the master process, from whenever it had something to do */

    ngx_time_update();

    ngx_gate_prober_heartbeat_handler(&prober->heartbeat_timer);

    return prober;
}


/* what is needed to probe: a worker that stands by mostly never does */

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

    ngx_gate_writer_touch(&prober->writer, ngx_gate_prober_is_idle(prober));

    if (!prober->zone->idle) {
        ngx_gate_timers_add(&prober->timers, timer, NGX_GATE_WRITER_HEARTBEAT);
    }
}


static ngx_uint_t
ngx_gate_prober_is_idle(ngx_gate_prober_t *prober)
{
    ngx_uint_t  i;

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

    for (i = 0; i < prober->nrunners; i++) {
        ngx_gate_runner_start(&prober->runners[i]);
    }

    return NGX_OK;
}


/*
 * Whether the owner has had no heartbeat for so long, by the time that this
 * process could see it: after a pause of all processes nobody hangs.
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
 * Before any store to shared memory.  A prober that has lost the zone to a
 * newer generation is deactivated, but not from within ngx_gate_probe_end().
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


/* for good, unless the owner is of our own generation, and dies */

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
}


/*
 * A worker that is about to exit probes until it does, unless there is a newer
 * configuration: its connections may last for long, and nginx starts another
 * worker only afterwards.
 *
 * A graceful exit is over as soon as no timer is left that matters, and ours
 * do not.  But requests may wait at our gates, in other workers as well as in
 * this one, and somebody has to open them.  nginx tells the owners of idle
 * connections first of all that it is about to exit, so one such connection,
 * without a socket, is the place to think of that.  After the time of
 * worker_shutdown_timeout nginx tells it again, as an error.
 */

static void
ngx_gate_prober_watch_exit(ngx_gate_prober_t *prober)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(0, prober->log);

    if (c == NULL) {
        /* requests that wait when we exit will wait in vain */
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

    /* some event methods keep connections by their descriptor */

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
