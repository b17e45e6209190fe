
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A complete copy of one gate and its checks: the input of every renderer.
 *
 * Renderers write from p, never beyond last, and return the end of the
 * output; the result of their _size() is always sufficient.
 */


#ifndef _NGX_GATE_REPORT_H_INCLUDED_
#define _NGX_GATE_REPORT_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_stats.h>
#include <ngx_gate_servers.h>


typedef struct {
    ngx_gate_t               *gate;
    ngx_gate_record_t        *record;    /* latch.state, progress, eta, ... */
    ngx_gate_check_record_t  *checks;    /* in the order of gate->checks */
    ngx_gate_overrides_t     *overrides; /* NULL: none is in force */
} ngx_gate_report_t;


/* data of the detailed report only */

typedef struct {
    ngx_gate_counters_t       counters;
    ngx_gate_zone_event_t    *history;
    ngx_uint_t                nhistory;
    pid_t                     prober_pid;   /* 0: not probed by any worker */
    int64_t                   heartbeat;    /* ms since the epoch */
    ngx_uint_t               *nservers;     /* of each check, at most */
} ngx_gate_report_details_t;


extern ngx_str_t  ngx_gate_report_trigger_names[];


#endif /* _NGX_GATE_REPORT_H_INCLUDED_ */
