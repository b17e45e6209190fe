
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * "Init-Gate-Via", which checks of other nginx send to init_ready: the id of
 * the gate that asks.  The response has those of the gates that are asked, and
 * of all that they depend on; a gate that depends on the one that asks is not
 * to be waited for.
 */


#ifndef _NGX_HTTP_GATE_VIA_H_INCLUDED_
#define _NGX_HTTP_GATE_VIA_H_INCLUDED_


#include <ngx_http_gate_query.h>


/* NGX_DECLINED: a loop; NGX_OK, also where nothing was sent */

ngx_int_t ngx_http_gate_via_test(ngx_http_request_t *r,
    ngx_http_gate_query_t *query);
ngx_int_t ngx_http_gate_via_add_header(ngx_http_request_t *r,
    ngx_http_gate_query_t *query);


#endif /* _NGX_HTTP_GATE_VIA_H_INCLUDED_ */
