
/*
 * A gate in the worker that probes: takes the verdicts of its checks, decides
 * what runs next, publishes and logs what has changed.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_record.h>
#include <ngx_gate_schedule.h>


#define NGX_GATE_REMIND_FIRST  60000
#define NGX_GATE_REMIND_MAX    3600000


static void ngx_gate_keeper_verdict(ngx_gate_run_t *run);
static ngx_uint_t ngx_gate_keeper_note(ngx_gate_run_t *run);
static ngx_msec_t ngx_gate_keeper_pause(ngx_gate_run_t *run);
static ngx_msec_t ngx_gate_keeper_jitter(ngx_msec_t pause);
static void ngx_gate_keeper_hasten(ngx_gate_keeper_t *keeper);
static void ngx_gate_keeper_log_check(ngx_gate_run_t *run);
static ngx_uint_t ngx_gate_keeper_needs(ngx_gate_keeper_t *keeper,
    ngx_uint_t i);
static void ngx_gate_keeper_release(ngx_gate_keeper_t *keeper, ngx_uint_t i);
static void ngx_gate_keeper_tidy(ngx_gate_keeper_t *keeper);
static void ngx_gate_keeper_update(ngx_gate_keeper_t *keeper,
    ngx_uint_t tell);
static void ngx_gate_keeper_estimate(ngx_gate_keeper_t *keeper);
static void ngx_gate_keeper_log_state(ngx_gate_keeper_t *keeper);
static void ngx_gate_keeper_clocks(ngx_gate_keeper_t *keeper);
static void ngx_gate_keeper_deadline(ngx_gate_timer_t *timer);


ngx_int_t
ngx_gate_keeper_init(ngx_gate_keeper_t *keeper, ngx_gate_t *gate,
    ngx_gate_schedule_t *schedule)
{
    ngx_uint_t       i, n;
    ngx_gate_run_t  *run;

    keeper->gate = gate;
    keeper->schedule = schedule;

    n = gate->checks.nelts;

    keeper->checks = ngx_pcalloc(schedule->pool,
                                 n * sizeof(ngx_gate_check_record_t));
    keeper->runs = ngx_pcalloc(schedule->pool, n * sizeof(ngx_gate_run_t));

    if (keeper->checks == NULL || keeper->runs == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        run = &keeper->runs[i];

        ngx_gate_run_init(run, keeper, ngx_gate_check_at(gate, i),
                          ngx_gate_keeper_verdict);

        run->record = &keeper->checks[i];
        run->shared = &gate->shared->checks[i];
    }

    if (gate->trigger) {
        keeper->trigger = ngx_pcalloc(schedule->pool, sizeof(ngx_gate_run_t));
        if (keeper->trigger == NULL) {
            return NGX_ERROR;
        }

        ngx_gate_run_init(keeper->trigger, keeper, gate->trigger,
                          ngx_gate_trigger_finish);
        keeper->trigger->hold_back = ngx_gate_trigger_hold_back;
    }

    keeper->deadline.handler = ngx_gate_keeper_deadline;

    return NGX_OK;
}


/* goes on from what is published, whoever published it */

void
ngx_gate_keeper_wake(ngx_gate_keeper_t *keeper)
{
    ngx_uint_t                i;
    ngx_gate_t               *gate;
    ngx_gate_check_record_t  *record;

    gate = keeper->gate;

    ngx_gate_zone_read(gate->shared, &keeper->record);

    if (ngx_gate_schedule_write_begin(keeper->schedule) != NGX_OK) {
        return;
    }

    for (i = 0; i < gate->checks.nelts; i++) {
        record = &keeper->checks[i];

        ngx_gate_zone_read_check(keeper->runs[i].shared, record);

        if (keeper->schedule->writer.taken_over && record->attempts) {
            record->carried_over = 1;
            ngx_gate_zone_publish_check(keeper->runs[i].shared, record);
        }
    }

    if (keeper->schedule->writer.taken_over) {
        keeper->record.carried_over = 1;
    }

    ngx_gate_writer_write_end(&keeper->schedule->writer);

    for (i = 0; i < gate->checks.nelts; i++) {
        if (ngx_gate_keeper_needs(keeper, i)) {
            ngx_gate_run_at(&keeper->runs[i], 0);
        }
    }

    ngx_gate_keeper_clocks(keeper);

    /* a predecessor may have died before it told the requests that wait */

    ngx_gate_keeper_update(keeper, 1);
    ngx_gate_trigger_wake(keeper);
}


/* the verdicts of one turn of the event loop make one state */

void
ngx_gate_keeper_turn(ngx_gate_keeper_t *keeper)
{
    if (keeper->news) {
        ngx_gate_keeper_update(keeper, 0);
    }
}


/* ends what has become needless: a latched gate asks nothing any more */

static void
ngx_gate_keeper_tidy(ngx_gate_keeper_t *keeper)
{
    ngx_uint_t  i;

    for (i = 0; i < keeper->gate->checks.nelts; i++) {
        if (!ngx_gate_keeper_needs(keeper, i)) {
            ngx_gate_run_end(&keeper->runs[i]);
        }
    }

    if (ngx_gate_schedule_write_begin(keeper->schedule) != NGX_OK) {
        return;
    }

    for (i = 0; i < keeper->gate->checks.nelts; i++) {
        if (keeper->checks[i].next_check && !ngx_gate_keeper_needs(keeper, i)) {
            keeper->checks[i].next_check = 0;
            ngx_gate_zone_publish_check(keeper->runs[i].shared,
                                        &keeper->checks[i]);
        }
    }

    ngx_gate_writer_write_end(&keeper->schedule->writer);

    ngx_gate_trigger_end(keeper);
}


void
ngx_gate_keeper_sleep(ngx_gate_keeper_t *keeper)
{
    ngx_uint_t  i;

    for (i = 0; i < keeper->gate->checks.nelts; i++) {
        ngx_gate_run_end(&keeper->runs[i]);
    }

    ngx_gate_trigger_end(keeper);

    ngx_gate_timers_del(&keeper->schedule->timers, &keeper->deadline);

    keeper->news = 0;
}


/* nothing is left to be done, or to be told */

ngx_uint_t
ngx_gate_keeper_is_idle(ngx_gate_keeper_t *keeper)
{
    ngx_uint_t  i;

    if (!keeper->record.latch.latched || keeper->news) {
        return 0;
    }

    for (i = 0; i < keeper->gate->checks.nelts; i++) {
        if (ngx_gate_keeper_needs(keeper, i)) {
            return 0;
        }
    }

    return 1;
}


static void
ngx_gate_keeper_verdict(ngx_gate_run_t *run)
{
    ngx_uint_t                i, changed, counted;
    ngx_gate_keeper_t        *keeper;
    ngx_gate_check_record_t  *record;

    keeper = run->keeper;
    record = run->record;
    i = run->probe.check->index;

    counted = record->status.up;

    if (ngx_gate_schedule_write_begin(keeper->schedule) != NGX_OK) {
        return;
    }

    changed = ngx_gate_keeper_note(run);

    record->next_check = record->last_checked + ngx_gate_keeper_pause(run);

    ngx_gate_zone_publish_check(run->shared, record);

    ngx_gate_writer_write_end(&keeper->schedule->writer);

    if (ngx_gate_keeper_needs(keeper, i)) {
        ngx_gate_run_at(run, record->next_check - record->last_checked);

    } else {
        changed = 1;
    }

    if (changed) {
        ngx_gate_keeper_news(keeper);
    }

    if (record->status.up && !counted) {
        ngx_gate_keeper_release(keeper, i);
    }
}


/* returns whether anything has changed that the gate may care about */

static ngx_uint_t
ngx_gate_keeper_note(ngx_gate_run_t *run)
{
    ngx_uint_t                changed;
    ngx_gate_t               *gate;
    ngx_gate_result_t        *result;
    ngx_gate_status_t         before;
    ngx_gate_check_record_t  *record;

    gate = run->keeper->gate;
    record = run->record;
    result = &run->probe.result;

    before = record->status;

    if (!ngx_gate_reason_is_local(result->reason)) {
        ngx_gate_state_update_status(&record->status, result->verdict,
                                     gate->rise, gate->fall);
    }

    changed = record->result.verdict != result->verdict
              || record->result.reason != result->reason;

    if (changed) {
        record->consecutive = 1;
        ngx_gate_keeper_log_check(run);

    } else {
        record->consecutive++;
    }

    changed |= before.up != record->status.up
               || before.verdict != record->status.verdict
               || record->result.observed != result->observed
               || record->result.expected != result->expected;

    record->result = *result;
    record->carried_over = 0;
    record->last_checked = ngx_gate_record_now();

    if (result->verdict == NGX_GATE_PASSED
        && before.verdict != NGX_GATE_PASSED)
    {
        record->passed_at = record->last_checked;
    }

    record->duration = run->duration;

    run->shared->recent[record->attempts % NGX_GATE_RECENT] =
                                        (run->duration << 3) | result->verdict;
    run->shared->failures[result->reason]++;

    record->attempts++;

    ngx_gate_rate_add(&run->rate, ngx_current_msec, result->observed,
                      result->expected);

    return changed;
}


/* jittered downward, so that many instances do not ask in step */

static ngx_msec_t
ngx_gate_keeper_pause(ngx_gate_run_t *run)
{
    ngx_msec_t          pause;
    ngx_gate_t         *gate;
    ngx_gate_check_t   *check;
    ngx_gate_result_t  *result;

    gate = run->keeper->gate;
    check = run->probe.check;
    result = &run->probe.result;

    pause = check->interval;

    if (!gate->latch
        && ngx_gate_state_is_open(gate, run->keeper->record.latch.state))
    {
        pause = check->interval_open;
    }

    if (result->verdict != NGX_GATE_ERROR
        || ngx_gate_reason_is_local(result->reason))
    {
        run->errors = 0;

    } else {
        pause = ngx_gate_state_backoff(pause, gate->backoff, result->reason,
                                       ++run->errors);
    }

    return ngx_gate_keeper_jitter(pause);
}


static ngx_msec_t
ngx_gate_keeper_jitter(ngx_msec_t pause)
{
    return pause - (ngx_msec_t) ngx_random() % (pause / 10 + 1);
}


/* the gate has closed: from now on its checks run as before it opened */

static void
ngx_gate_keeper_hasten(ngx_gate_keeper_t *keeper)
{
    ngx_uint_t       i;
    ngx_msec_t       pause;
    ngx_gate_run_t  *run;

    if (ngx_gate_schedule_write_begin(keeper->schedule) != NGX_OK) {
        return;
    }

    for (i = 0; i < keeper->gate->checks.nelts; i++) {
        run = &keeper->runs[i];
        pause = ngx_gate_keeper_jitter(run->probe.check->interval);

        if (run->busy
            || !run->timer.set
            || (ngx_msec_int_t) (run->timer.node.key - ngx_current_msec
                                 - pause) <= 0
            || run->record->result.verdict == NGX_GATE_ERROR)
        {
            continue;
        }

        run->record->next_check = ngx_gate_record_now() + pause;

        ngx_gate_zone_publish_check(run->shared, run->record);
        ngx_gate_run_at(run, pause);
    }

    ngx_gate_writer_write_end(&keeper->schedule->writer);
}


static void
ngx_gate_keeper_log_check(ngx_gate_run_t *run)
{
    ngx_str_t           message;
    ngx_uint_t          level;
    ngx_gate_result_t  *result;

    result = &run->probe.result;

    message.data = result->message;
    message.len = result->message_len;

    if (message.len == 0) {
        message = ngx_gate_reason_names[result->reason];
    }

    level = (result->verdict == NGX_GATE_FAILED
             || ngx_gate_reason_is_permanent(result->reason))
            ? NGX_LOG_ERR : NGX_LOG_NOTICE;

    ngx_log_error(level, run->keeper->schedule->log, 0,
                  "init gate \"%V\": check \"%V\" %V%s%V",
                  &run->keeper->gate->name, &run->probe.check->name,
                  &ngx_gate_verdict_names[result->verdict],
                  message.len ? ": " : "", &message);
}


/* whether this check still has to be probed */

static ngx_uint_t
ngx_gate_keeper_needs(ngx_gate_keeper_t *keeper, ngx_uint_t i)
{
    ngx_gate_check_t  *check;

    check = ngx_gate_check_at(keeper->gate, i);

    if (keeper->record.latch.latched
        && (!check->optional || keeper->checks[i].status.up))
    {
        return 0;
    }

    return check->after == NGX_GATE_NONE
           || keeper->checks[i].attempts
           || keeper->checks[check->after].status.up;
}


/* what was waiting for this check to pass runs at once */

static void
ngx_gate_keeper_release(ngx_gate_keeper_t *keeper, ngx_uint_t passed)
{
    ngx_uint_t  i;

    for (i = 0; i < keeper->gate->checks.nelts; i++) {

        if (ngx_gate_check_at(keeper->gate, i)->after == passed
            && keeper->checks[i].attempts == 0
            && ngx_gate_keeper_needs(keeper, i)
            && !keeper->runs[i].busy)
        {
            ngx_gate_run_at(&keeper->runs[i], 0);
        }
    }
}


/* tell: whoever waits has to look, even if the state is as it was */

static void
ngx_gate_keeper_update(ngx_gate_keeper_t *keeper, ngx_uint_t tell)
{
    ngx_uint_t            open, changed;
    ngx_gate_schedule_t  *schedule;

    schedule = keeper->schedule;

    if (ngx_gate_schedule_write_begin(schedule) != NGX_OK) {
        return;
    }

    keeper->news = 0;

    open = ngx_gate_state_is_open(keeper->gate, keeper->record.latch.state);
    changed = ngx_gate_record_recompute(keeper->gate, &keeper->record,
                                        keeper->checks);

    ngx_gate_keeper_estimate(keeper);
    ngx_gate_zone_publish(keeper->gate, &keeper->record, keeper->checks);

    if (changed || tell) {
        ngx_memory_barrier();
        schedule->zone->changes++;
    }

    ngx_gate_writer_write_end(&schedule->writer);

    if (changed) {
        ngx_gate_keeper_log_state(keeper);
        ngx_gate_keeper_clocks(keeper);
    }

    if (open
        && !ngx_gate_state_is_open(keeper->gate, keeper->record.latch.state))
    {
        ngx_gate_keeper_hasten(keeper);
    }

    if (keeper->record.latch.latched) {
        ngx_gate_keeper_tidy(keeper);
    }
}


/*
 * When the slowest of those checks that count will be there, by its own rate,
 * and not before the last start had taken, where there has been one.
 */

static void
ngx_gate_keeper_estimate(ngx_gate_keeper_t *keeper)
{
    int64_t             eta, longest;
    ngx_uint_t          i;
    ngx_gate_record_t  *record;

    record = &keeper->record;

    record->eta = -1;
    record->retry_after = ngx_gate_state_retry_after(-1);

    if (ngx_gate_state_is_open(keeper->gate, record->latch.state)) {
        record->eta = 0;
        record->retry_after = 0;
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

    for (i = 0; i < keeper->gate->checks.nelts; i++) {

        if (ngx_gate_check_at(keeper->gate, i)->optional
            || keeper->checks[i].status.up)
        {
            continue;
        }

        eta = ngx_gate_rate_eta(&keeper->runs[i].rate, ngx_current_msec);
        longest = ngx_max(longest, eta);
    }

    record->eta = longest;
    record->retry_after = ngx_gate_state_retry_after(longest);
}


static void
ngx_gate_keeper_log_state(ngx_gate_keeper_t *keeper)
{
    ngx_uint_t          level;
    ngx_gate_record_t  *record;

    record = &keeper->record;

    level = (record->latch.state == NGX_GATE_STATE_FAILED
             || record->latch.state == NGX_GATE_STATE_OVERDUE)
            ? NGX_LOG_ERR : NGX_LOG_NOTICE;

    if (record->latch.state == NGX_GATE_STATE_READY
        || record->latch.state == NGX_GATE_STATE_DEGRADED)
    {
        ngx_log_error(level, keeper->schedule->log, 0,
                      "init gate \"%V\" is %V after %M.%03Ms",
                      &keeper->gate->name,
                      &ngx_gate_state_names[record->latch.state],
                      (ngx_current_msec - record->closed_msec) / 1000,
                      (ngx_current_msec - record->closed_msec) % 1000);
        return;
    }

    ngx_log_error(level, keeper->schedule->log, 0,
                  "init gate \"%V\" is %V%s",
                  &keeper->gate->name,
                  &ngx_gate_state_names[record->latch.state],
                  record->latch.state != NGX_GATE_STATE_OVERDUE ? ""
                  : keeper->gate->deadline_open ? ", and open all the same"
                                                : "");
}


static void
ngx_gate_keeper_clocks(ngx_gate_keeper_t *keeper)
{
    ngx_msec_int_t      left;
    ngx_gate_record_t  *record;

    record = &keeper->record;

    ngx_gate_timers_del(&keeper->schedule->timers, &keeper->deadline);

    if (keeper->gate->deadline && !record->latch.opened) {
        left = (ngx_msec_int_t) (record->deadline_msec - ngx_current_msec);

        if (left > 0) {
            ngx_gate_timers_add(&keeper->schedule->timers, &keeper->deadline,
                                (ngx_msec_t) left);
        }
    }

    if (ngx_gate_state_is_open(keeper->gate, record->latch.state)) {
        keeper->remind = 0;

    } else if (keeper->remind == 0) {
        keeper->remind = NGX_GATE_REMIND_FIRST;
        keeper->remind_at = ngx_current_msec + keeper->remind;
    }
}


void
ngx_gate_keeper_news(ngx_gate_keeper_t *keeper)
{
    keeper->news = 1;

    ngx_post_event(&keeper->schedule->turn, &ngx_posted_events);
}


static void
ngx_gate_keeper_deadline(ngx_gate_timer_t *timer)
{
    ngx_gate_keeper_t  *keeper;

    keeper = ngx_rbtree_data(timer, ngx_gate_keeper_t, deadline);

    ngx_gate_keeper_update(keeper, 0);
}


/* with every beat: a gate that stays closed is logged again and again */

void
ngx_gate_keeper_remind(ngx_gate_keeper_t *keeper)
{
    ngx_str_t        message;
    ngx_uint_t       i;
    ngx_gate_run_t  *run;

    if (keeper->remind == 0
        || (ngx_msec_int_t) (ngx_current_msec - keeper->remind_at) < 0)
    {
        return;
    }

    for (i = 0; i < keeper->gate->checks.nelts; i++) {
        run = &keeper->runs[i];

        if (run->probe.check->optional || run->record->status.up) {
            continue;
        }

        message.data = run->record->result.message;
        message.len = run->record->result.message_len;

        ngx_log_error(NGX_LOG_WARN, keeper->schedule->log, 0,
                      "init gate \"%V\": check \"%V\" %V%s%V, "
                      "gate closed for %Ms",
                      &keeper->gate->name, &run->probe.check->name,
                      &ngx_gate_verdict_names[run->record->result.verdict],
                      message.len ? ": " : "", &message,
                      (ngx_current_msec - keeper->record.closed_msec) / 1000);
    }

    keeper->remind = ngx_min(keeper->remind * 2, NGX_GATE_REMIND_MAX);
    keeper->remind_at = ngx_current_msec + keeper->remind;
}
