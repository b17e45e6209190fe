
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The notify check, and the notice that determines its verdict.
 */


#ifndef _NGX_GATE_CHECK_NOTIFY_H_INCLUDED_
#define _NGX_GATE_CHECK_NOTIFY_H_INCLUDED_


#include <ngx_gate.h>


/* the last notice, with its times of arrival */

typedef struct {
    ngx_gate_verdict_e        verdict;      /* PENDING: no notice */
    int64_t                   observed;     /* -1: not given */
    int64_t                   expected;
    int64_t                   at;           /* ms since the epoch */
    ngx_msec_t                msec;         /* by ngx_current_msec */
    size_t                    message_len;
    u_char                    message[NGX_GATE_MESSAGE_MAX];
} ngx_gate_notice_t;


typedef struct {
    ngx_msec_t                ttl;          /* 0: none */
    ngx_str_t                 store;        /* or empty */
    ngx_uint_t                boot;         /* newer_than=boot */
    ngx_gate_notice_t        *notice;       /* used in the process that
                                               probes */
} ngx_gate_check_notify_conf_t;


/* the verdict of the next run is that of this notice */

void ngx_gate_check_notify_deliver(ngx_gate_check_t *check,
    ngx_gate_notice_t *notice);


#endif /* _NGX_GATE_CHECK_NOTIFY_H_INCLUDED_ */
