
/*
 * Who may write to the zone, and whether anybody does.
 *
 * An owner is a process of a generation (of the configuration): a newer
 * generation takes the zone over, though not between down() and up(), and a
 * dead owner is replaced by its successor under the same generation.
 */


#ifndef _NGX_GATE_PEN_H_INCLUDED_
#define _NGX_GATE_PEN_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_zone.h>


#define NGX_GATE_BEAT    1000    /* between two signs of life, ms */
#define NGX_GATE_TENDED  3000    /* after this, nobody is taken to live */


typedef struct {
    ngx_gate_zone_t          *zone;
    ngx_atomic_uint_t         identity;     /* what its owner is then */
    ngx_uint_t                handed_on;    /* by an older generation */
} ngx_gate_pen_t;


void ngx_gate_pen_init(ngx_gate_pen_t *pen, ngx_gate_zone_t *zone,
    ngx_uint_t generation);

/*
 * NGX_OK: ours now; NGX_AGAIN: its owner is in the middle of a write, try
 * again, and with force when it seems to write for ever; NGX_BUSY: a living
 * process of our own generation has it; NGX_DECLINED: a newer generation has.
 */

ngx_int_t ngx_gate_pen_claim(ngx_gate_pen_t *pen, ngx_uint_t force);
ngx_uint_t ngx_gate_pen_owns(ngx_gate_pen_t *pen);
void ngx_gate_pen_release(ngx_gate_pen_t *pen);
ngx_int_t ngx_gate_pen_down(ngx_gate_pen_t *pen);
void ngx_gate_pen_up(ngx_gate_pen_t *pen);

pid_t ngx_gate_zone_owner(ngx_gate_zone_t *zone);    /* 0: nobody */

/*
 * The owner's sign of life; when it was last seen alive, in ms since the
 * epoch; and whether that was lately.
 */

void ngx_gate_zone_tend(ngx_gate_zone_t *zone, ngx_uint_t resting);
int64_t ngx_gate_zone_heartbeat(ngx_gate_zone_t *zone);
ngx_uint_t ngx_gate_zone_is_tended(ngx_gate_zone_t *zone);

/* 0 is nobody */

ngx_uint_t ngx_gate_process_is_alive(ngx_atomic_uint_t pid);


#endif /* _NGX_GATE_PEN_H_INCLUDED_ */
