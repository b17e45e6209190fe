
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The "remote" check: its configuration, and what an answer says.
 */


#ifndef _NGX_GATE_CHECK_REMOTE_H_INCLUDED_
#define _NGX_GATE_CHECK_REMOTE_H_INCLUDED_


#include <ngx_gate_check_http.h>
#include <ngx_gate_http_parser.h>


#define NGX_GATE_CHECK_REMOTE_TAG  40


typedef struct {
    ngx_gate_check_http_conf_t  http;       /* first: it has its own parser */
    ngx_uint_t                  follow_override;
} ngx_gate_check_remote_conf_t;


/* the headers of an answer that matter */

typedef struct {
    size_t                    tag_len;
    u_char                    tag[NGX_GATE_CHECK_REMOTE_TAG];
    ngx_uint_t                waits;        /* "Prefer: wait=N" was applied */
    ngx_uint_t                nvia;
    uint32_t                  via[NGX_GATE_VIA_MAX];
} ngx_gate_check_remote_head_t;


void ngx_gate_check_remote_header(void *data, ngx_str_t *name,
    ngx_str_t *value);

/* the verdict of a whole answer */

void ngx_gate_check_remote_verdict(ngx_gate_check_remote_conf_t *conf,
    ngx_uint_t status, ngx_str_t *body, ngx_gate_result_t *result,
    int64_t *eta);


#endif /* _NGX_GATE_CHECK_REMOTE_H_INCLUDED_ */
