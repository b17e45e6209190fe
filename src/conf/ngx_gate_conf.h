
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Parsing of the configuration of all gates: the init_checks blocks.
 */


#ifndef _NGX_GATE_CONF_H_INCLUDED_
#define _NGX_GATE_CONF_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_md5.h>


/* a row of the table of check types, which ends with an empty name */

typedef struct {
    ngx_str_t                 name;
    ngx_gate_check_type_t    *type;         /* NULL: not in this build */
    const char               *library;      /* option or library required for
                                               the type */
} ngx_gate_conf_type_t;


typedef struct {
    ngx_gate_conf_type_t     *types;
    ngx_array_t               gates;        /* of ngx_gate_t */
    ngx_md5_t                 md5;          /* of all words in the blocks */
} ngx_gate_conf_t;


ngx_int_t ngx_gate_conf_init(ngx_pool_t *pool, ngx_gate_conf_t *conf,
    ngx_gate_conf_type_t *types);

/* called for "init_checks NAME {" ... "}" */

char *ngx_gate_conf_block(ngx_conf_t *cf, ngx_gate_conf_t *conf);

/* called after all blocks */

void ngx_gate_conf_done(ngx_gate_conf_t *conf);

ngx_gate_t *ngx_gate_conf_find(ngx_gate_conf_t *conf, ngx_str_t *name);


/* called for each directive of the block */

ngx_uint_t ngx_gate_conf_is_directive(ngx_str_t *name);


/* used by ngx_gate_conf.c: parses a check; resolves "after=" of all checks */

char *ngx_gate_conf_check_add(ngx_conf_t *cf, ngx_gate_conf_t *conf,
    ngx_gate_t *gate);
char *ngx_gate_conf_check_add_trigger(ngx_conf_t *cf, ngx_gate_conf_t *conf,
    ngx_gate_t *gate);
char *ngx_gate_conf_check_after(ngx_conf_t *cf, ngx_gate_t *gate);


#endif /* _NGX_GATE_CONF_H_INCLUDED_ */
