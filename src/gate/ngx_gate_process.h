
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A process in shared memory: its pid and, if words have 64 bits and the
 * system provides it, the time at which it started, since pids are reused.
 */


#ifndef _NGX_GATE_PROCESS_H_INCLUDED_
#define _NGX_GATE_PROCESS_H_INCLUDED_


#include <ngx_gate.h>


/* PID_MAX_LIMIT is 2^22; the bits in the middle are used by the owner */

#define NGX_GATE_PROCESS_PID          ((ngx_atomic_uint_t) 0x003fffff)

#if (NGX_PTR_SIZE == 8)
#define NGX_GATE_PROCESS_START_SHIFT  40
#define NGX_GATE_PROCESS_START        ((ngx_atomic_uint_t) 0xffffff            \
                                       << NGX_GATE_PROCESS_START_SHIFT)
#else
#define NGX_GATE_PROCESS_START        0
#endif

#define NGX_GATE_PROCESS_MASK         (NGX_GATE_PROCESS_PID                    \
                                       | NGX_GATE_PROCESS_START)


ngx_atomic_uint_t ngx_gate_process_self(void);

/* 0: no process */

ngx_uint_t ngx_gate_process_is_alive(ngx_atomic_uint_t process);


#endif /* _NGX_GATE_PROCESS_H_INCLUDED_ */
