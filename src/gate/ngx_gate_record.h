
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The record of a gate: initialization, update by a verdict, and inheritance
 * at a reload.
 */


#ifndef _NGX_GATE_RECORD_H_INCLUDED_
#define _NGX_GATE_RECORD_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>


int64_t ngx_gate_record_now(void); /* ms since the epoch */

void ngx_gate_record_init_check(ngx_gate_check_record_t *record);

/* returns whether the result may change the gate */

ngx_uint_t ngx_gate_record_add_result(ngx_gate_check_record_t *record,
    ngx_gate_result_t *result, uint32_t duration, ngx_uint_t rise,
    ngx_uint_t fall);

/*
 * Computes the state; on a change, sets its times and adds to the history.
 * Returns whether the state has changed.
 */

ngx_uint_t ngx_gate_record_recompute(ngx_gate_t *gate,
    ngx_gate_record_t *record, ngx_gate_check_record_t *checks);

/* initializes the records of a new zone, from those of the old one if any */

ngx_int_t ngx_gate_record_init_zone(ngx_array_t *gates, ngx_gate_zone_t *zone,
    ngx_gate_zone_t *old, ngx_log_t *log);

/*
 * Called by the first owner of the zone: the time that other modules have
 * taken since init_zone() does not count for the gate.
 */

void ngx_gate_record_begin(ngx_gate_t *gate, ngx_gate_record_t *record,
    ngx_gate_zone_t *zone);


#endif /* _NGX_GATE_RECORD_H_INCLUDED_ */
