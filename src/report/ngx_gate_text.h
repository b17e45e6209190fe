
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Text in the format of /readyz?verbose of Kubernetes.
 */


#ifndef _NGX_GATE_TEXT_H_INCLUDED_
#define _NGX_GATE_TEXT_H_INCLUDED_


#include <ngx_gate_report.h>


/* a line for each override in force */

size_t ngx_gate_text_overrides_size(const ngx_gate_report_t *report);
u_char *ngx_gate_text_overrides(u_char *p, const ngx_gate_report_t *report);

size_t ngx_gate_text_check_size(ngx_gate_t *gate, ngx_gate_check_t *check);

/* one line; the gate's name precedes the check's if it is given */

u_char *ngx_gate_text_check(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record,
    ngx_uint_t excluded);


#endif /* _NGX_GATE_TEXT_H_INCLUDED_ */
