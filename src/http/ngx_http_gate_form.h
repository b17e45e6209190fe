
/*
 * Arguments of a request in the form "a=1&b=two+words".
 */


#ifndef _NGX_HTTP_GATE_FORM_H_INCLUDED_
#define _NGX_HTTP_GATE_FORM_H_INCLUDED_


#include <ngx_http_gate.h>


#define NGX_HTTP_GATE_FORM_ERROR  128


/* a table of the allowed ones ends in an empty name */

typedef struct {
    ngx_str_t                   name;
    ngx_str_t                   value;      /* data is NULL: not given */
} ngx_http_gate_form_arg_t;


/*
 * Sets the values.  May be called for several texts.  NGX_OK; NGX_DECLINED: the
 * reason is in "error", NGX_HTTP_GATE_FORM_ERROR bytes, ended with a zero;
 * NGX_ERROR.
 */

ngx_int_t ngx_http_gate_form_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_gate_form_arg_t *args, u_char *error);

/* from min to 2^53 - 1, which JSON can carry; NGX_ERROR: it is not */

int64_t ngx_http_gate_form_number(ngx_str_t *value, int64_t min);


#endif /* _NGX_HTTP_GATE_FORM_H_INCLUDED_ */
