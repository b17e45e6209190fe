
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Arguments of a request in the form "a=1&b=two+words".
 */


#ifndef _NGX_HTTP_GATE_FORM_H_INCLUDED_
#define _NGX_HTTP_GATE_FORM_H_INCLUDED_


#include <ngx_http_gate.h>


#define NGX_HTTP_GATE_FORM_ERROR  128


/* the table of allowed arguments ends with an empty name */

typedef struct {
    ngx_str_t                   name;
    ngx_str_t                   value;      /* data is NULL: missing */
} ngx_http_gate_form_arg_t;


/*
 * Sets the values.  May be called for several texts.  NGX_OK; NGX_DECLINED:
 * the reason is in "error" (NGX_HTTP_GATE_FORM_ERROR bytes, terminated by a
 * zero); NGX_ERROR.
 */

ngx_int_t ngx_http_gate_form_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_gate_form_arg_t *args, u_char *error);

/* from min to 2^53 - 1, the range of JSON; NGX_ERROR: invalid */

int64_t ngx_http_gate_form_number(ngx_str_t *value, int64_t min);


#endif /* _NGX_HTTP_GATE_FORM_H_INCLUDED_ */
