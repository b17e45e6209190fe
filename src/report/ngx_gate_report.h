
/*
 * One gate and its checks, read whole: what every renderer is given.
 *
 * Renderers write from p on, never beyond last, and return the end of what
 * they wrote; what their _size() says always suffices.
 */


#ifndef _NGX_GATE_REPORT_H_INCLUDED_
#define _NGX_GATE_REPORT_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_stats.h>


typedef struct {
    ngx_gate_t               *gate;
    ngx_gate_record_t        *record;    /* latch.state, progress, eta, ... */
    ngx_gate_check_record_t  *checks;    /* in the order of gate->checks */
} ngx_gate_report_t;


#endif /* _NGX_GATE_REPORT_H_INCLUDED_ */
