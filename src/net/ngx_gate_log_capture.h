
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A log for connections to peers that may be unavailable for hours.  Messages
 * of nginx about an attempt (levels err and crit) are not written; the last
 * line is available by capture->text.  Alerts are written.
 */


#ifndef _NGX_GATE_LOG_CAPTURE_H_INCLUDED_
#define _NGX_GATE_LOG_CAPTURE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_log_t                 log;
    ngx_log_t                *outer;    /* NULL: the cycle's */
    ngx_str_t                 text;
    u_char                    buf[256];
} ngx_gate_log_capture_t;


void ngx_gate_log_capture_init(ngx_gate_log_capture_t *capture,
    ngx_log_t *outer);


#endif /* _NGX_GATE_LOG_CAPTURE_H_INCLUDED_ */
