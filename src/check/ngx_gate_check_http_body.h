
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The body of a response, in memory that grows up to a limit.
 */


#ifndef _NGX_GATE_CHECK_HTTP_BODY_H_INCLUDED_
#define _NGX_GATE_CHECK_HTTP_BODY_H_INCLUDED_


#include <ngx_gate.h>


typedef struct {
    u_char                   *data;
    size_t                    len;
    size_t                    size;         /* allocated */
} ngx_gate_check_http_body_t;


/* NGX_DONE: it has "max" bytes; what follows is dropped */

ngx_int_t ngx_gate_check_http_body_add(ngx_gate_check_http_body_t *body,
    ngx_str_t *piece, size_t max, ngx_log_t *log);
ngx_str_t ngx_gate_check_http_body_text(ngx_gate_check_http_body_t *body);
void ngx_gate_check_http_body_free(ngx_gate_check_http_body_t *body);


#endif /* _NGX_GATE_CHECK_HTTP_BODY_H_INCLUDED_ */
