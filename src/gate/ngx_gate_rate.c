
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The rate of a counting check; see ngx_gate_rate.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_rate.h>


/* minimum time for which a rate is computed, ms */

#define NGX_GATE_RATE_ELAPSED_MIN  200


#define ngx_gate_rate_sample(rate, i)                                         \
    (&(rate)->samples[(i) % NGX_GATE_RATE_SAMPLES])


void
ngx_gate_rate_add(ngx_gate_rate_t *rate, ngx_msec_t now, int64_t observed,
    int64_t expected)
{
    int64_t  before;

    if (observed < 0 || expected <= 0) {
        rate->n = 0;
        return;
    }

    if (rate->n) {
        before = ngx_gate_rate_sample(rate, rate->n - 1)->observed;

        if (observed < before || expected != rate->expected) {
            /* the count was reset */
            rate->n = 0;

        } else if (observed == before) {
            return;
        }
    }

    rate->expected = expected;
    ngx_gate_rate_sample(rate, rate->n)->at = now;
    ngx_gate_rate_sample(rate, rate->n)->observed = observed;
    rate->n++;
}


/* until now, not until the last change: the rate of a stalled count falls */

int64_t
ngx_gate_rate_eta(ngx_gate_rate_t *rate, ngx_msec_t now)
{
    double      speed;
    int64_t     first, last;
    ngx_msec_t  elapsed;
    ngx_uint_t  oldest;

    if (rate->n < 2) {
        return -1;
    }

    oldest = rate->n > NGX_GATE_RATE_SAMPLES ? rate->n - NGX_GATE_RATE_SAMPLES
                                             : 0;

    first = ngx_gate_rate_sample(rate, oldest)->observed;
    last = ngx_gate_rate_sample(rate, rate->n - 1)->observed;
    elapsed = now - ngx_gate_rate_sample(rate, oldest)->at;

    if (elapsed < NGX_GATE_RATE_ELAPSED_MIN) {
        return -1;
    }

    if (last >= rate->expected) {
        return 0;
    }

    speed = (double) (last - first) / (double) elapsed;

    return (int64_t) ((double) (rate->expected - last) / speed);
}
