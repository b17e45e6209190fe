
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Many timers with one event of nginx: the timer tree used by requests does
 * not grow with the number of checks.
 */


#ifndef _NGX_GATE_TIMERS_H_INCLUDED_
#define _NGX_GATE_TIMERS_H_INCLUDED_


#include <ngx_gate.h>


typedef struct ngx_gate_timer_s  ngx_gate_timer_t;

struct ngx_gate_timer_s {
    ngx_rbtree_node_t         node;
    void                    (*handler)(ngx_gate_timer_t *timer);
    ngx_uint_t                set;
};


typedef struct {
    ngx_rbtree_t              tree;
    ngx_rbtree_node_t         sentinel;
    ngx_event_t               event;
    ngx_uint_t                expiring;
} ngx_gate_timers_t;


void ngx_gate_timers_init(ngx_gate_timers_t *timers, ngx_log_t *log);

/* a timer that is already set is moved */

void ngx_gate_timers_add(ngx_gate_timers_t *timers, ngx_gate_timer_t *timer,
    ngx_msec_t delay);
void ngx_gate_timers_del(ngx_gate_timers_t *timers, ngx_gate_timer_t *timer);


#endif /* _NGX_GATE_TIMERS_H_INCLUDED_ */
