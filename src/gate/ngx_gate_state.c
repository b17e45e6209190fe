
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The state of a gate: computed from the status of each check, which is
 * computed from its verdicts; see ngx_gate_state.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>


#define NGX_GATE_RETRY_AFTER_DEFAULT  5
#define NGX_GATE_RETRY_AFTER_FAILED   30
#define NGX_GATE_RETRY_AFTER_MAX      60


static ngx_gate_state_e ngx_gate_state_compute_closed(ngx_gate_t *gate,
    ngx_gate_check_record_t *checks, ngx_gate_latch_t *latch,
    ngx_uint_t past_deadline);

static ngx_uint_t ngx_gate_state_check_progress(ngx_gate_result_t *result);


ngx_str_t  ngx_gate_state_names[] = {
    ngx_string("starting"),
    ngx_string("initializing"),
    ngx_string("ready"),
    ngx_string("degraded"),
    ngx_string("overdue"),
    ngx_string("failed")
};


void
ngx_gate_state_update_status(ngx_gate_status_t *status,
    ngx_gate_verdict_e verdict, ngx_uint_t rise, ngx_uint_t fall)
{
    status->verdict = verdict;
    status->outdated = 0;

    if (verdict == NGX_GATE_PASSED) {
        status->misses = 0;
        status->passes++;

        if (status->passes >= rise) {
            status->up = 1;
        }

        return;
    }

    status->passes = 0;
    status->misses++;

    if (status->misses >= fall) {
        status->up = 0;
    }
}


void
ngx_gate_state_compute(ngx_gate_t *gate, ngx_gate_check_record_t *checks,
    ngx_gate_latch_t *latch, ngx_uint_t past_deadline)
{
    ngx_uint_t         i, whole, open;
    ngx_gate_check_t  *check;

    whole = 1;
    open = 1;

    for (i = 0; i < gate->checks.nelts; i++) {

        if (checks[i].status.up && !checks[i].status.outdated) {
            continue;
        }

        check = ngx_gate_check_at(gate, i);

        if (check->optional) {
            whole = 0;

        } else {
            open = 0;
        }
    }

    if (latch->latched || open) {
        latch->state = whole ? NGX_GATE_STATE_READY
                             : NGX_GATE_STATE_DEGRADED;
        latch->opened = 1;
        latch->latched = gate->latch;
        return;
    }

    latch->state = ngx_gate_state_compute_closed(gate, checks, latch,
                                                 past_deadline);
}


static ngx_gate_state_e
ngx_gate_state_compute_closed(ngx_gate_t *gate,
    ngx_gate_check_record_t *checks, ngx_gate_latch_t *latch,
    ngx_uint_t past_deadline)
{
    ngx_uint_t  i, starting;

    starting = (latch->state == NGX_GATE_STATE_STARTING);

    for (i = 0; i < gate->checks.nelts; i++) {

        if (ngx_gate_check_at(gate, i)->optional) {
            continue;
        }

        switch (checks[i].status.verdict) {

        case NGX_GATE_PENDING:
        case NGX_GATE_PASSED:
            break;

        case NGX_GATE_FAILED:

            if (!checks[i].status.up) {
                return NGX_GATE_STATE_FAILED;
            }

            /* fall through */

        default:
            starting = 0;
        }
    }

    if (past_deadline && !latch->opened) {
        return NGX_GATE_STATE_OVERDUE;
    }

    return starting ? NGX_GATE_STATE_STARTING : NGX_GATE_STATE_INITIALIZING;
}


ngx_uint_t
ngx_gate_state_is_open(ngx_gate_t *gate, ngx_gate_state_e state)
{
    return state == NGX_GATE_STATE_READY
           || state == NGX_GATE_STATE_DEGRADED
           || (state == NGX_GATE_STATE_OVERDUE && gate->deadline_open);
}


/*
 * The mean of the required checks; unknown until a check has passed or has
 * counted.
 */

void
ngx_gate_state_progress(ngx_gate_t *gate, ngx_gate_check_record_t *checks,
    ngx_gate_state_progress_t *progress)
{
    ngx_uint_t  i, sum;

    sum = 0;

    progress->required = 0;
    progress->passed = 0;
    progress->counting = 0;

    for (i = 0; i < gate->checks.nelts; i++) {

        if (ngx_gate_check_at(gate, i)->optional) {
            continue;
        }

        progress->required++;

        if (checks[i].result.observed >= 0 && checks[i].result.expected > 0) {
            progress->counting++;
        }

        if (checks[i].status.verdict == NGX_GATE_PASSED) {
            progress->passed++;
            sum += NGX_GATE_PROGRESS_MAX;

        } else {
            sum += ngx_gate_state_check_progress(&checks[i].result);
        }
    }

    progress->ratio = (progress->passed || progress->counting)
                      ? (ngx_int_t) (sum / progress->required) : -1;
}


/* the share of a check that has not passed in the progress of its gate */

static ngx_uint_t
ngx_gate_state_check_progress(ngx_gate_result_t *result)
{
    if (result->observed <= 0 || result->expected <= 0) {
        return 0;
    }

    if (result->observed >= result->expected) {
        return NGX_GATE_PROGRESS_MAX;
    }

    return (ngx_uint_t) ((double) result->observed * NGX_GATE_PROGRESS_MAX
                         / (double) result->expected);
}


ngx_msec_t
ngx_gate_state_backoff(ngx_msec_t interval, ngx_msec_t backoff,
    ngx_uint_t errors)
{
    ngx_msec_t  pause;

    backoff = ngx_max(backoff, interval);

    /* the first error in a row is followed by one interval */

    for (pause = interval; errors > 1 && pause < backoff; errors--) {
        pause *= 2;
    }

    return ngx_min(pause, backoff);
}


ngx_uint_t
ngx_gate_state_retry_after(ngx_gate_state_e state, int64_t eta)
{
    if (state == NGX_GATE_STATE_FAILED) {
        return NGX_GATE_RETRY_AFTER_FAILED;
    }

    if (eta < 0) {
        return NGX_GATE_RETRY_AFTER_DEFAULT;
    }

    eta = (eta + 999) / 1000;

    return (ngx_uint_t) ngx_max(1, ngx_min(eta, NGX_GATE_RETRY_AFTER_MAX));
}
