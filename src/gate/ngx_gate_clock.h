
/*
 * Many alarms behind one timer of nginx's: the tree of timers that every
 * request is put into stays as small as it would be without us.
 */


#ifndef _NGX_GATE_CLOCK_H_INCLUDED_
#define _NGX_GATE_CLOCK_H_INCLUDED_


#include <ngx_gate.h>


typedef struct ngx_gate_alarm_s  ngx_gate_alarm_t;

struct ngx_gate_alarm_s {
    ngx_rbtree_node_t         node;
    void                    (*handler)(ngx_gate_alarm_t *alarm);
    ngx_uint_t                set;
};


typedef struct {
    ngx_rbtree_t              tree;
    ngx_rbtree_node_t         sentinel;
    ngx_event_t               timer;
    ngx_uint_t                ringing;
} ngx_gate_clock_t;


void ngx_gate_clock_init(ngx_gate_clock_t *clock, ngx_log_t *log);

/* an alarm that was set already is moved */

void ngx_gate_alarm_set(ngx_gate_clock_t *clock, ngx_gate_alarm_t *alarm,
    ngx_msec_t delay);
void ngx_gate_alarm_clear(ngx_gate_clock_t *clock, ngx_gate_alarm_t *alarm);


#endif /* _NGX_GATE_CLOCK_H_INCLUDED_ */
