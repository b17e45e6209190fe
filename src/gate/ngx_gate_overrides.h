
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What an operator has ordered for a gate: open, close, or ignore a check, each
 * for a time; and to probe its checks now.  It is in a mailbox of the gate,
 * which any worker writes to, and which is kept over reloads.
 */


#ifndef _NGX_GATE_OVERRIDES_H_INCLUDED_
#define _NGX_GATE_OVERRIDES_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_mailbox.h>


#define NGX_GATE_OVERRIDES_IGNORED   8      /* checks of a gate */
#define NGX_GATE_OVERRIDES_MAX       (NGX_GATE_OVERRIDES_IGNORED + 1)
#define NGX_GATE_OVERRIDES_REASON    128
#define NGX_GATE_OVERRIDES_TIME_MAX  86400000


typedef enum {
    NGX_GATE_OVERRIDE_NONE = 0,
    NGX_GATE_OVERRIDE_OPEN,
    NGX_GATE_OVERRIDE_CLOSE,
    NGX_GATE_OVERRIDE_IGNORE,
    NGX_GATE_OVERRIDE_ACTIONS
} ngx_gate_override_e;


/* times are by ngx_current_msec, which setting the clock does not change */

typedef struct {
    ngx_gate_override_e       action;
    ngx_msec_t                since;
    ngx_msec_t                until;
    size_t                    check_len;    /* of the check to ignore */
    size_t                    reason_len;
    size_t                    client_len;
    u_char                    check[NGX_GATE_NAME_MAX];
    u_char                    reason[NGX_GATE_OVERRIDES_REASON];
    u_char                    client[NGX_SOCKADDR_STRLEN];
} ngx_gate_override_t;


/* the first one is of the gate, the others of its checks; unused: NONE */

typedef struct {
    ngx_gate_override_t       list[NGX_GATE_OVERRIDES_MAX];
    ngx_uint_t                rechecks;     /* ordered so far */
} ngx_gate_overrides_t;


/* configuration and reload; no zone without init_control */

ngx_int_t ngx_gate_overrides_add_zone(ngx_conf_t *cf, ngx_array_t *gates,
    ngx_shm_zone_t *old, void *tag, ngx_shm_zone_t **zone);
ngx_int_t ngx_gate_overrides_commit(ngx_cycle_t *cycle,
    ngx_shm_zone_t *shm_zone, ngx_shm_zone_t *old, ngx_array_t *gates,
    ngx_atomic_uint_t zone);
ngx_shm_zone_t *ngx_gate_overrides_find_zone(ngx_cycle_t *cycle, void *tag);

/* ends those of gates that "gates" (NULL: no gates) does not have any more */

void ngx_gate_overrides_drop(ngx_array_t *old, ngx_array_t *gates,
    ngx_log_t *log);

/*
 * Copies those that have not ended; the count of the mailbox, or 0: there has
 * been none, and all are NONE.
 */

ngx_atomic_uint_t ngx_gate_overrides_read(ngx_gate_t *gate,
    ngx_gate_overrides_t *overrides);

/* whether requests pass, and the override that X-Init-Gate names */

ngx_uint_t ngx_gate_overrides_apply(ngx_gate_t *gate, ngx_gate_state_e state,
    ngx_gate_check_record_t *checks, ngx_gate_overrides_t *overrides,
    ngx_gate_override_e *action);

ngx_uint_t ngx_gate_overrides_ignores(ngx_gate_overrides_t *overrides,
    ngx_gate_check_t *check);

/*
 * Removes those whose time is over, or all, and logs their end: once, whichever
 * process removes them.
 */

void ngx_gate_overrides_end(ngx_gate_t *gate, ngx_uint_t all, ngx_log_t *log);

/* ms since the epoch, of a time of an override */

int64_t ngx_gate_overrides_time(ngx_msec_t msec);

extern ngx_str_t  ngx_gate_override_names[];


#endif /* _NGX_GATE_OVERRIDES_H_INCLUDED_ */
