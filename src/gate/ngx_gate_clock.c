
/*
 * Many alarms behind one timer; see ngx_gate_clock.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_clock.h>


static void ngx_gate_clock_ring(ngx_event_t *ev);
static void ngx_gate_clock_wind(ngx_gate_clock_t *clock);
static ngx_gate_alarm_t *ngx_gate_clock_first(ngx_gate_clock_t *clock);


void
ngx_gate_clock_init(ngx_gate_clock_t *clock, ngx_log_t *log)
{
    ngx_rbtree_init(&clock->tree, &clock->sentinel,
                    ngx_rbtree_insert_timer_value);

    ngx_gate_event_init(&clock->timer, ngx_gate_clock_ring, log);

    clock->ringing = 0;
}


void
ngx_gate_alarm_set(ngx_gate_clock_t *clock, ngx_gate_alarm_t *alarm,
    ngx_msec_t delay)
{
    if (alarm->set) {
        ngx_rbtree_delete(&clock->tree, &alarm->node);
    }

    alarm->node.key = ngx_current_msec + delay;
    alarm->set = 1;

    ngx_rbtree_insert(&clock->tree, &alarm->node);

    ngx_gate_clock_wind(clock);
}


void
ngx_gate_alarm_clear(ngx_gate_clock_t *clock, ngx_gate_alarm_t *alarm)
{
    if (!alarm->set) {
        return;
    }

    alarm->set = 0;

    ngx_rbtree_delete(&clock->tree, &alarm->node);

    ngx_gate_clock_wind(clock);
}


static void
ngx_gate_clock_ring(ngx_event_t *ev)
{
    ngx_gate_alarm_t  *alarm;
    ngx_gate_clock_t  *clock;

    clock = ngx_queue_data(ev, ngx_gate_clock_t, timer);

    clock->ringing = 1;

    for ( ;; ) {
        alarm = ngx_gate_clock_first(clock);

        if (alarm == NULL
            || (ngx_msec_int_t) (alarm->node.key - ngx_current_msec) > 0)
        {
            break;
        }

        alarm->set = 0;

        ngx_rbtree_delete(&clock->tree, &alarm->node);

        alarm->handler(alarm);
    }

    clock->ringing = 0;

    ngx_gate_clock_wind(clock);
}


/* the timer follows the first alarm, once all that is due has been done */

static void
ngx_gate_clock_wind(ngx_gate_clock_t *clock)
{
    ngx_msec_int_t     delay;
    ngx_gate_alarm_t  *alarm;

    if (clock->ringing) {
        return;
    }

    alarm = ngx_gate_clock_first(clock);

    if (clock->timer.timer_set) {

        if (alarm && clock->timer.timer.key == alarm->node.key) {
            return;
        }

        ngx_del_timer(&clock->timer);
    }

    if (alarm) {
        delay = (ngx_msec_int_t) (alarm->node.key - ngx_current_msec);

        ngx_add_timer(&clock->timer, (ngx_msec_t) ngx_max(delay, 0));
    }
}


static ngx_gate_alarm_t *
ngx_gate_clock_first(ngx_gate_clock_t *clock)
{
    ngx_rbtree_node_t  *node;

    if (clock->tree.root == &clock->sentinel) {
        return NULL;
    }

    node = ngx_rbtree_min(clock->tree.root, &clock->sentinel);

    return ngx_rbtree_data(node, ngx_gate_alarm_t, node);
}
