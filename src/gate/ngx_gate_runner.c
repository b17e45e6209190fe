
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The runner of a gate, in the worker that probes: schedules the probes of
 * its checks, adds their results to the record, and publishes and logs
 * changes.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_record.h>
#include <ngx_gate_prober.h>
#include <ngx_gate_wake.h>


#define NGX_GATE_RUNNER_REMINDER_FIRST  60000
#define NGX_GATE_RUNNER_REMINDER_MAX    3600000
#define NGX_GATE_RUNNER_REMINDER_CHECKS  5    /* limit of checks that are
                                                 logged, each on a line */

/* until the next run if events are lost; sessions are renewed as often */
#define NGX_GATE_RUNNER_RESUME_MIN      1000
#define NGX_GATE_RUNNER_RESUME_MAX      30000

#define NGX_GATE_RUNNER_LOG_LINES       10    /* limit of lines of a check in
                                                 a period */
#define NGX_GATE_RUNNER_LOG_PERIOD      60000


static void ngx_gate_runner_check_done(ngx_gate_run_t *run);
static ngx_uint_t ngx_gate_runner_add_result(ngx_gate_run_t *run);
static ngx_msec_t ngx_gate_runner_next_delay(ngx_gate_run_t *run);
static void ngx_gate_runner_reschedule(ngx_gate_runner_t *runner);
static ngx_uint_t ngx_gate_runner_may_log(ngx_gate_run_t *run);
static void ngx_gate_runner_log_check(ngx_gate_run_t *run);
static ngx_uint_t ngx_gate_runner_needs_probe(ngx_gate_runner_t *runner,
    ngx_uint_t i);
static void ngx_gate_runner_start_dependents(ngx_gate_runner_t *runner,
    ngx_uint_t i);
static void ngx_gate_runner_cancel_unneeded(ngx_gate_runner_t *runner);
static void ngx_gate_runner_recompute(ngx_gate_runner_t *runner,
    ngx_uint_t notify);
static void ngx_gate_runner_force_servers(ngx_gate_runner_t *runner);
static void ngx_gate_runner_estimate(ngx_gate_runner_t *runner);
static void ngx_gate_runner_chain(ngx_gate_runner_t *runner);
static void ngx_gate_runner_log_state(ngx_gate_runner_t *runner);
static void ngx_gate_runner_set_timers(ngx_gate_runner_t *runner);
static void ngx_gate_runner_set_reminder(ngx_gate_runner_t *runner);
static void ngx_gate_runner_log_reminder(ngx_gate_runner_t *runner);
static void ngx_gate_runner_log_closed(ngx_gate_runner_t *runner);
static ngx_gate_check_t *ngx_gate_runner_awaited(ngx_gate_run_t *run);
static void ngx_gate_runner_log_unfinished(ngx_gate_run_t *run);
static void ngx_gate_runner_deadline_handler(ngx_gate_timer_t *timer);


ngx_int_t
ngx_gate_runner_init(ngx_gate_runner_t *runner, ngx_gate_t *gate,
    ngx_gate_prober_t *prober)
{
    ngx_uint_t       i, n;
    ngx_gate_run_t  *run;

    runner->gate = gate;
    runner->prober = prober;

    n = gate->checks.nelts;

    runner->checks = ngx_pcalloc(prober->pool,
                                 n * sizeof(ngx_gate_check_record_t));
    runner->runs = ngx_pcalloc(prober->pool, n * sizeof(ngx_gate_run_t));

    runner->servers = ngx_pcalloc(prober->pool,
                                  n * sizeof(ngx_gate_server_runs_t *));

    if (runner->checks == NULL || runner->runs == NULL
        || runner->servers == NULL)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        run = &runner->runs[i];

        ngx_gate_run_init(run, runner, ngx_gate_check_at(gate, i),
                          ngx_gate_runner_check_done);

        run->record = &runner->checks[i];
        run->shared = &gate->shared->checks[i];

        if (run->probe.check->servers
            && ngx_gate_server_run_init(runner, i) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (gate->trigger) {
        runner->trigger = ngx_pcalloc(prober->pool, sizeof(ngx_gate_run_t));
        if (runner->trigger == NULL) {
            return NGX_ERROR;
        }

        ngx_gate_run_init(runner->trigger, runner, gate->trigger,
                          ngx_gate_trigger_done);
        runner->trigger->delay = ngx_gate_trigger_delay;
    }

    runner->deadline_timer.handler = ngx_gate_runner_deadline_handler;

    return NGX_OK;
}


/* continues from the published record */

void
ngx_gate_runner_start(ngx_gate_runner_t *runner)
{
    ngx_uint_t                i;
    ngx_gate_t               *gate;
    ngx_gate_check_record_t  *record;

    gate = runner->gate;

    ngx_gate_zone_read(gate->shared, &runner->record);

    if (runner->prober->writer.first) {
        ngx_gate_record_begin(gate, &runner->record, runner->prober->zone);
    }

    if (ngx_gate_prober_write_begin(runner->prober) != NGX_OK) {
        return;
    }

    for (i = 0; i < gate->checks.nelts; i++) {
        record = &runner->checks[i];

        ngx_gate_zone_read_check(&runner->runs[i].shared->slots, record);

        if (runner->prober->writer.taken_over && record->attempts) {
            record->carried_over = 1;
            ngx_gate_zone_publish_check(&runner->prober->writer,
                                        &runner->runs[i].shared->slots, record);
        }
    }

    if (runner->prober->writer.taken_over) {
        runner->record.carried_over = 1;
    }

    (void) ngx_gate_prober_write_end(runner->prober);

    for (i = 0; i < gate->checks.nelts; i++) {
        if (ngx_gate_runner_needs_probe(runner, i)) {
            ngx_gate_run_schedule(&runner->runs[i], 0);
        }
    }

    ngx_gate_runner_set_timers(runner);

    /*
     * a predecessor may have been killed between publication and notification
     */

    ngx_gate_runner_recompute(runner, 1);
    ngx_gate_trigger_start(runner);
}


/* once per iteration of the event loop, for all verdicts in it */

void
ngx_gate_runner_publish(ngx_gate_runner_t *runner)
{
    if (runner->dirty) {
        ngx_gate_runner_recompute(runner, 0);

        if (runner->record.trigger.state == NGX_GATE_TRIGGER_SUCCEEDED) {
            /* the connection is no longer needed */
            ngx_gate_trigger_cancel(runner);
        }
    }
}


/* a latched gate is no longer probed */

static void
ngx_gate_runner_cancel_unneeded(ngx_gate_runner_t *runner)
{
    ngx_uint_t  i;

    for (i = 0; i < runner->gate->checks.nelts; i++) {
        if (!ngx_gate_runner_needs_probe(runner, i)) {
            ngx_gate_run_cancel(&runner->runs[i]);
        }
    }

    if (ngx_gate_prober_write_begin(runner->prober) != NGX_OK) {
        return;
    }

    for (i = 0; i < runner->gate->checks.nelts; i++) {
        if (runner->checks[i].next_check
            && !ngx_gate_runner_needs_probe(runner, i))
        {
            runner->checks[i].next_check = 0;
            ngx_gate_zone_publish_check(&runner->prober->writer,
                                        &runner->runs[i].shared->slots,
                                        &runner->checks[i]);
        }
    }

    (void) ngx_gate_prober_write_end(runner->prober);

    ngx_gate_trigger_cancel(runner);
}


void
ngx_gate_runner_stop(ngx_gate_runner_t *runner)
{
    ngx_uint_t  i;

    for (i = 0; i < runner->gate->checks.nelts; i++) {
        ngx_gate_run_cancel(&runner->runs[i]);

        if (runner->servers[i]) {
            ngx_gate_server_run_stop(runner->servers[i]);
        }
    }

    ngx_gate_trigger_cancel(runner);

    ngx_gate_timers_del(&runner->prober->timers, &runner->deadline_timer);

    runner->dirty = 0;
}


/* nothing left to probe or to publish */

ngx_uint_t
ngx_gate_runner_is_idle(ngx_gate_runner_t *runner)
{
    ngx_uint_t  i;

    if (!runner->record.latch.latched || runner->dirty) {
        return 0;
    }

    for (i = 0; i < runner->gate->checks.nelts; i++) {
        if (ngx_gate_runner_needs_probe(runner, i)) {
            return 0;
        }
    }

    return 1;
}


static void
ngx_gate_runner_check_done(ngx_gate_run_t *run)
{
    ngx_uint_t                i, changed, counted;
    ngx_gate_status_t         status;
    ngx_gate_runner_t        *runner;
    ngx_gate_check_record_t  *record;

    runner = run->runner;
    record = run->record;
    i = run->probe.check->index;

    counted = record->status.up;

    if (ngx_gate_prober_write_begin(runner->prober) != NGX_OK) {
        return;
    }

    status = record->status;
    changed = ngx_gate_runner_add_result(run);

    /* it is shown, and has no effect */

    if (run->extra) {
        run->extra = 0;
        record->status = status;
    }

    record->next_check = record->last_checked + ngx_gate_runner_next_delay(run);

    ngx_gate_zone_publish_check(&runner->prober->writer, &run->shared->slots,
                                record);

    if (ngx_gate_prober_write_end(runner->prober) != NGX_OK) {
        return;
    }

    if (ngx_gate_runner_may_log(run)) {
        ngx_gate_runner_log_check(run);
    }

    if (ngx_gate_runner_needs_probe(runner, i)) {
        ngx_gate_run_schedule(run, record->next_check - record->last_checked);

    } else {
        changed = 1;
    }

    if (changed || run->probe.chain.changed) {
        ngx_gate_runner_set_dirty(runner);

    } else if (run->received) {
        ngx_post_event(&runner->prober->publish_event, &ngx_posted_events);
    }

    if (record->status.up && !counted) {
        ngx_gate_runner_start_dependents(runner, i);
    }
}


/* returns whether the result may change the gate */

static ngx_uint_t
ngx_gate_runner_add_result(ngx_gate_run_t *run)
{
    ngx_uint_t                changed, rise, fall;
    ngx_gate_t               *gate;
    ngx_gate_check_t         *check;
    ngx_gate_result_t        *result;
    ngx_gate_check_record_t  *record;

    gate = run->runner->gate;
    check = run->probe.check;
    record = run->record;
    result = &run->probe.result;

    /* each of several servers has its own; each notice counts; another gate
       has applied its own */

    rise = 1;
    fall = 1;

    if (!check->servers && !check->mailbox && !check->type->adopts) {
        rise = gate->rise;
        fall = gate->fall;
    }

    run->shared->recent[record->attempts % NGX_GATE_RECENT] =
                                        (run->duration << 3) | result->verdict;
    run->shared->probes[result->verdict]++;

    if (result->verdict == NGX_GATE_ERROR
        || result->verdict == NGX_GATE_FAILED)
    {
        run->shared->failures[result->reason]++;
    }

    changed = ngx_gate_record_add_result(record, result, run->duration, rise,
                                         fall);

    ngx_gate_rate_add(&run->rate, ngx_current_msec, result->observed,
                      result->expected);

    return changed;
}


/* jitter shortens the time, so that many instances do not probe in step */

static ngx_msec_t
ngx_gate_runner_next_delay(ngx_gate_run_t *run)
{
    ngx_msec_t          pause;
    ngx_gate_t         *gate;
    ngx_gate_check_t   *check;
    ngx_gate_result_t  *result;

    gate = run->runner->gate;
    check = run->probe.check;
    result = &run->probe.result;

    pause = check->interval;

    if ((!gate->latch || check->servers)
        && ngx_gate_state_is_open(gate, run->runner->record.latch.state))
    {
        pause = check->interval_open;
    }

    if (result->verdict != NGX_GATE_ERROR
        || ngx_gate_reason_is_local(result->reason))
    {
        run->errors = 0;

    } else {
        pause = ngx_gate_state_backoff(pause, gate->backoff, ++run->errors);
    }

    if (!run->probe.lost) {
        run->losses = 0;

    } else {
        pause = ngx_min(pause,
                        ngx_gate_state_backoff(NGX_GATE_RUNNER_RESUME_MIN,
                                               NGX_GATE_RUNNER_RESUME_MAX,
                                               ++run->losses));
    }

    pause = ngx_gate_runner_jitter(pause);

    return run->probe.left ? ngx_min(pause, run->probe.left) : pause;
}


ngx_msec_t
ngx_gate_runner_jitter(ngx_msec_t pause)
{
    return pause - (ngx_msec_t) ngx_random() % (pause / 10 + 1);
}


/*
 * The gate has closed: its checks run as before it opened, and those that had
 * passed have to pass again.
 */

static void
ngx_gate_runner_reschedule(ngx_gate_runner_t *runner)
{
    ngx_uint_t       i;
    ngx_msec_t       pause;
    ngx_gate_run_t  *run;

    if (ngx_gate_prober_write_begin(runner->prober) != NGX_OK) {
        return;
    }

    for (i = 0; i < runner->gate->checks.nelts; i++) {
        run = &runner->runs[i];
        pause = ngx_gate_runner_jitter(run->probe.check->interval);

        /* a notice stays valid */

        run->record->status.outdated = !run->probe.check->optional
                                       && run->probe.check->mailbox == NULL;

        if (!run->busy
            && run->timer.set
            && (ngx_msec_int_t) (run->timer.node.key - ngx_current_msec
                                 - pause) > 0
            && run->record->result.verdict != NGX_GATE_ERROR)
        {
            run->record->next_check = ngx_gate_record_now() + pause;
            ngx_gate_run_schedule(run, pause);
        }

        ngx_gate_zone_publish_check(&runner->prober->writer,
                                    &run->shared->slots, run->record);
    }

    (void) ngx_gate_prober_write_end(runner->prober);
}


/* a change of the verdict, and the last of the suppressed changes */

static ngx_uint_t
ngx_gate_runner_may_log(ngx_gate_run_t *run)
{
    if (run->record->consecutive != 1 && run->log_skipped == 0) {
        return 0;
    }

    if (run->log_lines == 0
        || ngx_current_msec - run->log_msec >= NGX_GATE_RUNNER_LOG_PERIOD)
    {
        run->log_msec = ngx_current_msec;
        run->log_lines = 0;
    }

    if (run->log_lines == NGX_GATE_RUNNER_LOG_LINES) {
        run->log_skipped += (run->record->consecutive == 1);
        return 0;
    }

    run->log_lines++;

    return 1;
}


static void
ngx_gate_runner_log_check(ngx_gate_run_t *run)
{
    u_char             *last, skipped[64];
    ngx_str_t           message;
    ngx_uint_t          level;
    ngx_gate_result_t  *result;

    result = &run->probe.result;

    message.data = result->message;
    message.len = result->message_len;

    if (message.len == 0) {
        message = ngx_gate_reason_names[result->reason];
    }

    last = skipped;

    if (run->log_skipped) {
        last = ngx_sprintf(skipped, " (%ui changes were not logged)",
                           run->log_skipped);
    }

    level = (result->verdict == NGX_GATE_FAILED
             || (result->verdict == NGX_GATE_ERROR
                 && ngx_gate_reason_is_permanent(result->reason)))
            ? NGX_LOG_ERR : NGX_LOG_NOTICE;

    ngx_log_error(level, run->runner->prober->log, 0,
                  "init gate \"%V\": check \"%V\" %V%s%V%*s",
                  &run->runner->gate->name, &run->probe.check->name,
                  &ngx_gate_verdict_names[result->verdict],
                  message.len ? ": " : "", &message,
                  (size_t) (last - skipped), skipped);

    run->log_skipped = 0;
}


/* whether this check has to be probed */

static ngx_uint_t
ngx_gate_runner_needs_probe(ngx_gate_runner_t *runner, ngx_uint_t i)
{
    ngx_uint_t         n;
    ngx_gate_check_t  *check;

    check = ngx_gate_check_at(runner->gate, i);

    if (runner->runs[i].extra) {
        return 1;
    }

    /* servers may restart although the gate is latched */

    if (runner->record.latch.latched
        && check->servers == NULL
        && (!check->optional || runner->checks[i].status.up))
    {
        return 0;
    }

    if (runner->checks[i].attempts) {
        return 1;
    }

    for (n = 0; n < check->nafter; n++) {
        if (!runner->checks[check->after[n]].status.up) {
            return 0;
        }
    }

    return 1;
}


/* the checks with "after=" this check */

static void
ngx_gate_runner_start_dependents(ngx_gate_runner_t *runner, ngx_uint_t passed)
{
    ngx_uint_t         i, n;
    ngx_gate_check_t  *check;

    for (i = 0; i < runner->gate->checks.nelts; i++) {
        check = ngx_gate_check_at(runner->gate, i);

        for (n = 0; n < check->nafter && check->after[n] != passed; n++) {
            /* void */
        }

        if (n < check->nafter
            && runner->checks[i].attempts == 0
            && ngx_gate_runner_needs_probe(runner, i)
            && !runner->runs[i].busy)
        {
            ngx_gate_run_schedule(&runner->runs[i], 0);
        }
    }
}


/* notify: wakes held requests even if the state has not changed */

static void
ngx_gate_runner_recompute(ngx_gate_runner_t *runner, ngx_uint_t notify)
{
    ngx_uint_t          open, ready, changed;
    ngx_gate_prober_t  *prober;

    prober = runner->prober;

    if (ngx_gate_prober_write_begin(prober) != NGX_OK) {
        return;
    }

    runner->dirty = 0;
    ready = runner->record.ready;

    open = ngx_gate_state_is_open(runner->gate, runner->record.latch.state);
    changed = ngx_gate_record_recompute(runner->gate, &runner->record,
                                        runner->checks);

    notify |= (runner->record.ready != ready);

    ngx_gate_runner_force_servers(runner);

    ngx_gate_runner_estimate(runner);
    ngx_gate_runner_chain(runner);
    ngx_gate_zone_publish(&prober->writer, runner->gate, &runner->record,
                          runner->checks);

    if (changed || notify) {
        (void) ngx_atomic_fetch_add(&prober->zone->changes, 1);
    }

    if (ngx_gate_prober_write_end(prober) != NGX_OK) {
        return;
    }

    /* held requests wait for a change of state, others for any change */

    ngx_gate_wake_send(prober->log);

    if (changed) {
        ngx_gate_runner_log_state(runner);
    }

    if (changed || runner->record.ready != ready) {
        ngx_gate_runner_set_timers(runner);
    }

    if (open
        && !ngx_gate_state_is_open(runner->gate, runner->record.latch.state))
    {
        ngx_gate_runner_reschedule(runner);
    }

    if (runner->record.latch.latched) {
        ngx_gate_runner_cancel_unneeded(runner);
    }
}


/* call before requests can pass */

static void
ngx_gate_runner_force_servers(ngx_gate_runner_t *runner)
{
    ngx_uint_t             i, forced, ignoring;
    ngx_gate_check_t      *check;
    ngx_gate_record_t     *record;
    ngx_gate_overrides_t   overrides;

    record = &runner->record;

    /* the deadline, or an operator, has opened the gate itself */

    forced = record->override == NGX_GATE_OVERRIDE_OPEN
             || (record->ready
                 && record->latch.state == NGX_GATE_STATE_OVERDUE
                 && runner->gate->deadline_open);

    /* an ignored check of servers lets these in, another one does not */

    ignoring = !forced && record->ready
               && record->override == NGX_GATE_OVERRIDE_IGNORE
               && !ngx_gate_state_is_open(runner->gate, record->latch.state);

    if (ignoring) {
        (void) ngx_gate_overrides_read(runner->gate, &overrides);
    }

    for (i = 0; i < runner->gate->checks.nelts; i++) {

        if (runner->servers[i] == NULL) {
            continue;
        }

        check = ngx_gate_check_at(runner->gate, i);

        ngx_gate_server_run_force(runner->servers[i],
                                  forced
                                  || (ignoring
                                      && ngx_gate_overrides_ignores(&overrides,
                                                                    check)));
    }
}


/*
 * The estimated time of the slowest check that counts, by its rate.  If the
 * duration of the last start is known, its remainder is the minimum.
 */

static void
ngx_gate_runner_estimate(ngx_gate_runner_t *runner)
{
    int64_t             eta, longest;
    ngx_uint_t          i;
    ngx_gate_record_t  *record;

    record = &runner->record;

    record->eta = -1;
    record->retry_after = ngx_gate_state_retry_after(record->latch.state, -1);

    if (record->ready) {
        record->eta = 0;
        record->retry_after = 0;
        return;
    }

    /* closed by an operator */

    if (ngx_gate_state_is_open(runner->gate, record->latch.state)) {
        return;
    }

    /* waiting does not help */

    if (record->latch.state == NGX_GATE_STATE_FAILED) {
        return;
    }

    longest = -1;

    if (record->last_startup_msec) {
        longest = (int64_t) record->last_startup_msec
                  - (ngx_msec_int_t) (ngx_current_msec - record->closed_msec);

        if (longest < 0) {
            longest = -1;
        }
    }

    for (i = 0; i < runner->gate->checks.nelts; i++) {

        if (ngx_gate_check_at(runner->gate, i)->optional
            || runner->checks[i].status.up)
        {
            continue;
        }

        eta = runner->runs[i].probe.chain.eta;

        if (eta < 0) {
            eta = ngx_gate_rate_eta(&runner->runs[i].rate, ngx_current_msec);
        }

        longest = ngx_max(longest, eta);
    }

    record->eta = longest;
    record->retry_after = ngx_gate_state_retry_after(record->latch.state,
                                                     longest);
}


/* the gates of other nginx on which this one depends */

static void
ngx_gate_runner_chain(ngx_gate_runner_t *runner)
{
    ngx_uint_t          i, n, k;
    ngx_gate_chain_t   *chain;
    ngx_gate_record_t  *record;

    record = &runner->record;
    record->nvia = 0;

    for (i = 0; i < runner->gate->checks.nelts; i++) {
        chain = &runner->runs[i].probe.chain;

        for (n = 0; n < chain->nvia; n++) {

            for (k = 0; k < record->nvia; k++) {
                if (record->via[k] == chain->via[n]) {
                    break;
                }
            }

            if (k == record->nvia && k < NGX_GATE_VIA_MAX) {
                record->via[record->nvia++] = chain->via[n];
            }
        }
    }
}


static void
ngx_gate_runner_log_state(ngx_gate_runner_t *runner)
{
    ngx_uint_t          level;
    ngx_gate_record_t  *record;

    record = &runner->record;

    level = (record->latch.state == NGX_GATE_STATE_FAILED
             || record->latch.state == NGX_GATE_STATE_OVERDUE)
            ? NGX_LOG_ERR : NGX_LOG_NOTICE;

    if (record->latch.state == NGX_GATE_STATE_READY
        || record->latch.state == NGX_GATE_STATE_DEGRADED)
    {
        ngx_log_error(level, runner->prober->log, 0,
                      "init gate \"%V\" is %V after %M.%03Ms",
                      &runner->gate->name,
                      &ngx_gate_state_names[record->latch.state],
                      (ngx_current_msec - record->closed_msec) / 1000,
                      (ngx_current_msec - record->closed_msec) % 1000);
        return;
    }

    ngx_log_error(level, runner->prober->log, 0,
                  "init gate \"%V\" is %V%s",
                  &runner->gate->name,
                  &ngx_gate_state_names[record->latch.state],
                  record->latch.state != NGX_GATE_STATE_OVERDUE ? ""
                  : runner->gate->deadline_open ? ", but open"
                                                : "");
}


static void
ngx_gate_runner_set_timers(ngx_gate_runner_t *runner)
{
    ngx_msec_int_t      left;
    ngx_gate_record_t  *record;

    record = &runner->record;

    ngx_gate_timers_del(&runner->prober->timers, &runner->deadline_timer);

    if (runner->gate->deadline && !record->latch.opened) {
        left = (ngx_msec_int_t) (record->deadline_msec - ngx_current_msec);

        if (left > 0) {
            ngx_gate_timers_add(&runner->prober->timers,
                                &runner->deadline_timer, (ngx_msec_t) left);
        }
    }

    if (record->ready) {
        runner->reminder_interval = 0;

    } else if (runner->reminder_interval == 0) {
        ngx_gate_runner_set_reminder(runner);
    }
}


/* counted from when the gate closed, also after a change of the worker */

static void
ngx_gate_runner_set_reminder(ngx_gate_runner_t *runner)
{
    ngx_msec_t  interval, at;

    interval = NGX_GATE_RUNNER_REMINDER_FIRST;
    at = runner->record.shut_msec + interval;

    while ((ngx_msec_int_t) (ngx_current_msec - at) >= 0) {
        interval = ngx_min(interval * 2, NGX_GATE_RUNNER_REMINDER_MAX);
        at += interval;
    }

    runner->reminder_interval = interval;
    runner->reminder_msec = at;
}


void
ngx_gate_runner_set_dirty(ngx_gate_runner_t *runner)
{
    runner->dirty = 1;

    ngx_post_event(&runner->prober->publish_event, &ngx_posted_events);
}


static void
ngx_gate_runner_deadline_handler(ngx_gate_timer_t *timer)
{
    ngx_gate_runner_t  *runner;

    runner = ngx_rbtree_data(timer, ngx_gate_runner_t, deadline_timer);

    ngx_gate_runner_recompute(runner, 0);
}


/* with each heartbeat */

void
ngx_gate_runner_beat(ngx_gate_runner_t *runner)
{
    ngx_uint_t  i;

    for (i = 0; i < runner->gate->checks.nelts; i++) {
        if (runner->servers[i]) {
            ngx_gate_server_run_beat(runner->servers[i]);
        }
    }

    ngx_gate_runner_log_reminder(runner);
}


/* a gate that stays closed is logged repeatedly */

static void
ngx_gate_runner_log_reminder(ngx_gate_runner_t *runner)
{
    ngx_uint_t       i, n;
    ngx_gate_run_t  *run;

    if (runner->reminder_interval == 0
        || (ngx_msec_int_t) (ngx_current_msec - runner->reminder_msec) < 0)
    {
        return;
    }

    if (runner->record.override == NGX_GATE_OVERRIDE_CLOSE) {
        ngx_gate_runner_log_closed(runner);
    }

    n = 0;

    for (i = 0; i < runner->gate->checks.nelts; i++) {
        run = &runner->runs[i];

        if (run->probe.check->optional || run->record->status.up) {
            continue;
        }

        if (n++ < NGX_GATE_RUNNER_REMINDER_CHECKS) {
            ngx_gate_runner_log_unfinished(run);
        }
    }

    if (n > NGX_GATE_RUNNER_REMINDER_CHECKS) {
        ngx_log_error(NGX_LOG_ERR, runner->prober->log, 0,
                      "init gate \"%V\": %ui more checks have not passed",
                      &runner->gate->name,
                      n - NGX_GATE_RUNNER_REMINDER_CHECKS);
    }

    runner->reminder_interval = ngx_min(runner->reminder_interval * 2,
                                        NGX_GATE_RUNNER_REMINDER_MAX);
    runner->reminder_msec = ngx_current_msec + runner->reminder_interval;
}


/* by an operator */

static void
ngx_gate_runner_log_closed(ngx_gate_runner_t *runner)
{
    ngx_gate_override_t   *override;
    ngx_gate_overrides_t   overrides;

    (void) ngx_gate_overrides_read(runner->gate, &overrides);

    override = &overrides.list[0];

    ngx_log_error(NGX_LOG_ERR, runner->prober->log, 0,
                  "init gate \"%V\": override \"close\" by client %*s: %*s, "
                  "gate closed for %Ms", &runner->gate->name,
                  override->client_len, override->client,
                  override->reason_len, override->reason,
                  (ngx_current_msec - runner->record.shut_msec) / 1000);
}


/* by "after=", the first one */

static ngx_gate_check_t *
ngx_gate_runner_awaited(ngx_gate_run_t *run)
{
    ngx_uint_t         n;
    ngx_gate_check_t  *check;

    check = run->probe.check;

    for (n = 0; run->record->attempts == 0 && n < check->nafter; n++) {
        if (!run->runner->checks[check->after[n]].status.up) {
            return ngx_gate_check_at(run->runner->gate, check->after[n]);
        }
    }

    return NULL;
}


/* at the default log level, with the message of the check */

static void
ngx_gate_runner_log_unfinished(ngx_gate_run_t *run)
{
    ngx_str_t           message;
    ngx_gate_check_t   *check, *awaited;
    ngx_gate_runner_t  *runner;
    u_char              text[NGX_GATE_NAME_MAX + 64];

    check = run->probe.check;
    runner = run->runner;

    message.data = run->record->result.message;
    message.len = run->record->result.message_len;

    awaited = ngx_gate_runner_awaited(run);

    if (awaited) {
        message.data = text;
        message.len = ngx_snprintf(text, sizeof(text), "not probed before "
                                   "\"%V\" has passed", &awaited->name)
                      - text;
    }

    ngx_log_error(NGX_LOG_ERR, runner->prober->log, 0,
                  "init gate \"%V\": check \"%V\" %V%s%V, in %V:%ui, "
                  "gate closed for %Ms",
                  &runner->gate->name, &check->name,
                  &ngx_gate_verdict_names[run->record->result.verdict],
                  message.len ? ": " : "", &message, &check->file, check->line,
                  (ngx_current_msec - runner->record.shut_msec) / 1000);
}
