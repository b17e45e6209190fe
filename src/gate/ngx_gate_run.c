
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The run of a probe: scheduled, started, and ended by its verdict or by the
 * timeout of its check; see ngx_gate_prober.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_prober.h>
#include <ngx_gate_endpoint.h>


#define NGX_GATE_RUN_DUE  10000    /* us, minimum between the starts of two
                                      runs caused by events; or twice the
                                      duration of the first */


static void ngx_gate_run_timer_handler(ngx_gate_timer_t *timer);
static void ngx_gate_run_budget_handler(ngx_gate_budget_use_t *use);
static void ngx_gate_run_start(ngx_gate_run_t *run);
static void ngx_gate_run_done(ngx_gate_probe_t *probe);
static void ngx_gate_run_due(ngx_gate_probe_t *probe);
static void ngx_gate_run_hasten(ngx_gate_run_t *run);
static void ngx_gate_run_timeout(ngx_gate_run_t *run);
static u_char *ngx_gate_run_log_error(ngx_log_t *log, u_char *buf, size_t len);
static uint64_t ngx_gate_run_monotonic_usec(void);


void
ngx_gate_run_init(ngx_gate_run_t *run, ngx_gate_runner_t *runner,
    ngx_gate_check_t *check, void (*finish)(ngx_gate_run_t *run))
{
    run->runner = runner;
    run->finish = finish;

    run->log = *runner->prober->log;
    run->log.handler = ngx_gate_run_log_error;
    run->log.data = run;
    run->log.action = NULL;

    run->probe.check = check;
    run->probe.resolver = runner->gate->resolver;
    run->probe.pool = runner->prober->pool;
    run->probe.log = &run->log;
    run->probe.done = ngx_gate_run_done;
    run->probe.due = ngx_gate_run_due;
    run->probe.chain.id = ngx_gate_zone_gate_id(runner->prober->zone,
                                                runner->gate);
    run->probe.chain.eta = -1;
    run->probe.data = run;

    run->timer.handler = ngx_gate_run_timer_handler;
    run->budget.handler = ngx_gate_run_budget_handler;
}


void
ngx_gate_run_schedule(ngx_gate_run_t *run, ngx_msec_t delay)
{
    ngx_gate_timers_add(&run->runner->prober->timers, &run->timer, delay);
}


void
ngx_gate_run_cancel(ngx_gate_run_t *run)
{
    ngx_gate_timers_del(&run->runner->prober->timers, &run->timer);
    ngx_gate_budget_release(&run->budget);

    run->busy = 0;
    run->due = 0;
    run->hastened = 0;
    run->extra = 0;

    if (run->probe.state) {
        run->probe.check->type->cancel(&run->probe);
    }
}


static void
ngx_gate_run_timer_handler(ngx_gate_timer_t *timer)
{
    ngx_msec_t       delay;
    ngx_gate_run_t  *run;

    run = ngx_rbtree_data(timer, ngx_gate_run_t, timer);

    if (run->busy) {
        ngx_gate_run_timeout(run);
        return;
    }

    delay = run->delay ? run->delay(run) : 0;

    if (delay) {
        ngx_gate_timers_add(&run->runner->prober->timers, timer, delay);
        return;
    }

    if (run->probe.check->type->connects
        && ngx_gate_budget_acquire(&run->budget) != NGX_OK)
    {
        return;
    }

    ngx_gate_run_start(run);
}


static void
ngx_gate_run_budget_handler(ngx_gate_budget_use_t *use)
{
    ngx_gate_run_start(ngx_queue_data(use, ngx_gate_run_t, budget));
}


static void
ngx_gate_run_start(ngx_gate_run_t *run)
{
    ngx_gate_probe_t  *probe;

    probe = &run->probe;

    run->busy = 1;
    run->due = 0;
    run->start_usec = ngx_gate_run_monotonic_usec();
    run->log.action = NULL;

    if (run->hastened) {
        run->hastened = 0;
        run->due_usec = run->start_usec;
    }

    probe->deadline = ngx_current_msec + probe->check->timeout;
    probe->chain.changed = 0;
    probe->left = 0;
    probe->result.observed = -1;
    probe->result.expected = -1;

    if (probe->state == NULL) {
        probe->state = ngx_pcalloc(probe->pool, probe->check->type->state_size);

        if (probe->state == NULL) {
            ngx_gate_probe_end(probe, NGX_GATE_ERROR, NGX_GATE_NO_MEMORY,
                               "no memory");
            return;
        }
    }

    probe->check->type->start(probe);

    if (run->busy) {
        ngx_gate_run_schedule(run, probe->deadline - ngx_current_msec);
    }
}


static void
ngx_gate_run_done(ngx_gate_probe_t *probe)
{
    uint64_t         duration;
    ngx_gate_run_t  *run;

    run = probe->data;

    ngx_gate_timers_del(&run->runner->prober->timers, &run->timer);
    ngx_gate_budget_release(&run->budget);

    duration = ngx_gate_run_monotonic_usec() - run->start_usec;

    run->busy = 0;
    run->duration = (uint32_t) ngx_min(duration, NGX_GATE_DURATION_MAX);
    run->log.action = NULL;

    run->finish(run);

    if (run->due) {
        ngx_gate_run_hasten(run);
    }
}


static void
ngx_gate_run_due(ngx_gate_probe_t *probe)
{
    ngx_gate_run_t  *run;

    run = probe->data;

    run->due = 1;

    if (!run->busy) {
        ngx_gate_run_hasten(run);
    }
}


/* a run that is not scheduled is not needed, or waits for another check */

static void
ngx_gate_run_hasten(ngx_gate_run_t *run)
{
    uint64_t    elapsed, gap;
    ngx_msec_t  delay;

    if (!run->timer.set) {
        return;
    }

    elapsed = ngx_gate_run_monotonic_usec() - run->due_usec;
    gap = NGX_GATE_RUN_DUE;
    delay = 0;

    run->hastened = 1;

    /* a run that follows another gate waits for its changes */

    if (!run->probe.check->type->adopts) {
        gap = ngx_max(gap, 2 * (uint64_t) run->duration);
    }

    if (elapsed < gap) {
        delay = (ngx_msec_t) (gap - elapsed + 999) / 1000;
    }

    if ((ngx_msec_int_t) (run->timer.node.key - ngx_current_msec - delay) > 0) {
        ngx_gate_run_schedule(run, delay);
    }
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
                           "no response within %Mms while %s",
                           probe->check->timeout, action);
        return;
    }

    ngx_gate_probe_end(probe, NGX_GATE_ERROR, NGX_GATE_TIMEOUT,
                       "no response within %Mms", probe->check->timeout);
}


static u_char *
ngx_gate_run_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char          *p;
    ngx_gate_run_t  *run;

    run = log->data;
    p = buf;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= p - buf;
        buf = p;
    }

    if (run->probe.endpoint) {
        p = ngx_snprintf(buf, len, ", server %V", &run->probe.endpoint->text);
        len -= p - buf;
        buf = p;
    }

    return ngx_snprintf(p, len, ", check \"%V\" of init gate \"%V\"",
                        &run->probe.check->name, &run->runner->gate->name);
}


static uint64_t
ngx_gate_run_monotonic_usec(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
