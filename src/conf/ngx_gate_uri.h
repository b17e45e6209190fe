
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Parts of URIs: the user and the password, and percent-encoding.
 */


#ifndef _NGX_GATE_URI_H_INCLUDED_
#define _NGX_GATE_URI_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* cuts off "user:password@"; userinfo->data is NULL without it */

void ngx_gate_uri_cut_userinfo(ngx_str_t *authority, ngx_str_t *userinfo);

/*
 * Stricter than ngx_unescape_uri(): an invalid escape is NGX_DECLINED.  In a
 * form, "+" is a space, and a zero byte is invalid.  A zero byte follows the
 * decoded text.
 */

#define NGX_GATE_URI_FORM  1

ngx_int_t ngx_gate_uri_decode(ngx_pool_t *pool, u_char *p, u_char *last,
    ngx_str_t *decoded, ngx_uint_t form);


#endif /* _NGX_GATE_URI_H_INCLUDED_ */
