
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The target of checks that connect to "host:port" or "unix:/path", with or
 * without TLS.
 */


#ifndef _NGX_GATE_CHECK_TARGET_H_INCLUDED_
#define _NGX_GATE_CHECK_TARGET_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_endpoint.h>
#include <ngx_gate_param.h>
#include <ngx_gate_tls.h>


/* part of the configuration of a check */

typedef struct {
    ngx_gate_endpoint_t       endpoint;
    ngx_gate_tls_t            tls;
    ngx_uint_t                use_tls;
} ngx_gate_check_target_t;


/* rows of a table of parameters; field is an ngx_gate_check_target_t */

#define ngx_gate_check_target_params(conf, field)                             \
    { ngx_string("tls"), NGX_GATE_PARAM_FLAG, ngx_gate_param_set_flag,        \
      offsetof(conf, field) + offsetof(ngx_gate_check_target_t, use_tls),     \
      NULL },                                                                 \
    ngx_gate_tls_params(conf, field.tls)

char *ngx_gate_check_target_parse(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_check_target_t *target);


#endif /* _NGX_GATE_CHECK_TARGET_H_INCLUDED_ */
