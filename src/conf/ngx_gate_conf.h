
/*
 * The configuration of all gates: the init_checks blocks.
 */


#ifndef _NGX_GATE_CONF_H_INCLUDED_
#define _NGX_GATE_CONF_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_md5.h>


/* a row of the table of check types, which ends in an empty name */

typedef struct {
    ngx_str_t                 name;
    ngx_gate_check_type_t    *type;         /* NULL: left out of this build */
    const char               *library;      /* that it needs */
} ngx_gate_conf_type_t;


typedef struct {
    ngx_gate_conf_type_t     *types;
    ngx_array_t               gates;        /* of ngx_gate_t */
    ngx_md5_t                 md5;          /* of every word in the blocks */
} ngx_gate_conf_t;


ngx_int_t ngx_gate_conf_init(ngx_conf_t *cf, ngx_gate_conf_t *conf,
    ngx_gate_conf_type_t *types);

/* from "init_checks NAME {" to "}" */

char *ngx_gate_conf_block(ngx_conf_t *cf, ngx_gate_conf_t *conf);

/* all blocks have been read */

void ngx_gate_conf_done(ngx_gate_conf_t *conf);

ngx_gate_t *ngx_gate_conf_find(ngx_gate_conf_t *conf, ngx_str_t *name);


/* a directive of the block */

ngx_uint_t ngx_gate_conf_is_directive(ngx_str_t *name);


/* for ngx_gate_conf.c: the lines that are checks, and "after=" of them all */

char *ngx_gate_conf_check_add(ngx_conf_t *cf, ngx_gate_conf_t *conf,
    ngx_gate_t *gate);
char *ngx_gate_conf_check_add_trigger(ngx_conf_t *cf, ngx_gate_conf_t *conf,
    ngx_gate_t *gate);
char *ngx_gate_conf_check_after(ngx_conf_t *cf, ngx_gate_t *gate);


#endif /* _NGX_GATE_CONF_H_INCLUDED_ */
