
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What makes a probe of the "file" check due before its interval is over.
 */


#ifndef _NGX_GATE_CHECK_FILE_WATCH_H_INCLUDED_
#define _NGX_GATE_CHECK_FILE_WATCH_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_inotify.h>


typedef struct {
    ngx_gate_inotify_t        inotify;
    ngx_uint_t                probes;      /* all of them */
    ngx_uint_t                changed;     /* paths may lead elsewhere now */
    ngx_uint_t                missed;      /* directories that were removed
                                              before they were watched */
} ngx_gate_check_file_watch_t;


void ngx_gate_check_file_watch_init(ngx_gate_check_file_watch_t *watch,
    ngx_gate_probe_t *probe);

/* before a probe looks at the files, so that no change gets lost in between */

void ngx_gate_check_file_watch(ngx_gate_check_file_watch_t *watch,
    ngx_gate_probe_t *probe);
void ngx_gate_check_file_watch_stop(ngx_gate_check_file_watch_t *watch);


#endif /* _NGX_GATE_CHECK_FILE_WATCH_H_INCLUDED_ */
