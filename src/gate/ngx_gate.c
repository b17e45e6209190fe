
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The names of verdicts and reasons, and the end of a probe; see ngx_gate.h.
 */


#include <ngx_gate.h>


static size_t ngx_gate_utf8_length(u_char *p, u_char *end, uint32_t *ch);
static ngx_uint_t ngx_gate_breaks_line(uint32_t ch);


/* a dummy connection: the debug log of nginx expects one behind an event */

static ngx_connection_t  ngx_gate_no_connection = { .fd = (ngx_socket_t) -1 };


ngx_str_t  ngx_gate_verdict_names[] = {
    ngx_string("pending"),
    ngx_string("error"),
    ngx_string("failed"),
    ngx_string("waiting"),
    ngx_string("running"),
    ngx_string("passed")
};


/* in the order of ngx_gate_reason_e */

ngx_str_t  ngx_gate_reason_names[] = {
    ngx_null_string,
    ngx_string("missing"),
    ngx_string("present"),
    ngx_string("mismatch"),
    ngx_string("too_small"),
    ngx_string("too_old"),
    ngx_string("stale"),
    ngx_string("too_few"),
    ngx_string("wrong_type"),
    ngx_string("bad_status"),
    ngx_string("uninitialized"),
    ngx_string("behind"),
    ngx_string("ahead"),
    ngx_string("other_revision"),
    ngx_string("dirty"),
    ngx_string("stale_lock"),
    ngx_string("in_progress"),
    ngx_string("locked"),
    ngx_string("starting"),
    ngx_string("loading"),
    ngx_string("reported"),
    ngx_string("not_serving"),
    ngx_string("not_ready"),
    ngx_string("not_notified"),
    ngx_string("refused"),
    ngx_string("reset"),
    ngx_string("unreachable"),
    ngx_string("timeout"),
    ngx_string("dns"),
    ngx_string("tls"),
    ngx_string("auth"),
    ngx_string("denied"),
    ngx_string("no_database"),
    ngx_string("too_many_connections"),
    ngx_string("other_role"),
    ngx_string("protocol"),
    ngx_string("too_large"),
    ngx_string("query"),
    ngx_string("unimplemented"),
    ngx_string("loop"),
    ngx_string("io"),
    ngx_string("no_secret"),
    ngx_string("no_memory"),
    ngx_string("no_connections")
};


ngx_uint_t
ngx_gate_reason_is_local(ngx_gate_reason_e reason)
{
    return reason == NGX_GATE_NO_MEMORY || reason == NGX_GATE_NO_CONNECTIONS;
}


ngx_uint_t
ngx_gate_reason_is_permanent(ngx_gate_reason_e reason)
{
    return reason == NGX_GATE_AUTH
           || reason == NGX_GATE_DENIED
           || reason == NGX_GATE_NO_DATABASE;
}


void
ngx_gate_event_init(ngx_event_t *ev, ngx_event_handler_pt handler,
    ngx_log_t *log)
{
    ngx_memzero(ev, sizeof(ngx_event_t));

    ev->handler = handler;
    ev->data = &ngx_gate_no_connection;
    ev->log = log;
    ev->cancelable = 1;
}


void ngx_cdecl
ngx_gate_error_set(ngx_gate_error_t *error, ngx_gate_reason_e reason,
    const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    error->len = ngx_vslprintf(error->text, error->text + NGX_GATE_ERROR_MAX,
                               fmt, args)
                 - error->text;
    va_end(args);

    error->reason = reason;
}


void ngx_cdecl
ngx_gate_error_set_errno(ngx_gate_error_t *error, ngx_gate_reason_e reason,
    ngx_err_t err, const char *fmt, ...)
{
    u_char   *p, *last;
    va_list   args;

    last = error->text + NGX_GATE_ERROR_MAX;

    va_start(args, fmt);
    p = ngx_vslprintf(error->text, last, fmt, args);
    va_end(args);

    p = ngx_slprintf(p, last, " failed (%d: ", err);
    p = ngx_strerror(err, p, last - p);

    error->len = ngx_slprintf(p, last, ")") - error->text;
    error->reason = reason;
}


void ngx_cdecl
ngx_gate_result_set(ngx_gate_result_t *result, ngx_gate_verdict_e verdict,
    ngx_gate_reason_e reason, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(result->message, result->message + NGX_GATE_MESSAGE_MAX,
                      fmt, args);
    va_end(args);

    result->message_len = p - result->message;
    result->verdict = verdict;
    result->reason = reason;
}


void ngx_cdecl
ngx_gate_probe_end(ngx_gate_probe_t *probe, ngx_gate_verdict_e verdict,
    ngx_gate_reason_e reason, const char *fmt, ...)
{
    u_char   *p, text[NGX_GATE_MESSAGE_MAX + 1];
    va_list   args;

    probe->result.verdict = verdict;
    probe->result.reason = reason;

    p = text;

    if (fmt) {
        va_start(args, fmt);
        p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
        va_end(args);
    }

    if (probe->note.len) {
        p = ngx_slprintf(p, text + sizeof(text), "%s%V", p > text ? "; " : "",
                         &probe->note);
    }

    probe->result.message_len = ngx_gate_fold_message(probe->result.message,
                                                      text, p - text);
    probe->done(probe);
}


void
ngx_gate_probe_fail(ngx_gate_probe_t *probe, ngx_gate_error_t *error)
{
    ngx_gate_probe_end(probe, NGX_GATE_ERROR, error->reason, "%*s",
                       error->len, error->text);
}


void
ngx_gate_probe_due(ngx_gate_probe_t *probe)
{
    probe->due(probe);
}


/*
 * A message may quote a file, a server or a certificate: it becomes one line
 * of valid UTF-8 without control characters, truncated at a character
 * boundary.
 */

size_t
ngx_gate_fold_message(u_char *dst, u_char *src, size_t len)
{
    size_t     n;
    u_char    *p, *last, *end;
    uint32_t   ch;

    p = dst;
    last = dst + NGX_GATE_MESSAGE_MAX;
    end = src + len;

    while (src < end) {

        n = ngx_gate_utf8_length(src, end, &ch);

        if (n == 0) {

            if (len > NGX_GATE_MESSAGE_MAX && end - src < 4) {
                /* truncated within this character */
                break;
            }

            src++;
            ch = '?';

        } else {
            src += n;
        }

        if (ngx_gate_breaks_line(ch)) {
            n = 0;

            if (p == dst || p[-1] == ' ') {
                continue;
            }

            ch = ' ';
        }

        if (p + ngx_max(n, 1) > last) {
            break;
        }

        if (n > 1) {
            p = ngx_cpymem(p, src - n, n);

        } else {
            *p++ = (u_char) ch;
        }
    }

    while (p > dst && p[-1] == ' ') {
        p--;
    }

    return p - dst;
}


/* the length of the character at p, or 0: stricter than ngx_utf8_decode() */

static size_t
ngx_gate_utf8_length(u_char *p, u_char *end, uint32_t *ch)
{
    size_t    n, i;
    uint32_t  min;

    *ch = *p;

    if (*p < 0x80) {
        return 1;
    }

    if (*p >= 0xc2 && *p < 0xe0) {
        n = 2;
        min = 0x80;
        *ch &= 0x1f;

    } else if (*p >= 0xe0 && *p < 0xf0) {
        n = 3;
        min = 0x800;
        *ch &= 0x0f;

    } else if (*p >= 0xf0 && *p < 0xf5) {
        n = 4;
        min = 0x10000;
        *ch &= 0x07;

    } else {
        return 0;
    }

    if ((size_t) (end - p) < n) {
        return 0;
    }

    for (i = 1; i < n; i++) {

        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        *ch = (*ch << 6) | (p[i] & 0x3f);
    }

    if (*ch < min || *ch > 0x10ffff || (*ch >= 0xd800 && *ch < 0xe000)) {
        return 0;
    }

    return n;
}


/*
 * Spaces, C0, DEL, C1, line and paragraph separators, characters that change
 * the direction of text, and invisible characters.
 */

static ngx_uint_t
ngx_gate_breaks_line(uint32_t ch)
{
    return ch <= 0x20
           || (ch >= 0x7f && ch <= 0xa0)
           || ch == 0xad
           || ch == 0x61c
           || (ch >= 0x200b && ch <= 0x200f)
           || (ch >= 0x2028 && ch <= 0x202e)
           || (ch >= 0x2060 && ch <= 0x206f)
           || ch == 0xfeff
           || (ch >= 0xfff9 && ch <= 0xfffb)
           || (ch >= 0xe0000 && ch <= 0xe007f);
}
