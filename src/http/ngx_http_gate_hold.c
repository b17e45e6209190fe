
/*
 * Requests that wait.  Each has a timer of its own for the end of its
 * patience, which keeps the worker from exiting as any request in flight
 * does.  That a gate has changed is noticed by looking at one word of shared
 * memory every few milliseconds, while somebody waits.
 */


#include <ngx_http_gate.h>


#define NGX_HTTP_GATE_POLL   10

/* requests resumed at a time, before nginx serves anybody else */

#define NGX_HTTP_GATE_BATCH  128


static ngx_uint_t ngx_http_gate_may_hold(ngx_http_gate_main_conf_t *gmcf,
    ngx_http_gate_loc_conf_t *glcf, ngx_gate_t *gate);
static void ngx_http_gate_enqueue(ngx_http_gate_main_conf_t *gmcf,
    ngx_http_gate_ctx_t *ctx, ngx_msec_t patience);
static void ngx_http_gate_timeout(ngx_event_t *ev);
static void ngx_http_gate_poll(ngx_event_t *ev);
static void ngx_http_gate_work_off(ngx_http_gate_main_conf_t *gmcf);
static void ngx_http_gate_sort(ngx_http_gate_main_conf_t *gmcf,
    ngx_uint_t all);
static ngx_uint_t ngx_http_gate_is_decided(ngx_http_gate_ctx_t *ctx);
static void ngx_http_gate_end(ngx_http_gate_ctx_t *ctx);


void
ngx_http_gate_hold_init(ngx_http_gate_main_conf_t *gmcf, ngx_log_t *log)
{
    ngx_queue_init(&gmcf->held);
    ngx_queue_init(&gmcf->decided);
    ngx_gate_event_init(&gmcf->poll, ngx_http_gate_poll, log);
}


/* whoever waits is answered now */

void
ngx_http_gate_hold_end(ngx_http_gate_main_conf_t *gmcf)
{
    while (gmcf->nheld) {
        ngx_http_gate_sort(gmcf, 1);
        ngx_http_gate_work_off(gmcf);
    }

    if (gmcf->poll.timer_set) {
        ngx_del_timer(&gmcf->poll);
    }

    if (gmcf->poll.posted) {
        ngx_delete_posted_event(&gmcf->poll);
    }
}


/*
 * How long the request may still wait: while the gate is starting, for the
 * first verdicts; otherwise for as long as init_hold says; at most for as long
 * as the client prefers.
 */

ngx_msec_int_t
ngx_http_gate_patience(ngx_http_request_t *r, ngx_http_gate_ctx_t *ctx,
    ngx_gate_t *gate)
{
    ngx_int_t                  wait;
    ngx_msec_int_t             patience, start;
    ngx_gate_record_t         *record;
    ngx_http_gate_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    patience = (ngx_msec_int_t) (ctx->since + glcf->hold - ngx_current_msec);

    record = ngx_gate_zone_published(gate->shared);

    if (record->latch.state == NGX_GATE_STATE_STARTING) {
        start = (ngx_msec_int_t) (record->started_msec + NGX_GATE_START_WAIT
                                  - ngx_current_msec);
        patience = ngx_max(patience, start);
    }

    if (patience <= 0) {
        return patience;
    }

    wait = ngx_http_gate_prefer_wait(r);

    if (wait != NGX_DECLINED) {
        patience = ngx_min(patience, (ngx_msec_int_t)
                                (ctx->since + wait * 1000 - ngx_current_msec));
    }

    return patience;
}


/* NGX_DECLINED: there are too many already */

ngx_int_t
ngx_http_gate_hold(ngx_http_request_t *r, ngx_http_gate_ctx_t *ctx,
    ngx_msec_t patience)
{
    ngx_http_cleanup_t         *cln;
    ngx_http_gate_loc_conf_t   *glcf;
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_init_gate_module);
    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    if (!ngx_http_gate_may_hold(gmcf, glcf, ctx->gate)) {
        return NGX_DECLINED;
    }

    if (ctx->wait == NULL) {
        ctx->wait = ngx_pcalloc(r->pool, sizeof(ngx_http_gate_wait_t));
        if (ctx->wait == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->wait->ctx = ctx;
    }

    cln = ngx_http_cleanup_add(r, 0);

    if (cln == NULL
        || ngx_http_gate_keep_ctx(r, ctx) != NGX_OK
        || ngx_handle_read_event(r->connection->read, 0) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_gate_leave;
    cln->data = ctx;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "init gate \"%V\" holds for %M ms", &ctx->gate->name,
                   patience);

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_gate_enqueue(gmcf, ctx, patience);

    return NGX_AGAIN;
}


static void
ngx_http_gate_enqueue(ngx_http_gate_main_conf_t *gmcf,
    ngx_http_gate_ctx_t *ctx, ngx_msec_t patience)
{
    ngx_connection_t  *c;

    c = ctx->request->connection;

    ctx->wait->timer.handler = ngx_http_gate_timeout;
    ctx->wait->timer.data = c;
    ctx->wait->timer.log = c->log;

    ngx_add_timer(&ctx->wait->timer, patience);

    ctx->waiting = 1;
    ctx->waited = 1;

    ngx_queue_insert_tail(&gmcf->held, &ctx->wait->queue);
    gmcf->nheld++;

    (void) ngx_atomic_fetch_add(&ctx->gate->counters->held, 1);
    (void) ngx_atomic_fetch_add(&gmcf->process->waiting, 1);

    if (!gmcf->poll.timer_set && !gmcf->poll.posted) {

        /* nobody has been looking: the last change may be a fresh one */

        gmcf->seen = ((ngx_gate_zone_t *) gmcf->zone->data)->changes - 1;
        ngx_add_timer(&gmcf->poll, NGX_HTTP_GATE_POLL);
    }
}


static ngx_uint_t
ngx_http_gate_may_hold(ngx_http_gate_main_conf_t *gmcf,
    ngx_http_gate_loc_conf_t *glcf, ngx_gate_t *gate)
{
    ngx_uint_t  max;

    if (gmcf->process == NULL) {
        return 0;
    }

    max = glcf->hold_max ? glcf->hold_max : ngx_cycle->connection_n / 4;

    if (gmcf->nheld >= max) {
        return 0;
    }

    /* probes need connections, too */

    if (ngx_cycle->free_connection_n < ngx_cycle->connection_n / 8) {
        return 0;
    }

    /* nobody would open the gates of an old configuration any more */

    if (ngx_exiting && ngx_gate_writer_pid(gmcf->zone->data) == 0) {
        return 0;
    }

    return 1;
}


/* takes the request off the list; whoever calls this decides about it */

void
ngx_http_gate_release(ngx_http_gate_ctx_t *ctx)
{
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(ctx->request,
                                         ngx_http_init_gate_module);

    ctx->waiting = 0;
    ctx->held = ngx_current_msec - ctx->since;

    if (ctx->wait->timer.timer_set) {
        ngx_del_timer(&ctx->wait->timer);
    }

    ngx_queue_remove(&ctx->wait->queue);
    gmcf->nheld--;

    (void) ngx_atomic_fetch_add(&ctx->gate->counters->held, -1);
    (void) ngx_atomic_fetch_add(&gmcf->process->waiting, -1);
}


static void
ngx_http_gate_timeout(ngx_event_t *ev)
{
    ngx_http_gate_wait_t  *wait;

    wait = ngx_queue_data(ev, ngx_http_gate_wait_t, timer);

    ngx_http_gate_end(wait->ctx);
}


/*
 * After a change, those for whom it decides move to a list of their own,
 * which is worked off in batches: resuming one may end others, too.
 *
 * The gates of an old configuration are abandoned when the worker that probed
 * them has died, or was gone before it could know that somebody waits.  Then
 * waiting is of no use.
 */

static void
ngx_http_gate_poll(ngx_event_t *ev)
{
    ngx_uint_t                  abandoned;
    ngx_gate_zone_t            *zone;
    ngx_atomic_uint_t           changes;
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_queue_data(ev, ngx_http_gate_main_conf_t, poll);

    zone = gmcf->zone->data;

    changes = zone->changes;
    ngx_memory_barrier();

    abandoned = ngx_exiting && !ngx_gate_writer_is_alive(zone);

    if (changes != gmcf->seen || abandoned) {
        gmcf->seen = changes;
        ngx_http_gate_sort(gmcf, abandoned);
    }

    ngx_http_gate_work_off(gmcf);

    if (!ngx_queue_empty(&gmcf->decided)) {
        ngx_post_event(ev, &ngx_posted_next_events);

    } else if (!ngx_queue_empty(&gmcf->held)) {
        ngx_add_timer(ev, NGX_HTTP_GATE_POLL);
    }
}


static void
ngx_http_gate_work_off(ngx_http_gate_main_conf_t *gmcf)
{
    ngx_uint_t             n;
    ngx_http_gate_wait_t  *wait;

    for (n = 0; n < NGX_HTTP_GATE_BATCH; n++) {

        if (ngx_queue_empty(&gmcf->decided)) {
            break;
        }

        wait = ngx_queue_data(ngx_queue_head(&gmcf->decided),
                              ngx_http_gate_wait_t, queue);

        ngx_http_gate_end(wait->ctx);
    }
}


static void
ngx_http_gate_sort(ngx_http_gate_main_conf_t *gmcf, ngx_uint_t all)
{
    ngx_queue_t           *q, *next;
    ngx_http_gate_wait_t  *wait;

    for (q = ngx_queue_head(&gmcf->held);
         q != ngx_queue_sentinel(&gmcf->held);
         q = next)
    {
        next = ngx_queue_next(q);
        wait = ngx_queue_data(q, ngx_http_gate_wait_t, queue);

        if (all || ngx_http_gate_is_decided(wait->ctx)) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&gmcf->decided, q);
        }
    }
}


/* one that is not has mostly waited for the first verdicts so far */

static ngx_uint_t
ngx_http_gate_is_decided(ngx_http_gate_ctx_t *ctx)
{
    ngx_gate_t                *gate;
    ngx_msec_int_t             patience;
    ngx_http_request_t        *r;
    ngx_http_gate_loc_conf_t  *glcf;

    r = ctx->request;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    gate = ngx_http_gate_closed(glcf->gates);

    if (gate == NULL) {
        return 1;
    }

    patience = ngx_http_gate_patience(r, ctx, gate);

    if (patience <= 0) {
        return 1;
    }

    ngx_del_timer(&ctx->wait->timer);
    ngx_add_timer(&ctx->wait->timer, (ngx_msec_t) patience);

    return 0;
}


static void
ngx_http_gate_end(ngx_http_gate_ctx_t *ctx)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ngx_http_gate_release(ctx);

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);

    } else {
        r->read_event_handler = ngx_http_block_reading;
        r->write_event_handler = ngx_http_core_run_phases;

        ngx_http_gate_resume(ctx);
    }

    ngx_http_run_posted_requests(c);
}
