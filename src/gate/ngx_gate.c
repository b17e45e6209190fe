
/*
 * The pure logic: verdicts to standings, standings to the state of a gate.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>


#define NGX_GATE_RETRY_DEFAULT      5
#define NGX_GATE_RETRY_MAX          60
#define NGX_GATE_BACKOFF_HOPELESS   30000


static ngx_gate_state_e ngx_gate_closed_state(ngx_gate_t *gate,
    ngx_gate_check_record_t *checks, ngx_gate_memory_t *memory,
    ngx_uint_t past_deadline);

static ngx_uint_t ngx_gate_share(ngx_gate_check_record_t *check);


ngx_str_t  ngx_gate_verdict_names[] = {
    ngx_string("pending"),
    ngx_string("error"),
    ngx_string("failed"),
    ngx_string("waiting"),
    ngx_string("running"),
    ngx_string("passed")
};


ngx_str_t  ngx_gate_state_names[] = {
    ngx_string("starting"),
    ngx_string("initializing"),
    ngx_string("ready"),
    ngx_string("degraded"),
    ngx_string("overdue"),
    ngx_string("failed")
};


/* in the order of ngx_gate_reason_e */

ngx_str_t  ngx_gate_reason_names[] = {
    ngx_null_string,
    ngx_string("missing"),
    ngx_string("present"),
    ngx_string("mismatch"),
    ngx_string("too_small"),
    ngx_string("too_old"),
    ngx_string("stale"),
    ngx_string("too_few"),
    ngx_string("wrong_type"),
    ngx_string("bad_status"),
    ngx_string("uninitialized"),
    ngx_string("behind"),
    ngx_string("ahead"),
    ngx_string("other_revision"),
    ngx_string("dirty"),
    ngx_string("stale_lock"),
    ngx_string("in_progress"),
    ngx_string("locked"),
    ngx_string("starting"),
    ngx_string("loading"),
    ngx_string("reported"),
    ngx_string("refused"),
    ngx_string("reset"),
    ngx_string("unreachable"),
    ngx_string("timeout"),
    ngx_string("dns"),
    ngx_string("tls"),
    ngx_string("auth"),
    ngx_string("denied"),
    ngx_string("no_database"),
    ngx_string("too_many_connections"),
    ngx_string("other_role"),
    ngx_string("protocol"),
    ngx_string("query"),
    ngx_string("io"),
    ngx_string("no_secret"),
    ngx_string("no_memory"),
    ngx_string("no_connections")
};


ngx_uint_t
ngx_gate_reason_is_ours(ngx_gate_reason_e reason)
{
    return reason == NGX_GATE_NO_MEMORY || reason == NGX_GATE_NO_CONNECTIONS;
}


ngx_uint_t
ngx_gate_reason_is_hopeless(ngx_gate_reason_e reason)
{
    return reason == NGX_GATE_AUTH
           || reason == NGX_GATE_DENIED
           || reason == NGX_GATE_NO_DATABASE;
}


void
ngx_gate_standing_update(ngx_gate_standing_t *standing,
    ngx_gate_verdict_e verdict, ngx_uint_t rise, ngx_uint_t fall)
{
    standing->verdict = verdict;

    if (verdict == NGX_GATE_PASSED) {
        standing->others = 0;
        standing->passes++;

        if (standing->passes >= rise) {
            standing->counts = 1;
        }

        return;
    }

    standing->passes = 0;
    standing->others++;

    if (standing->others >= fall) {
        standing->counts = 0;
    }
}


void
ngx_gate_decide(ngx_gate_t *gate, ngx_gate_check_record_t *checks,
    ngx_gate_memory_t *memory, ngx_uint_t past_deadline)
{
    ngx_uint_t         i, whole, open;
    ngx_gate_check_t  *check;

    whole = 1;
    open = 1;

    for (i = 0; i < gate->checks.nelts; i++) {

        if (checks[i].standing.counts) {
            continue;
        }

        check = ngx_gate_check_at(gate, i);

        if (check->optional) {
            whole = 0;

        } else {
            open = 0;
        }
    }

    if (memory->latched || open) {
        memory->state = whole ? NGX_GATE_STATE_READY
                              : NGX_GATE_STATE_DEGRADED;
        memory->opened = 1;
        memory->latched = gate->latch;
        return;
    }

    memory->state = ngx_gate_closed_state(gate, checks, memory,
                                          past_deadline);
}


static ngx_gate_state_e
ngx_gate_closed_state(ngx_gate_t *gate, ngx_gate_check_record_t *checks,
    ngx_gate_memory_t *memory, ngx_uint_t past_deadline)
{
    ngx_uint_t  i, starting;

    starting = (memory->state == NGX_GATE_STATE_STARTING);

    for (i = 0; i < gate->checks.nelts; i++) {

        if (ngx_gate_check_at(gate, i)->optional) {
            continue;
        }

        switch (checks[i].standing.verdict) {

        case NGX_GATE_PENDING:
        case NGX_GATE_PASSED:
            break;

        case NGX_GATE_FAILED:

            if (!checks[i].standing.counts) {
                return NGX_GATE_STATE_FAILED;
            }

            /* fall through */

        default:
            starting = 0;
        }
    }

    if (past_deadline && !memory->opened) {
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


ngx_int_t
ngx_gate_progress(ngx_gate_t *gate, ngx_gate_check_record_t *checks)
{
    ngx_uint_t  i, n, sum, known;

    n = 0;
    sum = 0;
    known = 0;

    for (i = 0; i < gate->checks.nelts; i++) {

        if (ngx_gate_check_at(gate, i)->optional) {
            continue;
        }

        n++;
        sum += ngx_gate_share(&checks[i]);
        known |= (checks[i].standing.verdict != NGX_GATE_PENDING);
    }

    if (!known) {
        return -1;
    }

    return (ngx_int_t) (sum / n);
}


/* what one check adds to the progress of its gate */

static ngx_uint_t
ngx_gate_share(ngx_gate_check_record_t *check)
{
    int64_t  observed, expected;

    if (check->standing.verdict == NGX_GATE_PASSED) {
        return NGX_GATE_WHOLE;
    }

    observed = check->result.observed;
    expected = check->result.expected;

    if (observed <= 0 || expected <= 0) {
        return 0;
    }

    if (observed >= expected) {
        return NGX_GATE_WHOLE;
    }

    return (ngx_uint_t) ((double) observed * NGX_GATE_WHOLE
                         / (double) expected);
}


ngx_msec_t
ngx_gate_pause(ngx_msec_t interval, ngx_msec_t backoff,
    ngx_gate_reason_e reason, ngx_uint_t errors)
{
    ngx_msec_t  pause;

    if (ngx_gate_reason_is_hopeless(reason)) {
        backoff = ngx_max(backoff, NGX_GATE_BACKOFF_HOPELESS);
    }

    backoff = ngx_max(backoff, interval);

    /* the probe that first ended in an error is followed by one interval */

    for (pause = interval; errors > 1 && pause < backoff; errors--) {
        pause *= 2;
    }

    return ngx_min(pause, backoff);
}


ngx_uint_t
ngx_gate_retry_after(int64_t eta)
{
    if (eta < 0) {
        return NGX_GATE_RETRY_DEFAULT;
    }

    eta = (eta + 999) / 1000;

    return (ngx_uint_t) ngx_max(1, ngx_min(eta, NGX_GATE_RETRY_MAX));
}
