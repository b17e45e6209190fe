
/*
 * The worker that probes: it owns the shared memory, runs checks in time, and
 * lets go when it is superseded or exits; see ngx_gate_schedule.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_record.h>
#include <ngx_gate_schedule.h>


#define NGX_GATE_CLAIM_AGAIN  10
#define NGX_GATE_CLAIM_LATER  100
#define NGX_GATE_CLAIMS       100    /* then a write has surely been broken */
#define NGX_GATE_LINGER       20

#define NGX_GATE_NO_SOCKET    ((ngx_socket_t) -2)


static void ngx_gate_schedule_beat(ngx_gate_timer_t *timer);
static ngx_uint_t ngx_gate_schedule_is_idle(ngx_gate_schedule_t *schedule);
static ngx_int_t ngx_gate_schedule_wake(ngx_gate_schedule_t *schedule);
static void ngx_gate_schedule_lost(ngx_gate_schedule_t *schedule);
static void ngx_gate_schedule_sleep(ngx_gate_schedule_t *schedule);
static void ngx_gate_schedule_turn(ngx_event_t *ev);
static void ngx_gate_schedule_watch(ngx_gate_schedule_t *schedule);
static void ngx_gate_schedule_exiting(ngx_event_t *ev);
static void ngx_gate_schedule_unwatch(ngx_gate_schedule_t *schedule);
static void ngx_gate_schedule_linger(ngx_event_t *ev);

static void ngx_gate_run_handler(ngx_gate_timer_t *timer);
static void ngx_gate_run_start(ngx_gate_run_t *run);
static void ngx_gate_run_done(ngx_gate_probe_t *probe);
static void ngx_gate_run_timeout(ngx_gate_run_t *run);
static u_char *ngx_gate_run_log(ngx_log_t *log, u_char *buf, size_t len);
static uint64_t ngx_gate_monotonic(void);


ngx_gate_schedule_t *
ngx_gate_schedule_start(ngx_cycle_t *cycle, ngx_array_t *gates,
    ngx_gate_zone_t *zone, ngx_gate_stats_t *stats, ngx_uint_t generation,
    ngx_resolver_t *resolver)
{
    ngx_uint_t            i;
    ngx_gate_t           *gate;
    ngx_pool_t           *pool;
    ngx_gate_schedule_t  *schedule;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    schedule = ngx_pcalloc(pool, sizeof(ngx_gate_schedule_t));
    if (schedule == NULL) {
        goto failed;
    }

    schedule->pool = pool;
    schedule->log = cycle->log;
    schedule->zone = zone;
    schedule->stats = stats;
    schedule->resolver = resolver;

    ngx_gate_writer_init(&schedule->writer, zone, generation);

    schedule->nkeepers = gates->nelts;
    schedule->keepers = ngx_pcalloc(pool,
                                gates->nelts * sizeof(ngx_gate_keeper_t));
    if (schedule->keepers == NULL) {
        goto failed;
    }

    gate = gates->elts;

    for (i = 0; i < gates->nelts; i++) {
        if (ngx_gate_keeper_init(&schedule->keepers[i], &gate[i], schedule)
            != NGX_OK)
        {
            goto failed;
        }
    }

    ngx_gate_timers_init(&schedule->timers, schedule->log);

    schedule->beat.handler = ngx_gate_schedule_beat;

    ngx_gate_event_init(&schedule->turn, ngx_gate_schedule_turn,
                        schedule->log);
    ngx_gate_event_init(&schedule->linger, ngx_gate_schedule_linger,
                        schedule->log);

    schedule->linger.cancelable = 0;

    ngx_gate_schedule_watch(schedule);
    ngx_gate_schedule_beat(&schedule->beat);

    return schedule;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


void
ngx_gate_schedule_stop(ngx_gate_schedule_t *schedule)
{
    ngx_gate_schedule_unwatch(schedule);

    if (schedule->linger.timer_set) {
        ngx_del_timer(&schedule->linger);
    }

    ngx_gate_schedule_sleep(schedule);

    ngx_gate_writer_release(&schedule->writer);
}


static void
ngx_gate_schedule_beat(ngx_gate_timer_t *timer)
{
    ngx_uint_t            i;
    ngx_gate_schedule_t  *schedule;

    schedule = ngx_rbtree_data(timer, ngx_gate_schedule_t, beat);

    if (!schedule->awake && ngx_gate_schedule_wake(schedule) != NGX_OK) {
        return;
    }

    if (!ngx_gate_writer_owns(&schedule->writer)) {
        ngx_gate_schedule_lost(schedule);
        return;
    }

    for (i = 0; i < schedule->nkeepers; i++) {
        ngx_gate_keeper_remind(&schedule->keepers[i]);
    }

    ngx_gate_writer_touch(schedule->zone, ngx_gate_schedule_is_idle(schedule));

    if (!schedule->zone->idle) {
        ngx_gate_timers_add(&schedule->timers, timer,
                            NGX_GATE_WRITER_HEARTBEAT);
    }
}


static ngx_uint_t
ngx_gate_schedule_is_idle(ngx_gate_schedule_t *schedule)
{
    ngx_uint_t  i;

    for (i = 0; i < schedule->nkeepers; i++) {
        if (!ngx_gate_keeper_is_idle(&schedule->keepers[i])) {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_gate_schedule_wake(ngx_gate_schedule_t *schedule)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    rc = ngx_gate_writer_claim(&schedule->writer,
                               schedule->claims > NGX_GATE_CLAIMS);
    switch (rc) {

    case NGX_OK:
        break;

    case NGX_AGAIN:
        schedule->claims++;
        ngx_gate_timers_add(&schedule->timers, &schedule->beat,
                            NGX_GATE_CLAIM_AGAIN);
        return rc;

    case NGX_BUSY:
        ngx_gate_timers_add(&schedule->timers, &schedule->beat,
                            NGX_GATE_CLAIM_LATER);
        return rc;

    default: /* NGX_DECLINED */
        ngx_log_error(NGX_LOG_INFO, schedule->log, 0,
                      "init gates are probed by a newer worker process");
        return rc;
    }

    schedule->awake = 1;
    schedule->claims = 0;

    ngx_gate_writer_touch(schedule->zone, 0);

    for (i = 0; i < schedule->nkeepers; i++) {
        ngx_gate_keeper_wake(&schedule->keepers[i]);
    }

    return NGX_OK;
}


/*
 * Before any store to shared memory.  Whoever has lost the zone to a newer
 * generation goes to sleep, though not from within a probe's last call.
 */

ngx_int_t
ngx_gate_schedule_write_begin(ngx_gate_schedule_t *schedule)
{
    if (ngx_gate_writer_write_begin(&schedule->writer) == NGX_OK) {
        return NGX_OK;
    }

    ngx_post_event(&schedule->turn, &ngx_posted_events);

    return NGX_DECLINED;
}


/* for good, unless it is one of our own generation, who may die */

static void
ngx_gate_schedule_lost(ngx_gate_schedule_t *schedule)
{
    ngx_gate_schedule_sleep(schedule);

    ngx_gate_timers_add(&schedule->timers, &schedule->beat,
                           NGX_GATE_CLAIM_LATER);
}


static void
ngx_gate_schedule_sleep(ngx_gate_schedule_t *schedule)
{
    ngx_uint_t  i;

    schedule->awake = 0;

    for (i = 0; i < schedule->nkeepers; i++) {
        ngx_gate_keeper_sleep(&schedule->keepers[i]);
    }

    ngx_gate_timers_del(&schedule->timers, &schedule->beat);

    if (schedule->turn.posted) {
        ngx_delete_posted_event(&schedule->turn);
    }
}


static void
ngx_gate_schedule_turn(ngx_event_t *ev)
{
    ngx_uint_t            i;
    ngx_gate_schedule_t  *schedule;

    schedule = ngx_queue_data(ev, ngx_gate_schedule_t, turn);

    if (!ngx_gate_writer_owns(&schedule->writer)) {
        ngx_gate_schedule_lost(schedule);
        return;
    }

    for (i = 0; i < schedule->nkeepers; i++) {
        ngx_gate_keeper_turn(&schedule->keepers[i]);
    }
}


/*
 * A graceful exit is over as soon as no timer is left that matters, and ours
 * do not.  But requests may wait at our gates, in other workers as well as in
 * this one, and somebody has to open them.  nginx tells the owners of idle
 * connections first of all that it is about to exit, so one such connection,
 * without a socket, is the place to think of that.  After the time of
 * worker_shutdown_timeout nginx tells it again, as an error.
 */

static void
ngx_gate_schedule_watch(ngx_gate_schedule_t *schedule)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(0, schedule->log);

    if (c == NULL) {
        /* requests that wait when we exit will wait in vain */
        return;
    }

    c->fd = NGX_GATE_NO_SOCKET;
    c->idle = 1;
    c->data = schedule;
    c->log = schedule->log;

    c->read->log = schedule->log;
    c->write->log = schedule->log;

    c->read->handler = ngx_gate_schedule_exiting;
    c->write->handler = ngx_gate_schedule_exiting;

    schedule->watch = c;
}


static void
ngx_gate_schedule_unwatch(ngx_gate_schedule_t *schedule)
{
    ngx_connection_t  *c;

    c = schedule->watch;

    if (c == NULL) {
        return;
    }

    schedule->watch = NULL;

    c->idle = 0;

    /* some event methods keep connections by their descriptor */

    c->fd = 0;
    ngx_free_connection(c);

    c->fd = (ngx_socket_t) -1;
}


static void
ngx_gate_schedule_exiting(ngx_event_t *ev)
{
    ngx_connection_t     *c;
    ngx_gate_schedule_t  *schedule;

    c = ev->data;
    schedule = c->data;

    c->idle = 0;

    if (c->error) {
        ngx_gate_schedule_stop(schedule);
        return;
    }

    ngx_gate_schedule_linger(&schedule->linger);
}


static void
ngx_gate_schedule_linger(ngx_event_t *ev)
{
    ngx_gate_schedule_t  *schedule;

    schedule = ngx_queue_data(ev, ngx_gate_schedule_t, linger);

    if (schedule->awake
        && ngx_gate_writer_owns(&schedule->writer)
        && ngx_gate_stats_waiting(schedule->stats, schedule->zone->id))
    {
        ngx_add_timer(ev, NGX_GATE_LINGER);
        return;
    }

    ngx_gate_schedule_stop(schedule);
}


void
ngx_gate_run_init(ngx_gate_run_t *run, ngx_gate_keeper_t *keeper,
    ngx_gate_check_t *check, void (*finish)(ngx_gate_run_t *run))
{
    run->keeper = keeper;
    run->finish = finish;

    run->log = *keeper->schedule->log;
    run->log.handler = ngx_gate_run_log;
    run->log.data = run;
    run->log.action = NULL;

    run->probe.check = check;
    run->probe.resolver = keeper->schedule->resolver;
    run->probe.pool = keeper->schedule->pool;
    run->probe.log = &run->log;
    run->probe.done = ngx_gate_run_done;
    run->probe.data = run;

    run->timer.handler = ngx_gate_run_handler;
}


void
ngx_gate_run_at(ngx_gate_run_t *run, ngx_msec_t delay)
{
    ngx_gate_timers_add(&run->keeper->schedule->timers, &run->timer, delay);
}


void
ngx_gate_run_end(ngx_gate_run_t *run)
{
    ngx_gate_timers_del(&run->keeper->schedule->timers, &run->timer);

    run->busy = 0;
    run->probe.check->type->cancel(&run->probe);
}


static void
ngx_gate_run_handler(ngx_gate_timer_t *timer)
{
    ngx_msec_t       delay;
    ngx_gate_run_t  *run;

    run = ngx_rbtree_data(timer, ngx_gate_run_t, timer);

    if (run->busy) {
        ngx_gate_run_timeout(run);
        return;
    }

    delay = run->hold_back ? run->hold_back(run) : 0;

    if (delay) {
        ngx_gate_timers_add(&run->keeper->schedule->timers, timer, delay);
        return;
    }

    ngx_gate_run_start(run);
}


static void
ngx_gate_run_start(ngx_gate_run_t *run)
{
    ngx_gate_probe_t  *probe;

    probe = &run->probe;

    run->busy = 1;
    run->begun = ngx_gate_monotonic();
    run->log.action = NULL;

    probe->deadline = ngx_current_msec + probe->check->timeout;
    probe->result.observed = -1;
    probe->result.expected = -1;

    probe->check->type->start(probe);

    if (run->busy) {
        ngx_gate_run_at(run, probe->check->timeout);
    }
}


static void
ngx_gate_run_done(ngx_gate_probe_t *probe)
{
    uint64_t         duration;
    ngx_gate_run_t  *run;

    run = probe->data;

    ngx_gate_timers_del(&run->keeper->schedule->timers, &run->timer);

    duration = ngx_gate_monotonic() - run->begun;

    run->busy = 0;
    run->duration = (uint32_t) ngx_min(duration, NGX_GATE_DURATION_MAX);
    run->log.action = NULL;

    run->finish(run);
}


static void
ngx_gate_run_timeout(ngx_gate_run_t *run)
{
    char              *action;
    ngx_gate_probe_t  *probe;

    probe = &run->probe;
    action = run->log.action;

    probe->check->type->cancel(probe);

    probe->result.observed = -1;
    probe->result.expected = -1;

    if (action) {
        ngx_gate_probe_end(probe, NGX_GATE_ERROR, NGX_GATE_TIMEOUT,
                           "no answer within %Mms while %s",
                           probe->check->timeout, action);
        return;
    }

    ngx_gate_probe_end(probe, NGX_GATE_ERROR, NGX_GATE_TIMEOUT,
                       "no answer within %Mms", probe->check->timeout);
}


static u_char *
ngx_gate_run_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char          *p;
    ngx_gate_run_t  *run;

    run = log->data;
    p = buf;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= p - buf;
    }

    return ngx_snprintf(p, len, ", check \"%V\" of init gate \"%V\"",
                        &run->probe.check->name, &run->keeper->gate->name);
}


static uint64_t
ngx_gate_monotonic(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
