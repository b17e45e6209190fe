
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Wakes the workers in which requests wait, and the prober, by one eventfd of
 * the master that all processes inherit.  It is written to after a
 * publication and after a write to a mailbox, and is never read: with an
 * edge-triggered event, each write wakes every process that listens.
 */


#ifndef _NGX_GATE_WAKE_H_INCLUDED_
#define _NGX_GATE_WAKE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


typedef struct ngx_gate_wake_s  ngx_gate_wake_t;

struct ngx_gate_wake_s {
    ngx_queue_t               queue;
    void                    (*handler)(ngx_gate_wake_t *wake);
    ngx_uint_t                listening;    /* 0: the owner has to poll */
};


/* in the master, once; a failure is logged, and the workers poll */

void ngx_gate_wake_init(ngx_log_t *log);

void ngx_gate_wake_send(ngx_log_t *log);

/*
 * The handler is called after each write, until ngx_gate_wake_stop(), or
 * until the end of worker_shutdown_timeout, when "listening" is reset.
 * Several parts of a process may listen.  NGX_DECLINED: the caller has to
 * poll.
 */

ngx_int_t ngx_gate_wake_listen(ngx_gate_wake_t *wake, ngx_log_t *log);
void ngx_gate_wake_stop(ngx_gate_wake_t *wake);

/* the process exits */

void ngx_gate_wake_exit(void);


#endif /* _NGX_GATE_WAKE_H_INCLUDED_ */
