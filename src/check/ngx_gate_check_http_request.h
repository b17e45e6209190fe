
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The request of an http check or a trigger.  What it takes from files is read
 * for each request, so that a new token is used as soon as it is there.
 */


#ifndef _NGX_GATE_CHECK_HTTP_REQUEST_H_INCLUDED_
#define _NGX_GATE_CHECK_HTTP_REQUEST_H_INCLUDED_


#include <ngx_gate_check_http.h>
#include <ngx_gate_peer.h>


#define NGX_GATE_CHECK_HTTP_REQUEST_BODY_MAX  65536    /* of body_file= */


/*
 * Sets conf->request: the whole request, or, where it takes something from a
 * file, its first lines.
 */

char *ngx_gate_check_http_request_init(ngx_conf_t *cf,
    ngx_gate_check_http_conf_t *conf);

/*
 * NGX_ERROR: it could not be sent, and "error" is set.  "token" is zeroed
 * before the first call of a run, and forgotten at its end.
 */

ngx_int_t ngx_gate_check_http_request_send(ngx_gate_check_http_conf_t *conf,
    ngx_gate_peer_t *peer, ngx_str_t *token, ngx_gate_error_t *error);
void ngx_gate_check_http_request_forget(ngx_str_t *token);

/* whether a response repeats the token, or a header of the request */

ngx_uint_t ngx_gate_check_http_request_is_repeated(
    ngx_gate_check_http_conf_t *conf, ngx_str_t *token, ngx_str_t *text);

/* among those of the configuration */

ngx_uint_t ngx_gate_check_http_request_has_header(
    ngx_gate_check_http_conf_t *conf, const char *name);


#endif /* _NGX_GATE_CHECK_HTTP_REQUEST_H_INCLUDED_ */
