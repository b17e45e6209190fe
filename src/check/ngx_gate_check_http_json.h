
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A value in a JSON body, named by a JSON pointer (RFC 6901), and what it
 * means to the check.
 */


#ifndef _NGX_GATE_CHECK_HTTP_JSON_H_INCLUDED_
#define _NGX_GATE_CHECK_HTTP_JSON_H_INCLUDED_


#include <ngx_gate.h>


/* without value, min and a regular expression: not null and not false */

typedef struct {
    ngx_str_t                 pointer;      /* data is NULL: not configured */
    ngx_array_t              *tokens;       /* of ngx_str_t, zero-terminated */
    ngx_str_t                 value;
    int64_t                   min;
} ngx_gate_check_http_json_t;


#if (NGX_GATE_JSON)

/* NULL, or what is wrong with the pointer */

char *ngx_gate_check_http_json_parse(ngx_conf_t *cf,
    ngx_gate_check_http_json_t *json, ngx_str_t *pointer);

/* "match" is a regular expression for the value, or NULL */

void ngx_gate_check_http_json_evaluate(ngx_gate_check_http_json_t *json,
    void *match, ngx_str_t *body, ngx_gate_result_t *result);

#endif


#endif /* _NGX_GATE_CHECK_HTTP_JSON_H_INCLUDED_ */
