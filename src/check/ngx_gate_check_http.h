
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An http check (or a trigger) as configured.
 */


#ifndef _NGX_GATE_CHECK_HTTP_H_INCLUDED_
#define _NGX_GATE_CHECK_HTTP_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_check_http_json.h>
#include <ngx_gate_http_url.h>
#include <ngx_gate_tls.h>


typedef struct {
    ngx_uint_t                first;
    ngx_uint_t                last;
} ngx_gate_check_http_range_t;


typedef struct {
    ngx_gate_http_url_t       url;
    ngx_gate_tls_t            tls;
    ngx_str_t                 method;
    ngx_str_t                 host;
    ngx_array_t              *status;       /* of ngx_gate_check_http_range_t */
    ngx_array_t              *headers;      /* of ngx_str_t */
    void                     *match;        /* ngx_regex_t */
    ngx_gate_check_http_json_t  json;
    ngx_str_t                 authorization;
    ngx_str_t                 body;         /* of the request */
    ngx_str_t                 body_file;
    ngx_str_t                 token_file;
    ngx_str_t                 request;      /* see ..._http_request.h */
    ngx_uint_t                head;
} ngx_gate_check_http_conf_t;


extern ngx_gate_param_t  ngx_gate_check_http_conf_params[];

char *ngx_gate_check_http_conf_parse(ngx_conf_t *cf, ngx_gate_check_t *check);


#endif /* _NGX_GATE_CHECK_HTTP_H_INCLUDED_ */
