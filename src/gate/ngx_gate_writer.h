
/*
 * The owner of the zone, which alone writes to it.
 *
 * An owner is a process of a generation (of the configuration): a newer
 * generation takes the zone over, but not during a write, and a dead owner is
 * replaced by its successor in the same generation.  One that hangs is deposed,
 * but only one at a time: not before it has ended, or the present owner has, is
 * another one.
 */


#ifndef _NGX_GATE_WRITER_H_INCLUDED_
#define _NGX_GATE_WRITER_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_zone.h>


#define NGX_GATE_WRITER_HEARTBEAT  1000    /* between two heartbeats, ms */
#define NGX_GATE_WRITER_TIMEOUT    3000    /* without one, a writer is dead */


struct ngx_gate_writer_s {
    ngx_gate_zone_t          *zone;
    ngx_atomic_uint_t         process;      /* this one, and its generation */
    ngx_atomic_uint_t         identity;     /* the owner of the zone then */
    pid_t                     deposed;      /* 0: by none of the claims */
    ngx_uint_t                taken_over;   /* from an older generation */
    ngx_uint_t                first;        /* the zone had no owner before */
};


void ngx_gate_writer_init(ngx_gate_writer_t *writer, ngx_gate_zone_t *zone,
    ngx_uint_t generation);

/*
 * NGX_OK: ours now; NGX_AGAIN: its owner is in the middle of a write, try
 * again; NGX_BUSY: a living process of our own generation has it; NGX_DECLINED:
 * a newer generation has.  "hung": the owner is to be deposed.
 */

ngx_int_t ngx_gate_writer_claim(ngx_gate_writer_t *writer, ngx_uint_t hung);
ngx_uint_t ngx_gate_writer_owns(ngx_gate_writer_t *writer);
void ngx_gate_writer_release(ngx_gate_writer_t *writer);
ngx_int_t ngx_gate_writer_write_begin(ngx_gate_writer_t *writer);

/* NGX_DECLINED: lost during the write, and nothing was published since */

ngx_int_t ngx_gate_writer_write_end(ngx_gate_writer_t *writer);

/* changes with each owner that is deposed */

ngx_uint_t ngx_gate_writer_epoch(ngx_gate_writer_t *writer);

pid_t ngx_gate_writer_pid(ngx_gate_zone_t *zone);    /* 0: no owner */

/*
 * A heartbeat of the owner; the time of the last one, in ms since the epoch;
 * and whether that was within NGX_GATE_WRITER_TIMEOUT.
 */

void ngx_gate_writer_touch(ngx_gate_writer_t *writer, ngx_uint_t idle);
int64_t ngx_gate_writer_heartbeat(ngx_gate_zone_t *zone);
ngx_uint_t ngx_gate_writer_is_alive(ngx_gate_zone_t *zone);


#endif /* _NGX_GATE_WRITER_H_INCLUDED_ */
