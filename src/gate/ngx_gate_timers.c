
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Many timers behind one event; see ngx_gate_timers.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_timers.h>


/* limit of the time in one iteration of the event loop, ms */

#define NGX_GATE_TIMERS_BUDGET  5


static void ngx_gate_timers_expire(ngx_event_t *ev);
static void ngx_gate_timers_rearm(ngx_gate_timers_t *timers);
static ngx_gate_timer_t *ngx_gate_timers_first(ngx_gate_timers_t *timers);


void
ngx_gate_timers_init(ngx_gate_timers_t *timers, ngx_log_t *log)
{
    ngx_rbtree_init(&timers->tree, &timers->sentinel,
                    ngx_rbtree_insert_timer_value);

    ngx_gate_event_init(&timers->event, ngx_gate_timers_expire, log);

    timers->expiring = 0;
}


void
ngx_gate_timers_add(ngx_gate_timers_t *timers, ngx_gate_timer_t *timer,
    ngx_msec_t delay)
{
    if (timer->set) {
        ngx_rbtree_delete(&timers->tree, &timer->node);
    }

    timer->node.key = ngx_current_msec + delay;
    timer->set = 1;

    ngx_rbtree_insert(&timers->tree, &timer->node);

    ngx_gate_timers_rearm(timers);
}


void
ngx_gate_timers_del(ngx_gate_timers_t *timers, ngx_gate_timer_t *timer)
{
    if (!timer->set) {
        return;
    }

    timer->set = 0;

    ngx_rbtree_delete(&timers->tree, &timer->node);

    ngx_gate_timers_rearm(timers);
}


static void
ngx_gate_timers_expire(ngx_event_t *ev)
{
    ngx_msec_t          start;
    ngx_gate_timer_t   *timer;
    ngx_gate_timers_t  *timers;

    timers = ngx_queue_data(ev, ngx_gate_timers_t, event);

    timers->expiring = 1;

    ngx_time_update();

    start = ngx_current_msec;

    while (ngx_current_msec - start < NGX_GATE_TIMERS_BUDGET) {
        timer = ngx_gate_timers_first(timers);

        if (timer == NULL
            || (ngx_msec_int_t) (timer->node.key - ngx_current_msec) > 0)
        {
            break;
        }

        timer->set = 0;

        ngx_rbtree_delete(&timers->tree, &timer->node);

        timer->handler(timer);

        /* the deadline of the next timer must not be in the past */

        ngx_time_update();
    }

    timers->expiring = 0;

    ngx_gate_timers_rearm(timers);
}


/* sets the event to the first timer; call after all expired timers */

static void
ngx_gate_timers_rearm(ngx_gate_timers_t *timers)
{
    ngx_event_t       *ev;
    ngx_msec_int_t     delay;
    ngx_gate_timer_t  *timer;

    if (timers->expiring) {
        return;
    }

    ev = &timers->event;
    timer = ngx_gate_timers_first(timers);

    delay = timer ? (ngx_msec_int_t) (timer->node.key - ngx_current_msec) : 1;

    if (ev->posted && delay > 0) {
        ngx_delete_posted_event(ev);
    }

    if (ev->timer_set) {

        if (timer && delay > 0 && ev->timer.key == timer->node.key) {
            return;
        }

        ngx_del_timer(ev);
    }

    if (timer == NULL) {
        return;
    }

    if (delay > 0) {
        ngx_add_timer(ev, (ngx_msec_t) delay);
        return;
    }

    /* a timer of 0 ms would expire in the current iteration */

    ngx_post_event(ev, &ngx_posted_next_events);
}


static ngx_gate_timer_t *
ngx_gate_timers_first(ngx_gate_timers_t *timers)
{
    ngx_rbtree_node_t  *node;

    if (timers->tree.root == &timers->sentinel) {
        return NULL;
    }

    node = ngx_rbtree_min(timers->tree.root, &timers->sentinel);

    return ngx_rbtree_data(node, ngx_gate_timer_t, node);
}
