
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Calls of a library that compute for milliseconds, in a thread, so that the
 * event loop continues.  A process has one such thread at a time, while there
 * is something to compute; further calls wait for it.
 */


#ifndef _NGX_GATE_THREAD_H_INCLUDED_
#define _NGX_GATE_THREAD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct ngx_gate_thread_s  ngx_gate_thread_t;


struct ngx_gate_thread_s {
    /* in: the call, in the thread, must not use anything of nginx */
    void                    (*call)(ngx_gate_thread_t *thread);
    void                    (*done)(ngx_gate_thread_t *thread);

    /* private */
    ngx_queue_t               queue;
};


/*
 * Calls done() later, in the event loop; or at once, if there can be no
 * thread.
 */

void ngx_gate_thread_start(ngx_gate_thread_t *thread);

/* a call that has not begun is skipped, and done() is called at once */

void ngx_gate_thread_cancel(ngx_gate_thread_t *thread);

/* waits for the current call; call when all have been canceled */

void ngx_gate_thread_exit(void);


#endif /* _NGX_GATE_THREAD_H_INCLUDED_ */
