
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A log writer that stores the last line; see ngx_gate_log_capture.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_gate_log_capture.h>


static void ngx_gate_log_capture_writer(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len);


void
ngx_gate_log_capture_init(ngx_gate_log_capture_t *capture, ngx_log_t *outer)
{
    ngx_memzero(&capture->log, sizeof(ngx_log_t));

    /* without debug bits: they would enable every level */

    capture->log.log_level = NGX_LOG_INFO;
    capture->log.writer = ngx_gate_log_capture_writer;
    capture->log.wdata = capture;

    capture->outer = outer;
    ngx_str_null(&capture->text);
}


static void
ngx_gate_log_capture_writer(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len)
{
    ngx_gate_log_capture_t *capture = log->wdata;

    u_char     *p, *last;
    ngx_log_t  *outer;

    last = buf + len;

    while (last > buf && (last[-1] == LF || last[-1] == CR)) {
        last--;
    }

    /* the line begins with "2026/11/20 08:00:00 [error] 12#12: " */

    for (p = buf; p < last - 1; p++) {
        if (p[0] == ':' && p[1] == ' ') {
            buf = p + 2;
            break;
        }
    }

    len = last - buf;

    if (level <= NGX_LOG_ALERT) {
        outer = capture->outer ? capture->outer : ngx_cycle->log;
        ngx_log_error(level, outer, 0, "%*s", len, buf);
        return;
    }

    capture->text.data = capture->buf;
    capture->text.len = ngx_min(len, sizeof(capture->buf));
    ngx_memcpy(capture->buf, buf, capture->text.len);
}
