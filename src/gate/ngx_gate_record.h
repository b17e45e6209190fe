
/*
 * The record of a gate over time: how it begins, what a new verdict makes of
 * it, and what a reload hands on.
 */


#ifndef _NGX_GATE_RECORD_H_INCLUDED_
#define _NGX_GATE_RECORD_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>


int64_t ngx_gate_now(void);    /* ms since the epoch */

void ngx_gate_check_record_init(ngx_gate_check_record_t *record);

/*
 * Decides on the state anew; on a change, notes the times that go with it and
 * adds to the history.  Returns whether the state has changed.
 */

ngx_uint_t ngx_gate_settle(ngx_gate_t *gate, ngx_gate_record_t *record,
    ngx_gate_check_record_t *checks);

/* fills a new zone, from the one before it where there is one */

ngx_int_t ngx_gate_seed(ngx_array_t *gates, ngx_gate_zone_t *old,
    ngx_log_t *log);


#endif /* _NGX_GATE_RECORD_H_INCLUDED_ */
