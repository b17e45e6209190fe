
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Overrides of gates in the prober; see ngx_gate_orders.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_prober.h>
#include <ngx_gate_orders.h>


static void ngx_gate_orders_receive_gate(ngx_gate_runner_t *runner);
static void ngx_gate_orders_recheck(ngx_gate_runner_t *runner);
static void ngx_gate_orders_set_timer(ngx_gate_runner_t *runner);
static void ngx_gate_orders_timer_handler(ngx_gate_timer_t *timer);


void
ngx_gate_orders_start(ngx_gate_prober_t *prober)
{
    ngx_uint_t          i;
    ngx_gate_runner_t  *runner;

    for (i = 0; i < prober->nrunners; i++) {
        runner = &prober->runners[i];

        if (runner->gate->overrides == NULL) {
            continue;
        }

        ngx_gate_mailbox_attach(runner->gate->overrides, prober->zone->id);

        runner->override_timer.handler = ngx_gate_orders_timer_handler;

        /* there may be more than was published when the runner started */

        ngx_gate_orders_receive_gate(runner);
    }
}


void
ngx_gate_orders_stop(ngx_gate_prober_t *prober)
{
    ngx_uint_t          i;
    ngx_gate_runner_t  *runner;

    for (i = 0; i < prober->nrunners; i++) {
        runner = &prober->runners[i];

        if (runner->gate->overrides) {
            ngx_gate_mailbox_detach(runner->gate->overrides, prober->zone->id);
            ngx_gate_timers_del(&prober->timers, &runner->override_timer);
        }
    }
}


void
ngx_gate_orders_receive(ngx_gate_prober_t *prober)
{
    ngx_uint_t          i;
    ngx_gate_runner_t  *runner;

    for (i = 0; i < prober->nrunners; i++) {
        runner = &prober->runners[i];

        if (runner->gate->overrides
            && runner->ordered
               != ngx_gate_mailbox_count(runner->gate->overrides))
        {
            ngx_gate_orders_receive_gate(runner);
        }
    }
}


static void
ngx_gate_orders_receive_gate(ngx_gate_runner_t *runner)
{
    ngx_gate_overrides_t  overrides;

    ngx_gate_overrides_end(runner->gate, 0, runner->prober->log);

    runner->ordered = ngx_gate_overrides_read(runner->gate, &overrides);

    if (runner->record.rechecks != overrides.rechecks) {
        runner->record.rechecks = overrides.rechecks;
        ngx_gate_orders_recheck(runner);
    }

    ngx_gate_orders_set_timer(runner);
    ngx_gate_runner_set_dirty(runner);
}


/* not those that wait for another check */

static void
ngx_gate_orders_recheck(ngx_gate_runner_t *runner)
{
    ngx_uint_t       i;
    ngx_gate_run_t  *run;

    for (i = 0; i < runner->gate->checks.nelts; i++) {
        run = &runner->runs[i];

        if (runner->servers[i]) {
            ngx_gate_server_run_recheck(runner->servers[i]);
        }

        if (run->busy) {
            run->due = 1;

        } else if (run->timer.set) {
            ngx_gate_run_schedule(run, 0);

        } else if (run->record->attempts) {
            run->extra = 1;
            ngx_gate_run_schedule(run, 0);
        }
    }
}


static void
ngx_gate_orders_set_timer(ngx_gate_runner_t *runner)
{
    ngx_uint_t             i;
    ngx_msec_int_t         left, next;
    ngx_gate_override_t   *override;
    ngx_gate_overrides_t   overrides;

    ngx_gate_timers_del(&runner->prober->timers, &runner->override_timer);

    (void) ngx_gate_overrides_read(runner->gate, &overrides);

    next = -1;

    for (i = 0; i < NGX_GATE_OVERRIDES_MAX; i++) {
        override = &overrides.list[i];

        if (override->action == NGX_GATE_OVERRIDE_NONE) {
            continue;
        }

        left = (ngx_msec_int_t) (override->until - ngx_current_msec);
        next = (next == -1) ? left : ngx_min(next, left);
    }

    if (next != -1) {
        ngx_gate_timers_add(&runner->prober->timers, &runner->override_timer,
                            (ngx_msec_t) next);
    }
}


static void
ngx_gate_orders_timer_handler(ngx_gate_timer_t *timer)
{
    ngx_gate_orders_receive_gate(ngx_rbtree_data(timer, ngx_gate_runner_t,
                                                 override_timer));
}


ngx_uint_t
ngx_gate_orders_acknowledge(ngx_gate_prober_t *prober)
{
    ngx_uint_t          i, n;
    ngx_gate_runner_t  *runner;

    n = 0;

    for (i = 0; i < prober->nrunners; i++) {
        runner = &prober->runners[i];

        if (runner->gate->overrides
            && !runner->dirty
            && ngx_gate_writer_owns(&prober->writer))
        {
            n += ngx_gate_mailbox_acknowledge(runner->gate->overrides,
                                              prober->zone->id,
                                              runner->ordered);
        }
    }

    return n;
}
