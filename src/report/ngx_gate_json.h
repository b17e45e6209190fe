
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * JSON: the public and the detailed report of a gate.
 */


#ifndef _NGX_GATE_JSON_H_INCLUDED_
#define _NGX_GATE_JSON_H_INCLUDED_


#include <ngx_gate_report.h>


size_t ngx_gate_json_size(ngx_gate_t *gate);
u_char *ngx_gate_json_gate(u_char *p, u_char *last,
    const ngx_gate_report_t *report);

size_t ngx_gate_json_details_size(ngx_gate_t *gate,
    const ngx_gate_report_details_t *details);
u_char *ngx_gate_json_details(u_char *p, u_char *last,
    const ngx_gate_report_t *report, const ngx_gate_report_details_t *details);

/* RFC 3339 in UTC with milliseconds, 24 characters */

#define NGX_GATE_JSON_TIME_LEN  (sizeof("2026-11-20T08:00:00.000Z") - 1)

u_char *ngx_gate_json_format_time(u_char *p, int64_t ms);

/* from 1/10000 to "0.42", at most 6 characters; empty if unknown */

u_char *ngx_gate_json_format_progress(u_char *p, ngx_int_t progress);


#endif /* _NGX_GATE_JSON_H_INCLUDED_ */
