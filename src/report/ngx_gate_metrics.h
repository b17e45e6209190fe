
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The metrics of all gates in the text format of Prometheus.
 */


#ifndef _NGX_GATE_METRICS_H_INCLUDED_
#define _NGX_GATE_METRICS_H_INCLUDED_


#include <ngx_gate_report.h>
#include <ngx_gate_json.h>


size_t ngx_gate_metrics_size(const ngx_gate_report_t *reports, ngx_uint_t n);
u_char *ngx_gate_metrics(u_char *p, u_char *last,
    const ngx_gate_report_t *reports, const ngx_gate_report_details_t *details,
    ngx_uint_t n);


#endif /* _NGX_GATE_METRICS_H_INCLUDED_ */
