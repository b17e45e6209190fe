
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The arguments and the responses of init_status and init_ready.
 */


#ifndef _NGX_HTTP_GATE_QUERY_H_INCLUDED_
#define _NGX_HTTP_GATE_QUERY_H_INCLUDED_


#include <ngx_http_gate.h>
#include <ngx_gate_json.h>


/* the arguments, and the gates selected by them */

typedef struct {
    ngx_gate_t                **gates;
    ngx_str_t                   gate;       /* ?gate=, or empty */
    ngx_str_t                   check;      /* ?check=, or empty */
    ngx_str_t                   format;     /* ?format=, or data is NULL if
                                               missing */
    ngx_array_t                 excluded;   /* ?exclude=, sorted */
    ngx_uint_t                  ready;      /* whether all selected are ready */
    ngx_uint_t                  n;
    ngx_gate_report_t          *reports;
    ngx_gate_report_details_t  *details;
} ngx_http_gate_query_t;


ngx_int_t ngx_http_gate_query_begin(ngx_http_request_t *r);

/* decodes the arguments */

ngx_int_t ngx_http_gate_query_args(ngx_http_request_t *r,
    ngx_http_gate_query_t *query);
ngx_uint_t ngx_http_gate_query_is_excluded(ngx_http_gate_query_t *query,
    ngx_gate_t *gate, ngx_gate_check_t *check);

/* reads complete records; NGX_HTTP_NOT_FOUND: unknown gate or check */

ngx_int_t ngx_http_gate_query_read(ngx_http_request_t *r,
    ngx_http_gate_query_t *query);

/* the same gates, after a wait; without the details */

void ngx_http_gate_query_read_again(ngx_http_gate_query_t *query);

ngx_int_t ngx_http_gate_query_json(ngx_http_request_t *r,
    ngx_http_gate_query_t *query, ngx_uint_t details, ngx_str_t *body);
ngx_int_t ngx_http_gate_query_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_http_gate_format_e format, ngx_str_t *parts, ngx_uint_t n);


#endif /* _NGX_HTTP_GATE_QUERY_H_INCLUDED_ */
