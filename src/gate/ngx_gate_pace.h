
/*
 * How fast a counting check counts, and so when it will be there.
 */


#ifndef _NGX_GATE_PACE_H_INCLUDED_
#define _NGX_GATE_PACE_H_INCLUDED_


#include <ngx_gate.h>


#define NGX_GATE_PACE_SAMPLES  8


typedef struct {
    ngx_uint_t                n;            /* changes seen, ever */
    int64_t                   expected;
    struct {
        ngx_msec_t            at;
        int64_t               observed;
    } samples[NGX_GATE_PACE_SAMPLES];
} ngx_gate_pace_t;


void ngx_gate_pace_note(ngx_gate_pace_t *pace, ngx_msec_t now,
    int64_t observed, int64_t expected);

/* ms, or -1 while there is no basis for a number */

int64_t ngx_gate_pace_eta(ngx_gate_pace_t *pace, ngx_msec_t now);


#endif /* _NGX_GATE_PACE_H_INCLUDED_ */
