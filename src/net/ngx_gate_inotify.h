
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Events of directories, by one inotify instance of the process, which is open
 * as long as something is watched.  An event is a hint: it may be lost, and
 * some file systems have none, so files are looked at regularly all the same.
 */


#ifndef _NGX_GATE_INOTIFY_H_INCLUDED_
#define _NGX_GATE_INOTIFY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


typedef struct ngx_gate_inotify_s  ngx_gate_inotify_t;


/* names in directories, watched for one purpose */

struct ngx_gate_inotify_s {
    ngx_queue_t               names;
    ngx_uint_t                lost;        /* a directory is not watched any
                                              more: its names have to be added
                                              again */
    void                    (*handler)(ngx_gate_inotify_t *inotify);
    void                     *data;
};


void ngx_gate_inotify_init(ngx_gate_inotify_t *inotify);

/*
 * Watches the name in the directory, or any name if "name" is empty.
 * NGX_DECLINED: there is no such directory.  Other failures are logged once.
 */

ngx_int_t ngx_gate_inotify_add(ngx_gate_inotify_t *inotify, u_char *dir,
    ngx_str_t *name);

/*
 * To watch anew: take the old names away, add the new ones, and free the old
 * ones, so that a directory that is still needed is watched without a gap.
 */

void ngx_gate_inotify_take(ngx_gate_inotify_t *inotify, ngx_queue_t *names);
void ngx_gate_inotify_free(ngx_queue_t *names);


#endif /* _NGX_GATE_INOTIFY_H_INCLUDED_ */
