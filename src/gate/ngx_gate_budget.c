
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The limit of probes in flight; see ngx_gate_budget.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_budget.h>
#include <ngx_gate_servers.h>


#define NGX_GATE_BUDGET_MIN      4
#define NGX_GATE_BUDGET_TIME     1    /* ms in an iteration of the event loop */

#define NGX_GATE_BUDGET_WAITING  1
#define NGX_GATE_BUDGET_IN_USE   2


static ngx_uint_t ngx_gate_budget_limit(ngx_uint_t connections);
static void ngx_gate_budget_handler(ngx_event_t *ev);


/* per process, as the event loop */

static ngx_queue_t  ngx_gate_budget_waiting = {
    &ngx_gate_budget_waiting, &ngx_gate_budget_waiting
};

static ngx_uint_t   ngx_gate_budget_in_use;
static ngx_event_t  ngx_gate_budget_event;


void
ngx_gate_budget_warn(ngx_cycle_t *cycle, ngx_array_t *gates)
{
    ngx_uint_t         i, n, probes, limit;
    ngx_gate_t        *gate;
    ngx_gate_check_t  *check;

    probes = 0;
    gate = gates->elts;

    for (i = 0; i < gates->nelts; i++) {
        for (n = 0; n < gate[i].checks.nelts; n++) {
            check = ngx_gate_check_at(&gate[i], n);

            probes += check->servers ? check->servers->configured
                                     : check->type->connects;
        }
    }

    limit = ngx_gate_budget_limit(cycle->connection_n);

    if (probes > limit) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "%ui probes open connections, but at most %ui of %ui "
                      "worker_connections are used for probes at the same "
                      "time: the other probes wait", probes, limit,
                      cycle->connection_n);
    }
}


static ngx_uint_t
ngx_gate_budget_limit(ngx_uint_t connections)
{
    return ngx_max(connections / 4, NGX_GATE_BUDGET_MIN);
}


ngx_int_t
ngx_gate_budget_acquire(ngx_gate_budget_use_t *use)
{
    if (use->state == NGX_GATE_BUDGET_IN_USE) {
        return NGX_OK;
    }

    if (use->state == NGX_GATE_BUDGET_WAITING) {
        return NGX_AGAIN;
    }

    if (ngx_queue_empty(&ngx_gate_budget_waiting)
        && ngx_gate_budget_in_use
           < ngx_gate_budget_limit(ngx_cycle->connection_n))
    {
        use->state = NGX_GATE_BUDGET_IN_USE;
        ngx_gate_budget_in_use++;
        return NGX_OK;
    }

    use->state = NGX_GATE_BUDGET_WAITING;
    ngx_queue_insert_tail(&ngx_gate_budget_waiting, &use->queue);

    return NGX_AGAIN;
}


void
ngx_gate_budget_release(ngx_gate_budget_use_t *use)
{
    ngx_event_t  *ev;

    if (use->state == NGX_GATE_BUDGET_WAITING) {
        ngx_queue_remove(&use->queue);

    } else if (use->state == NGX_GATE_BUDGET_IN_USE) {
        ngx_gate_budget_in_use--;
    }

    use->state = 0;

    if (ngx_queue_empty(&ngx_gate_budget_waiting)) {
        return;
    }

    /*
     * not called from within the end of a probe: the next one may end at once
     */

    ev = &ngx_gate_budget_event;

    if (!ev->posted) {
        ngx_gate_event_init(ev, ngx_gate_budget_handler, ngx_cycle->log);
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


static void
ngx_gate_budget_handler(ngx_event_t *ev)
{
    ngx_msec_t              start;
    ngx_uint_t              limit;
    ngx_queue_t            *q;
    ngx_gate_budget_use_t  *use;

    limit = ngx_gate_budget_limit(ngx_cycle->connection_n);
    start = ngx_current_msec;

    while (!ngx_queue_empty(&ngx_gate_budget_waiting)
           && ngx_gate_budget_in_use < limit)
    {
        if (ngx_current_msec - start >= NGX_GATE_BUDGET_TIME) {
            ngx_post_event(ev, &ngx_posted_next_events);
            return;
        }

        q = ngx_queue_head(&ngx_gate_budget_waiting);
        ngx_queue_remove(q);

        use = ngx_queue_data(q, ngx_gate_budget_use_t, queue);

        use->state = NGX_GATE_BUDGET_IN_USE;
        ngx_gate_budget_in_use++;

        use->handler(use);

        ngx_time_update();
    }
}
