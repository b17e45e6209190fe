
/*
 * The pace of a counting check; see ngx_gate_pace.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_pace.h>


/* less time than this between two samples is no basis for a rate */

#define NGX_GATE_PACE_MIN  200


#define ngx_gate_pace_sample(pace, i)                                         \
    (&(pace)->samples[(i) % NGX_GATE_PACE_SAMPLES])


void
ngx_gate_pace_note(ngx_gate_pace_t *pace, ngx_msec_t now, int64_t observed,
    int64_t expected)
{
    int64_t  before;

    if (observed < 0 || expected <= 0) {
        pace->n = 0;
        return;
    }

    if (pace->n) {
        before = ngx_gate_pace_sample(pace, pace->n - 1)->observed;

        if (observed < before || expected != pace->expected) {
            /* it has begun anew */
            pace->n = 0;

        } else if (observed == before) {
            return;
        }
    }

    pace->expected = expected;
    ngx_gate_pace_sample(pace, pace->n)->at = now;
    ngx_gate_pace_sample(pace, pace->n)->observed = observed;
    pace->n++;
}


/* up to now, not up to the last change: a count that stalls slows down */

int64_t
ngx_gate_pace_eta(ngx_gate_pace_t *pace, ngx_msec_t now)
{
    double      rate;
    int64_t     first, last;
    ngx_msec_t  elapsed;
    ngx_uint_t  oldest;

    if (pace->n < 2) {
        return -1;
    }

    oldest = pace->n > NGX_GATE_PACE_SAMPLES ? pace->n - NGX_GATE_PACE_SAMPLES
                                             : 0;

    first = ngx_gate_pace_sample(pace, oldest)->observed;
    last = ngx_gate_pace_sample(pace, pace->n - 1)->observed;
    elapsed = now - ngx_gate_pace_sample(pace, oldest)->at;

    if (elapsed < NGX_GATE_PACE_MIN) {
        return -1;
    }

    if (last >= pace->expected) {
        return 0;
    }

    rate = (double) (last - first) / (double) elapsed;

    return (int64_t) ((double) (pace->expected - last) / rate);
}
