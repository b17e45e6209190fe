
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The last notice of a check in a file, used after a restart.  The file is
 * replaced as a whole: it contains the old notice or the new one.
 */


#ifndef _NGX_GATE_STORE_H_INCLUDED_
#define _NGX_GATE_STORE_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_check_notify.h>


/*
 * The last directory of a path that exists, and the rest of the path: the same
 * for all paths of one file, by whatever links and dots.
 */

typedef struct {
    dev_t                     dev;
    ino_t                     ino;
    ngx_str_t                 rest;
} ngx_gate_store_place_t;

ngx_int_t ngx_gate_store_find(ngx_pool_t *pool, ngx_str_t *path,
    ngx_gate_store_place_t *place);

/*
 * "path" ends with a zero.  Both return NULL, or the end of the text written
 * to "error": the reason, with the path.
 */

/* notice->verdict is PENDING if there is no file, or it must not be used */

u_char *ngx_gate_store_read(ngx_str_t *path, ngx_gate_notice_t *notice,
    u_char *error, u_char *last);

u_char *ngx_gate_store_write(ngx_str_t *path, ngx_gate_notice_t *notice,
    u_char *error, u_char *last);

/* whether the next write may succeed */

u_char *ngx_gate_store_test(ngx_str_t *path, u_char *error, u_char *last);


#endif /* _NGX_GATE_STORE_H_INCLUDED_ */
