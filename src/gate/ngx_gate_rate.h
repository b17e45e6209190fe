
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The rate at which a counting check progresses, and the estimated remaining
 * time.
 */


#ifndef _NGX_GATE_RATE_H_INCLUDED_
#define _NGX_GATE_RATE_H_INCLUDED_


#include <ngx_gate.h>


#define NGX_GATE_RATE_SAMPLES  8


typedef struct {
    ngx_uint_t                n;            /* number of changes since the
                                               start */
    int64_t                   expected;
    struct {
        ngx_msec_t            at;
        int64_t               observed;
    } samples[NGX_GATE_RATE_SAMPLES];
} ngx_gate_rate_t;


void ngx_gate_rate_add(ngx_gate_rate_t *rate, ngx_msec_t now, int64_t observed,
    int64_t expected);

/* ms, or -1 while the rate is unknown */

int64_t ngx_gate_rate_eta(ngx_gate_rate_t *rate, ngx_msec_t now);


#endif /* _NGX_GATE_RATE_H_INCLUDED_ */
