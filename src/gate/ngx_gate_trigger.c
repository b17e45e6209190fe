
/*
 * The trigger of a gate: one request that asks the backend to begin, sent
 * again until it is answered with success.  A gate that opens by its first
 * verdicts has nothing to be begun.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_record.h>
#include <ngx_gate_schedule.h>


#define NGX_GATE_TRIGGER_POLL       20
#define NGX_GATE_TRIGGER_POLL_OPEN  1000


static void ngx_gate_trigger_log(ngx_gate_run_t *run);


void
ngx_gate_trigger_wake(ngx_gate_keeper_t *keeper)
{
    if (keeper->trigger
        && keeper->record.trigger.state != NGX_GATE_TRIGGER_SUCCEEDED
        && !keeper->record.latch.latched)
    {
        ngx_gate_run_at(keeper->trigger, 0);
    }
}


/* 0: now; otherwise when to look again */

ngx_msec_t
ngx_gate_trigger_hold_back(ngx_gate_run_t *run)
{
    ngx_gate_t           *gate;
    ngx_gate_record_t    *record;
    ngx_gate_schedule_t  *schedule;

    gate = run->keeper->gate;
    record = &run->keeper->record;
    schedule = run->keeper->schedule;

    if (ngx_gate_state_is_open(gate, record->latch.state)) {
        return NGX_GATE_TRIGGER_POLL_OPEN;
    }

    if (record->latch.state == NGX_GATE_STATE_STARTING
        && ngx_current_msec - record->started_msec < NGX_GATE_START_WAIT)
    {
        return NGX_GATE_TRIGGER_POLL;
    }

    if (gate->trigger_on_request && !gate->shared->requested) {
        return NGX_GATE_TRIGGER_POLL;
    }

    if (ngx_gate_stats_lock_trigger(schedule->stats, gate) != NGX_OK) {
        return NGX_GATE_TRIGGER_POLL;
    }

    if (ngx_gate_schedule_write_begin(schedule) != NGX_OK) {
        ngx_gate_stats_unlock_trigger(schedule->stats, gate);
        return NGX_GATE_TRIGGER_POLL;
    }

    if (record->trigger.attempts++ == 0) {
        record->trigger.state = NGX_GATE_TRIGGER_RUNNING;
    }

    record->trigger.last_at = ngx_gate_record_now();

    ngx_gate_zone_publish(gate, record, run->keeper->checks);
    ngx_gate_writer_write_end(&schedule->writer);

    return 0;
}


void
ngx_gate_trigger_end(ngx_gate_keeper_t *keeper)
{
    if (keeper->trigger) {
        ngx_gate_run_end(keeper->trigger);
        ngx_gate_stats_unlock_trigger(keeper->schedule->stats, keeper->gate);
    }
}


void
ngx_gate_trigger_finish(ngx_gate_run_t *run)
{
    ngx_msec_t           pause;
    ngx_gate_t          *gate;
    ngx_gate_result_t   *result;
    ngx_gate_record_t   *record;
    ngx_gate_trigger_e   before;

    gate = run->keeper->gate;
    record = &run->keeper->record;
    result = &run->probe.result;

    ngx_gate_stats_unlock_trigger(run->keeper->schedule->stats, gate);

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
                                       NGX_GATE_OK, ++run->errors);
        ngx_gate_run_at(run, pause);
    }

    ngx_gate_keeper_news(run->keeper);
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
        ngx_log_error(NGX_LOG_NOTICE, run->keeper->schedule->log, 0,
                      "init gate \"%V\": trigger succeeded",
                      &run->keeper->gate->name);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, run->keeper->schedule->log, 0,
                  "init gate \"%V\": trigger failed, will be retried: %V%s%V",
                  &run->keeper->gate->name,
                  &ngx_gate_reason_names[result->reason],
                  message.len ? ": " : "", &message);
}
