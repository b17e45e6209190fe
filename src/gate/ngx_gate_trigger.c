
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The trigger of a gate: one request that starts the initialization in the
 * backend, repeated until a response reports success.  A gate that opens with
 * its first verdicts sends no trigger.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_record.h>
#include <ngx_gate_prober.h>


#define NGX_GATE_TRIGGER_POLL       20
#define NGX_GATE_TRIGGER_POLL_OPEN  1000


static ngx_uint_t ngx_gate_trigger_is_requested(ngx_gate_runner_t *runner);
static void ngx_gate_trigger_log(ngx_gate_run_t *run);


void
ngx_gate_trigger_start(ngx_gate_runner_t *runner)
{
    if (runner->trigger
        && runner->record.trigger.state != NGX_GATE_TRIGGER_SUCCEEDED
        && !runner->record.latch.latched)
    {
        ngx_gate_run_schedule(runner->trigger, 0);
    }
}


/* 0: send now; otherwise the time until the next test */

ngx_msec_t
ngx_gate_trigger_delay(ngx_gate_run_t *run)
{
    ngx_gate_t         *gate;
    ngx_gate_record_t  *record;
    ngx_gate_prober_t  *prober;

    gate = run->runner->gate;
    record = &run->runner->record;
    prober = run->runner->prober;

    /* a gate opened by its deadline still needs the trigger */

    if (record->latch.state == NGX_GATE_STATE_READY
        || record->latch.state == NGX_GATE_STATE_DEGRADED)
    {
        return NGX_GATE_TRIGGER_POLL_OPEN;
    }

    if (record->latch.state == NGX_GATE_STATE_STARTING
        && ngx_current_msec - record->started_msec < NGX_GATE_START_WAIT)
    {
        return NGX_GATE_TRIGGER_POLL;
    }

    if (gate->trigger_on_request
        && !ngx_gate_trigger_is_requested(run->runner))
    {
        return prober->wake.listening ? NGX_GATE_TRIGGER_POLL_OPEN
                                      : NGX_GATE_TRIGGER_POLL;
    }

    if (ngx_gate_stats_lock_trigger(prober->stats, gate, prober->zone->deposed)
        != NGX_OK)
    {
        return NGX_GATE_TRIGGER_POLL;
    }

    if (ngx_gate_prober_write_begin(prober) != NGX_OK) {
        ngx_gate_stats_unlock_trigger(prober->stats, gate);
        return NGX_GATE_TRIGGER_POLL;
    }

    if (record->trigger.attempts++ == 0) {
        record->trigger.state = NGX_GATE_TRIGGER_RUNNING;
    }

    record->trigger.last_at = ngx_gate_record_now();

    ngx_gate_zone_publish(&prober->writer, gate, record, run->runner->checks);

    if (ngx_gate_prober_write_end(prober) != NGX_OK) {
        ngx_gate_stats_unlock_trigger(prober->stats, gate);
        return NGX_GATE_TRIGGER_POLL;
    }

    return 0;
}


/* the first request has met the closed gate, in any worker */

void
ngx_gate_trigger_wake(ngx_gate_prober_t *prober)
{
    ngx_uint_t       i;
    ngx_gate_run_t  *run;

    for (i = 0; i < prober->nrunners; i++) {
        run = prober->runners[i].trigger;

        if (run
            && run->timer.set
            && !run->busy
            && prober->runners[i].gate->trigger_on_request
            && prober->runners[i].gate->shared->requested
            && prober->runners[i].record.trigger.attempts == 0)
        {
            ngx_gate_run_schedule(run, 0);
        }
    }
}


/* requests that pass an overdue gate are counted but do not set the flag */

static ngx_uint_t
ngx_gate_trigger_is_requested(ngx_gate_runner_t *runner)
{
    ngx_gate_t           *gate;
    ngx_gate_counters_t   sum;

    gate = runner->gate;

    if (gate->shared->requested) {
        return 1;
    }

    ngx_gate_stats_sum(runner->prober->stats, gate, &sum);

    if (!ngx_gate_state_is_open(gate, runner->record.latch.state)) {
        runner->passed = sum.passed;
        return 0;
    }

    return sum.passed != runner->passed;
}


void
ngx_gate_trigger_cancel(ngx_gate_runner_t *runner)
{
    if (runner->trigger) {
        ngx_gate_run_cancel(runner->trigger);
        ngx_gate_stats_unlock_trigger(runner->prober->stats, runner->gate);
    }
}


void
ngx_gate_trigger_done(ngx_gate_run_t *run)
{
    ngx_msec_t           pause;
    ngx_gate_t          *gate;
    ngx_gate_result_t   *result;
    ngx_gate_record_t   *record;
    ngx_gate_trigger_e   before;

    gate = run->runner->gate;
    record = &run->runner->record;
    result = &run->probe.result;

    ngx_gate_stats_unlock_trigger(run->runner->prober->stats, gate);

    ngx_gate_runner_set_dirty(run->runner);

    if (!ngx_gate_writer_owns(&run->runner->prober->writer)) {
        return;
    }

    before = record->trigger.state;

    record->trigger.state = (result->verdict == NGX_GATE_PASSED)
                            ? NGX_GATE_TRIGGER_SUCCEEDED
                            : NGX_GATE_TRIGGER_RETRYING;

    record->trigger.message_len = ngx_min(result->message_len,
                                          sizeof(record->trigger.message));
    ngx_memcpy(record->trigger.message, result->message,
               record->trigger.message_len);

    if (record->trigger.state != before) {
        ngx_gate_trigger_log(run);
    }

    if (record->trigger.state == NGX_GATE_TRIGGER_SUCCEEDED) {
        record->trigger.succeeded_at = ngx_gate_record_now();

    } else {
        pause = ngx_gate_state_backoff(gate->interval, gate->backoff,
                                       ++run->errors);
        ngx_gate_run_schedule(run, pause);
    }
}


static void
ngx_gate_trigger_log(ngx_gate_run_t *run)
{
    ngx_str_t           message;
    ngx_gate_result_t  *result;

    result = &run->probe.result;

    message.data = result->message;
    message.len = result->message_len;

    if (result->verdict == NGX_GATE_PASSED) {
        ngx_log_error(NGX_LOG_NOTICE, run->runner->prober->log, 0,
                      "init gate \"%V\": trigger succeeded",
                      &run->runner->gate->name);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, run->runner->prober->log, 0,
                  "init gate \"%V\": trigger failed, will be retried: %V%s%V",
                  &run->runner->gate->name,
                  &ngx_gate_reason_names[result->reason],
                  message.len ? ": " : "", &message);
}
