
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The owner of the zone, its only writer.
 *
 * An owner is a process of a generation of the configuration: a newer
 * generation takes the zone over, but not during a write, and a dead owner is
 * replaced by its successor in the same generation.  An owner that hangs is
 * deposed; another one is deposed only after the first one, or the present
 * owner, has ended.
 */


#ifndef _NGX_GATE_WRITER_H_INCLUDED_
#define _NGX_GATE_WRITER_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_zone.h>


#define NGX_GATE_WRITER_HEARTBEAT  1000    /* time between two heartbeats, ms */
#define NGX_GATE_WRITER_TIMEOUT    3000    /* time without one after which a
                                              writer hangs */


struct ngx_gate_writer_s {
    ngx_gate_zone_t          *zone;
    ngx_atomic_uint_t         process;      /* this process, and its
                                               generation */
    ngx_atomic_uint_t         identity;     /* the owner of the zone at that
                                               time */
    pid_t                     deposed;      /* 0: claimed by none of them */
    ngx_uint_t                taken_over;   /* claimed from an older
                                               generation */
    ngx_uint_t                first;        /* the zone had no owner before */
};


void ngx_gate_writer_init(ngx_gate_writer_t *writer, ngx_gate_zone_t *zone,
    ngx_uint_t generation);

/*
 * NGX_OK: claimed; NGX_AGAIN: the owner is writing, try again; NGX_BUSY: a
 * living process of the same generation is the owner; NGX_DECLINED: a newer
 * generation is.  "hung": depose the owner.
 */

ngx_int_t ngx_gate_writer_claim(ngx_gate_writer_t *writer, ngx_uint_t hung);
ngx_uint_t ngx_gate_writer_owns(ngx_gate_writer_t *writer);
void ngx_gate_writer_release(ngx_gate_writer_t *writer);
ngx_int_t ngx_gate_writer_write_begin(ngx_gate_writer_t *writer);

/* NGX_DECLINED: lost during the write; nothing was published since then */

ngx_int_t ngx_gate_writer_write_end(ngx_gate_writer_t *writer);

/* changes each time an owner is deposed */

ngx_uint_t ngx_gate_writer_epoch(ngx_gate_writer_t *writer);

pid_t ngx_gate_writer_pid(ngx_gate_zone_t *zone);    /* 0: no owner */

/*
 * A heartbeat of the owner; the time of the last one, in ms since the epoch;
 * whether it is within NGX_GATE_WRITER_TIMEOUT.
 */

void ngx_gate_writer_touch(ngx_gate_writer_t *writer, ngx_uint_t idle);
int64_t ngx_gate_writer_heartbeat(ngx_gate_zone_t *zone);
ngx_uint_t ngx_gate_writer_is_alive(ngx_gate_zone_t *zone);


#endif /* _NGX_GATE_WRITER_H_INCLUDED_ */
