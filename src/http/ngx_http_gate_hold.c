
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Held requests.  Each is in a queue until ngx_http_gate_hold_dequeue(), and
 * has a timer, which delays the exit of the worker as for any active request.
 * A change of a gate is noticed by an eventfd, see ngx_gate_wake.h, or
 * without it by polling one word of shared memory.
 */


#include <ngx_http_gate_upstream.h>


/* polling time without eventfd; with it, in case a prober has died */

#define NGX_HTTP_GATE_HOLD_POLL   10
#define NGX_HTTP_GATE_HOLD_WATCH  100

/* limit of requests resumed in one iteration of the event loop */

#define NGX_HTTP_GATE_HOLD_BATCH  128


static ngx_uint_t ngx_http_gate_hold_is_allowed(
    ngx_http_gate_main_conf_t *gmcf, ngx_http_gate_loc_conf_t *glcf,
    ngx_gate_t *gate);
static void ngx_http_gate_hold_enqueue(ngx_http_gate_main_conf_t *gmcf,
    ngx_http_gate_ctx_t *ctx, ngx_msec_t time_left);
static void ngx_http_gate_hold_dequeue(ngx_http_gate_ctx_t *ctx);
static void ngx_http_gate_hold_timeout_handler(ngx_event_t *ev);
static void ngx_http_gate_hold_poll_handler(ngx_event_t *ev);
static void ngx_http_gate_hold_wake_handler(ngx_gate_wake_t *wake);
static void ngx_http_gate_hold_end_decided(ngx_http_gate_main_conf_t *gmcf);
static void ngx_http_gate_hold_select_decided(ngx_http_gate_main_conf_t *gmcf,
    ngx_uint_t all);
static ngx_uint_t ngx_http_gate_hold_is_decided(ngx_http_gate_ctx_t *ctx);
static void ngx_http_gate_hold_end_request(ngx_http_gate_ctx_t *ctx);
static void ngx_http_gate_hold_cleanup(void *data);


static ngx_http_variable_value_t  ngx_http_gate_hold_gone =
    ngx_http_variable("gone");


void
ngx_http_gate_hold_init(ngx_http_gate_main_conf_t *gmcf, ngx_log_t *log)
{
    ngx_queue_init(&gmcf->held_queue);
    ngx_queue_init(&gmcf->decided_queue);
    ngx_queue_init(&gmcf->wait_queue);
    ngx_queue_init(&gmcf->over_queue);
    ngx_gate_event_init(&gmcf->poll_event, ngx_http_gate_hold_poll_handler,
                        log);

    gmcf->wake.handler = ngx_http_gate_hold_wake_handler;

    /* changes of servers apply to requests that are not held, too */

    if (gmcf->servers.nelts) {
        (void) ngx_gate_wake_listen(&gmcf->wake, log);
    }
}


/* resumes or refuses all held requests */

void
ngx_http_gate_hold_end_all(ngx_http_gate_main_conf_t *gmcf)
{
    while (gmcf->nheld) {
        ngx_http_gate_hold_select_decided(gmcf, 1);
        ngx_http_gate_hold_end_decided(gmcf);
    }

    ngx_http_gate_wait_end_all(gmcf);

    if (gmcf->poll_event.timer_set) {
        ngx_del_timer(&gmcf->poll_event);
    }

    if (gmcf->poll_event.posted) {
        ngx_delete_posted_event(&gmcf->poll_event);
    }
}


/*
 * The time that the request may still wait: while the gate is starting, the
 * time for the first verdicts; otherwise the time of init_hold; at most the
 * time that the client prefers.
 */

ngx_msec_int_t
ngx_http_gate_hold_time_left(ngx_http_request_t *r, ngx_http_gate_ctx_t *ctx,
    ngx_gate_t *gate)
{
    ngx_int_t                  wait;
    ngx_msec_int_t             time_left, start;
    ngx_gate_record_t         *record;
    ngx_http_gate_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    time_left = (ngx_msec_int_t) (ctx->start_msec + glcf->hold
                                  - ngx_current_msec);

    record = ngx_gate_zone_published(gate->shared);

    if (record->latch.state == NGX_GATE_STATE_STARTING) {
        start = (ngx_msec_int_t) (record->started_msec + NGX_GATE_START_WAIT
                                  - ngx_current_msec);
        time_left = ngx_max(time_left, start);
    }

    if (time_left <= 0) {
        return time_left;
    }

    wait = ngx_http_gate_prefer_wait(r);

    if (wait != NGX_DECLINED) {
        time_left = ngx_min(time_left, (ngx_msec_int_t)
                                       (ctx->start_msec + wait * 1000
                                        - ngx_current_msec));
    }

    return time_left;
}


/* NGX_DECLINED: too many requests are held */

ngx_int_t
ngx_http_gate_hold_request(ngx_http_request_t *r, ngx_http_gate_ctx_t *ctx,
    ngx_msec_t time_left)
{
    ngx_http_cleanup_t         *cln;
    ngx_http_gate_loc_conf_t   *glcf;
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_init_gate_module);
    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    if (!ngx_http_gate_hold_is_allowed(gmcf, glcf, ctx->gate)) {
        return NGX_DECLINED;
    }

    if (ctx->entry == NULL) {
        ctx->entry = ngx_pcalloc(r->pool, sizeof(ngx_http_gate_held_t));
        if (ctx->entry == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->entry->ctx = ctx;
    }

    cln = ngx_http_cleanup_add(r, 0);

    if (cln == NULL || ngx_http_gate_ctx_save(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->connection->read->ready) {

        /* the client may have closed the connection; there is no other event */

        ngx_post_event(r->connection->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_gate_hold_cleanup;
    cln->data = ctx;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "init gate \"%V\" holds for %M ms", &ctx->gate->name,
                   time_left);

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_gate_hold_enqueue(gmcf, ctx, time_left);

    return NGX_AGAIN;
}


static void
ngx_http_gate_hold_enqueue(ngx_http_gate_main_conf_t *gmcf,
    ngx_http_gate_ctx_t *ctx, ngx_msec_t time_left)
{
    ngx_connection_t  *c;

    c = ctx->request->connection;

    ctx->entry->timer.handler = ngx_http_gate_hold_timeout_handler;
    ctx->entry->timer.data = c;
    ctx->entry->timer.log = c->log;

    ngx_add_timer(&ctx->entry->timer, time_left);

    ctx->queued = 1;
    ctx->was_held = 1;

    ngx_queue_insert_tail(&gmcf->held_queue, &ctx->entry->queue);
    gmcf->nheld++;

    (void) ngx_atomic_fetch_add(&ctx->gate->counters->held, 1);
    (void) ngx_atomic_fetch_add(&gmcf->core->process->waiting, 1);

    ngx_http_gate_hold_watch(gmcf);
}


/* there is a request that is held, or waits */

void
ngx_http_gate_hold_watch(ngx_http_gate_main_conf_t *gmcf)
{
    ngx_gate_zone_t  *zone;

    if (gmcf->poll_event.timer_set || gmcf->poll_event.posted) {
        return;
    }

    /* there was none: the last change may be a fresh one */

    zone = gmcf->core->zone->data;
    gmcf->seen_changes = zone->changes - 1;

    (void) ngx_gate_wake_listen(&gmcf->wake, gmcf->poll_event.log);

    ngx_post_event(&gmcf->poll_event, &ngx_posted_events);
}


static ngx_uint_t
ngx_http_gate_hold_is_allowed(ngx_http_gate_main_conf_t *gmcf,
    ngx_http_gate_loc_conf_t *glcf, ngx_gate_t *gate)
{
    ngx_uint_t  max;

    if (gmcf->core->process == NULL) {
        return 0;
    }

    max = glcf->hold_max ? glcf->hold_max : ngx_cycle->connection_n / 4;

    if (gmcf->nheld >= max) {
        return 0;
    }

    /* leaves connections for probes */

    if (ngx_cycle->free_connection_n < ngx_cycle->connection_n / 8) {
        return 0;
    }

    /* the gates of an old configuration have no prober any more */

    if (ngx_exiting && ngx_gate_writer_pid(gmcf->core->zone->data) == 0) {
        return 0;
    }

    return 1;
}


/* every hold ends here; the caller resumes or refuses the request */

static void
ngx_http_gate_hold_dequeue(ngx_http_gate_ctx_t *ctx)
{
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(ctx->request,
                                         ngx_http_init_gate_module);

    ctx->queued = 0;
    ctx->held_msec = ngx_current_msec - ctx->start_msec;

    if (ctx->entry->timer.timer_set) {
        ngx_del_timer(&ctx->entry->timer);
    }

    ngx_queue_remove(&ctx->entry->queue);
    gmcf->nheld--;

    (void) ngx_atomic_fetch_add(&ctx->gate->counters->held, -1);
    (void) ngx_atomic_fetch_add(&gmcf->core->process->waiting, -1);
}


static void
ngx_http_gate_hold_timeout_handler(ngx_event_t *ev)
{
    ngx_http_gate_held_t  *entry;

    entry = ngx_queue_data(ev, ngx_http_gate_held_t, timer);

    ngx_http_gate_hold_end_request(entry->ctx);
}


/*
 * After a change, requests that are decided move to a separate list, which is
 * processed in batches: resuming one request may end others.
 *
 * The gates of an old configuration are abandoned if the worker that probed
 * them has died, or has exited before it could notice that requests wait.
 * Such requests are not held any longer.
 */

static void
ngx_http_gate_hold_poll_handler(ngx_event_t *ev)
{
    ngx_uint_t                  more, abandoned;
    ngx_gate_zone_t            *zone;
    ngx_atomic_uint_t           changes;
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_queue_data(ev, ngx_http_gate_main_conf_t, poll_event);

    ngx_http_gate_upstream_follow(gmcf);

    zone = gmcf->core->zone->data;

    changes = zone->changes;
    ngx_memory_barrier();

    abandoned = ngx_exiting && !ngx_gate_writer_is_alive(zone);

    if (changes != gmcf->seen_changes || abandoned) {
        gmcf->seen_changes = changes;
        ngx_http_gate_hold_select_decided(gmcf, abandoned);
    }

    ngx_http_gate_hold_end_decided(gmcf);

    more = ngx_http_gate_wait_look(gmcf);

    if (more || !ngx_queue_empty(&gmcf->decided_queue)) {
        ngx_post_event(ev, &ngx_posted_next_events);

    } else if (gmcf->nheld || gmcf->nwaits) {
        ngx_add_timer(ev, gmcf->wake.listening ? NGX_HTTP_GATE_HOLD_WATCH
                                               : NGX_HTTP_GATE_HOLD_POLL);
    }
}


static void
ngx_http_gate_hold_wake_handler(ngx_gate_wake_t *wake)
{
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_queue_data(wake, ngx_http_gate_main_conf_t, wake);

    if (gmcf->poll_event.timer_set) {
        ngx_del_timer(&gmcf->poll_event);
    }

    ngx_http_gate_hold_poll_handler(&gmcf->poll_event);
}


static void
ngx_http_gate_hold_end_decided(ngx_http_gate_main_conf_t *gmcf)
{
    ngx_uint_t             n;
    ngx_http_gate_held_t  *entry;

    for (n = 0; n < NGX_HTTP_GATE_HOLD_BATCH; n++) {

        if (ngx_queue_empty(&gmcf->decided_queue)) {
            break;
        }

        entry = ngx_queue_data(ngx_queue_head(&gmcf->decided_queue),
                               ngx_http_gate_held_t, queue);

        ngx_http_gate_hold_end_request(entry->ctx);
    }
}


static void
ngx_http_gate_hold_select_decided(ngx_http_gate_main_conf_t *gmcf,
    ngx_uint_t all)
{
    ngx_queue_t           *q, *next;
    ngx_http_gate_held_t  *entry;

    for (q = ngx_queue_head(&gmcf->held_queue);
         q != ngx_queue_sentinel(&gmcf->held_queue);
         q = next)
    {
        next = ngx_queue_next(q);
        entry = ngx_queue_data(q, ngx_http_gate_held_t, queue);

        if (all || ngx_http_gate_hold_is_decided(entry->ctx)) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&gmcf->decided_queue, q);
        }
    }
}


/* a request that is not decided has waited for the first verdicts so far */

static ngx_uint_t
ngx_http_gate_hold_is_decided(ngx_http_gate_ctx_t *ctx)
{
    ngx_gate_t                *gate;
    ngx_msec_int_t             time_left;
    ngx_http_request_t        *r;
    ngx_http_gate_loc_conf_t  *glcf;

    r = ctx->request;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    gate = ngx_http_gate_closed_find(glcf->gates);

    if (gate == NULL) {
        return 1;
    }

    time_left = ngx_http_gate_hold_time_left(r, ctx, gate);

    if (time_left <= 0) {
        return 1;
    }

    ngx_del_timer(&ctx->entry->timer);
    ngx_add_timer(&ctx->entry->timer, (ngx_msec_t) time_left);

    return 0;
}


static void
ngx_http_gate_hold_end_request(ngx_http_gate_ctx_t *ctx)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ngx_http_gate_hold_dequeue(ctx);

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);

    } else {
        r->read_event_handler = ngx_http_block_reading;
        r->write_event_handler = ngx_http_core_run_phases;

        ngx_http_gate_closed_resume(ctx);
    }

    ngx_http_run_posted_requests(c);
}


/*
 * the client of a held request has closed the connection; runs before logging
 */

static void
ngx_http_gate_hold_cleanup(void *data)
{
    ngx_http_gate_ctx_t *ctx = data;

    ngx_http_request_t        *r;
    ngx_http_gate_loc_conf_t  *glcf;

    if (!ctx->queued) {
        return;
    }

    r = ctx->request;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    ngx_http_gate_hold_dequeue(ctx);

    if (r->internal) {
        ngx_http_gate_count_withdraw(r, ctx, glcf);
    }

    r->variables[glcf->decision] = ngx_http_gate_hold_gone;

    (void) ngx_atomic_fetch_add(&ctx->gate->counters->gone, 1);
}
