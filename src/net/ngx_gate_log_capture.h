
/*
 * A log for connections to peers that may be down for hours.  What nginx
 * itself would say of each attempt (at err or crit) is kept back, the last
 * line of it to be had by capture->text; alerts, our own bugs, pass.
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
