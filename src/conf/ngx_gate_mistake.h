
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Detects mistakes such as misplaced quotes or a missing ";", which would
 * otherwise be reported as errors of the words that follow.
 */


#ifndef _NGX_GATE_MISTAKE_H_INCLUDED_
#define _NGX_GATE_MISTAKE_H_INCLUDED_


#include <ngx_gate.h>


/* "done", with the quotes */

ngx_uint_t ngx_gate_mistake_is_quoted(ngx_str_t *value);

/* host=db, as in connection strings */

ngx_uint_t ngx_gate_mistake_is_keyword(ngx_str_t *text);

/* tests words[i] of a check; logs errors as ngx_gate_param_error() does */

char *ngx_gate_mistake_find(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_str_t *words, ngx_uint_t n, ngx_uint_t i);


#endif /* _NGX_GATE_MISTAKE_H_INCLUDED_ */
