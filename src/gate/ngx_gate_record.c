
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The record of a gate; see ngx_gate_record.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_record.h>


static void ngx_gate_record_compute_first(ngx_gate_t *gate,
    ngx_gate_record_t *record, ngx_gate_check_record_t *checks,
    ngx_gate_shared_t *from);
static void ngx_gate_record_init(ngx_gate_t *gate, ngx_gate_record_t *record);
static void ngx_gate_record_inherit(ngx_gate_t *gate,
    ngx_gate_record_t *record, ngx_gate_check_record_t *checks,
    ngx_gate_shared_t *old);
static ngx_uint_t ngx_gate_record_inherit_checks(ngx_gate_t *gate,
    ngx_gate_check_record_t *checks, ngx_gate_shared_t *old);
static void ngx_gate_record_set_deadline(ngx_gate_t *gate,
    ngx_gate_record_t *record);
static ngx_gate_shared_t *ngx_gate_record_find_shared(ngx_gate_zone_t *zone,
    ngx_str_t *name);


int64_t
ngx_gate_record_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + tp->msec;
}


void
ngx_gate_record_init_check(ngx_gate_check_record_t *record)
{
    ngx_memzero(record, sizeof(ngx_gate_check_record_t));

    record->result.observed = -1;
    record->result.expected = -1;
}


ngx_uint_t
ngx_gate_record_add_result(ngx_gate_check_record_t *record,
    ngx_gate_result_t *result, uint32_t duration, ngx_uint_t rise,
    ngx_uint_t fall)
{
    ngx_uint_t         changed;
    ngx_gate_status_t  before;

    before = record->status;

    if (!ngx_gate_reason_is_local(result->reason)) {
        ngx_gate_state_update_status(&record->status, result->verdict, rise,
                                     fall);
    }

    changed = record->result.verdict != result->verdict
              || record->result.reason != result->reason;

    if (changed) {
        record->consecutive = 1;

    } else {
        record->consecutive++;
    }

    changed |= before.up != record->status.up
               || before.outdated != record->status.outdated
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

    record->duration = duration;
    record->attempts++;

    return changed;
}


ngx_uint_t
ngx_gate_record_recompute(ngx_gate_t *gate, ngx_gate_record_t *record,
    ngx_gate_check_record_t *checks)
{
    ngx_uint_t            open, was_open, was_ready, past_deadline;
    ngx_gate_state_e      before;
    ngx_gate_overrides_t  overrides;

    before = record->latch.state;
    was_open = ngx_gate_state_is_open(gate, before);
    was_ready = record->ready;

    past_deadline = gate->deadline
                    && (ngx_msec_int_t) (ngx_current_msec
                                         - record->deadline_msec) >= 0;

    ngx_gate_state_compute(gate, checks, &record->latch, past_deadline);

    open = ngx_gate_state_is_open(gate, record->latch.state);

    (void) ngx_gate_overrides_read(gate, &overrides);

    record->ready = ngx_gate_overrides_apply(gate, record->latch.state, checks,
                                             &overrides, &record->override);

    if (was_ready && !record->ready) {
        record->shut_msec = ngx_current_msec;
    }

    ngx_gate_state_progress(gate, checks, &record->progress);

    if (record->latch.state == NGX_GATE_STATE_READY
        || record->latch.state == NGX_GATE_STATE_DEGRADED)
    {
        record->progress.ratio = NGX_GATE_PROGRESS_MAX;
    }

    if (record->latch.state == before) {
        return 0;
    }

    if (open && !was_open) {
        record->opened_at = ngx_gate_record_now();
        record->last_startup_msec = ngx_max(1, ngx_current_msec
                                               - record->closed_msec);

    } else if (was_open && !open) {
        record->closed_msec = ngx_current_msec;
    }

    ngx_gate_zone_add_event(record, record->latch.state,
                            ngx_gate_record_now());

    return 1;
}


ngx_int_t
ngx_gate_record_init_zone(ngx_array_t *gates, ngx_gate_zone_t *zone,
    ngx_gate_zone_t *old, ngx_log_t *log)
{
    ngx_uint_t                i, n;
    ngx_gate_t               *gate;
    ngx_gate_record_t         record;
    ngx_gate_shared_t        *from;
    ngx_gate_check_record_t  *checks;

    /* parsing the configuration may have taken long */

    ngx_time_update();

    zone->created_msec = ngx_current_msec;

    gate = gates->elts;

    for (n = 0; n < gates->nelts; n++) {

        checks = ngx_alloc(gate[n].checks.nelts
                           * sizeof(ngx_gate_check_record_t), log);
        if (checks == NULL) {
            return NGX_ERROR;
        }

        for (i = 0; i < gate[n].checks.nelts; i++) {
            ngx_gate_record_init_check(&checks[i]);
        }

        ngx_gate_record_init(&gate[n], &record);

        from = old ? ngx_gate_record_find_shared(old, &gate[n].name) : NULL;

        if (from) {
            ngx_gate_record_inherit(&gate[n], &record, checks, from);

        } else {
            ngx_gate_record_set_deadline(&gate[n], &record);
        }

        ngx_gate_record_compute_first(&gate[n], &record, checks, from);

        for (i = 0; i < gate[n].checks.nelts; i++) {
            ngx_gate_zone_publish_check(NULL, &gate[n].shared->checks[i].slots,
                                        &checks[i]);
        }

        ngx_gate_zone_publish(NULL, &gate[n], &record, checks);

        ngx_free(checks);
    }

    return NGX_OK;
}


void
ngx_gate_record_begin(ngx_gate_t *gate, ngx_gate_record_t *record,
    ngx_gate_zone_t *zone)
{
    if (record->created_msec == zone->created_msec) {
        record->created_msec = ngx_current_msec;

        if (!record->start_inherited) {
            record->started_at = ngx_gate_record_now();

            if (record->nevents == 1) {
                record->events[0].at = record->started_at;
            }
        }
    }

    if (record->started_msec == zone->created_msec) {
        record->started_msec = ngx_current_msec;
    }

    if (record->closed_msec == zone->created_msec) {
        record->closed_msec = ngx_current_msec;
    }

    if (record->shut_msec == zone->created_msec) {
        record->shut_msec = ngx_current_msec;
    }

    ngx_gate_record_set_deadline(gate, record);
}


/*
 * A gate that was open and is open has not changed; one that was closed by
 * the old configuration may be open by the new one.
 */

static void
ngx_gate_record_compute_first(ngx_gate_t *gate, ngx_gate_record_t *record,
    ngx_gate_check_record_t *checks, ngx_gate_shared_t *from)
{
    int64_t     opened_at;
    ngx_msec_t  last_startup_msec;

    opened_at = record->opened_at;
    last_startup_msec = record->last_startup_msec;

    (void) ngx_gate_record_recompute(gate, record, checks);

    if (from && ngx_gate_zone_is_open(from)) {
        record->opened_at = opened_at;
        record->last_startup_msec = last_startup_msec;

    } else if (ngx_gate_state_is_open(gate, record->latch.state)) {
        record->opened_at = ngx_gate_record_now();
    }

    ngx_gate_zone_add_event(record, record->latch.state,
                            ngx_gate_record_now());
}


static void
ngx_gate_record_init(ngx_gate_t *gate, ngx_gate_record_t *record)
{
    ngx_memzero(record, sizeof(ngx_gate_record_t));

    record->progress.ratio = -1;
    record->eta = -1;
    record->retry_after = ngx_gate_state_retry_after(NGX_GATE_STATE_STARTING,
                                                     -1);

    record->started_at = ngx_gate_record_now();

    record->created_msec = ngx_current_msec;
    record->started_msec = ngx_current_msec;
    record->closed_msec = ngx_current_msec;
    record->shut_msec = ngx_current_msec;
}


/*
 * A gate with the same name in the old configuration passes on its age and
 * its history, and its trigger if that is unchanged.  If all checks are
 * unchanged, too, it passes on its state and its latch.  A gate that has been
 * open has met its deadline: with a changed check, it starts again, and so
 * does its deadline.
 */

static void
ngx_gate_record_inherit(ngx_gate_t *gate, ngx_gate_record_t *record,
    ngx_gate_check_record_t *checks, ngx_gate_shared_t *old)
{
    ngx_uint_t         same;
    ngx_gate_record_t  before;

    ngx_gate_zone_read(old, &before);

    same = ngx_gate_record_inherit_checks(gate, checks, old);

    if (same) {
        *record = before;
        record->carried_over = 1;

    } else {

        if (!before.latch.opened) {
            record->created_msec = before.created_msec;
        }

        record->start_inherited = 1;
        record->started_at = before.started_at;
        record->opened_at = before.opened_at;
        record->last_startup_msec = before.last_startup_msec;
        record->rechecks = before.rechecks;

        record->nevents = before.nevents;
        ngx_memcpy(record->events, before.events, sizeof(record->events));
    }

    if (gate->trigger
        && ngx_memcmp(gate->trigger->digest, old->trigger_digest, 16) == 0)
    {
        record->trigger = before.trigger;
        gate->shared->requested = old->requested;

    } else {
        ngx_memzero(&record->trigger, sizeof(record->trigger));
    }

    ngx_gate_record_set_deadline(gate, record);
}


/* whether the checks are the same as before, without others */

static ngx_uint_t
ngx_gate_record_inherit_checks(ngx_gate_t *gate,
    ngx_gate_check_record_t *checks, ngx_gate_shared_t *old)
{
    ngx_uint_t                i, n, found;
    ngx_gate_check_shared_t  *to, *from;

    found = 0;

    for (i = 0; i < gate->checks.nelts; i++) {

        to = &gate->shared->checks[i];

        for (n = 0; n < old->nchecks; n++) {
            from = &old->checks[n];

            if (ngx_memcmp(to->digest, from->digest, 16) != 0) {
                continue;
            }

            ngx_gate_zone_read_check(&from->slots, &checks[i]);
            checks[i].carried_over = (checks[i].attempts != 0);

            ngx_memcpy((void *) to->probes, (void *) from->probes,
                       sizeof(to->probes));
            ngx_memcpy(to->failures, from->failures, sizeof(to->failures));
            ngx_memcpy(to->recent, from->recent, sizeof(to->recent));

            found++;
            break;
        }
    }

    return found == gate->checks.nelts && found == old->nchecks;
}


static void
ngx_gate_record_set_deadline(ngx_gate_t *gate, ngx_gate_record_t *record)
{
    ngx_msec_int_t  age;

    if (gate->deadline == 0) {
        record->deadline_msec = 0;
        record->deadline_at = 0;
        return;
    }

    record->deadline_msec = record->created_msec + gate->deadline;

    /*
     * A gate that is reloaded long after its deadline, with a changed check,
     * still has the time in which requests wait for the first verdicts.
     */

    if (record->latch.state == NGX_GATE_STATE_STARTING
        && record->created_msec != record->started_msec)
    {
        age = (ngx_msec_int_t) (record->deadline_msec - record->started_msec);

        if (age < NGX_GATE_START_WAIT) {
            record->deadline_msec = record->started_msec + NGX_GATE_START_WAIT;
        }
    }

    record->deadline_at = ngx_gate_record_now()
                          + (ngx_msec_int_t) (record->deadline_msec
                                              - ngx_current_msec);
}


static ngx_gate_shared_t *
ngx_gate_record_find_shared(ngx_gate_zone_t *zone, ngx_str_t *name)
{
    ngx_uint_t          i;
    ngx_gate_shared_t  *shared;

    for (i = 0; i < zone->ngates; i++) {
        shared = &zone->gates[i];

        if (shared->name_len == name->len
            && ngx_memcmp(shared->name, name->data, name->len) == 0)
        {
            return shared;
        }
    }

    return NULL;
}
