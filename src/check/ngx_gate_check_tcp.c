
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The tcp check: connects, and reads until an expected text, if one is
 * configured, is received.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate.h>
#include <ngx_gate_check_target.h>
#include <ngx_gate_match.h>
#include <ngx_gate_param.h>
#include <ngx_gate_peer.h>


/*
 * If a text arrives byte by byte, it is not searched after each byte; the
 * verdict is reached shortly before the timeout of the probe.
 */

#define NGX_GATE_CHECK_TCP_PAUSE   50
#define NGX_GATE_CHECK_TCP_MARGIN  16      /* fraction of the timeout */

/* for a server that requests a certificate and does not report the result */

#define NGX_GATE_CHECK_TCP_CONFIRM  1000


typedef struct {
    ngx_gate_check_target_t   target;
    ngx_str_t                 send;
    ngx_str_t                 contains;
#if (NGX_PCRE)
    ngx_regex_t              *match;
#else
    void                     *match;
#endif
} ngx_gate_check_tcp_conf_t;


typedef struct {
    ngx_gate_peer_t           peer;
    ngx_gate_probe_t         *probe;
    ngx_str_t                 text;        /* received */
    size_t                    searched;    /* part of it */
    ngx_event_t               timer;
    ngx_msec_t                end;
    ngx_uint_t                paused;
} ngx_gate_check_tcp_state_t;


static char *ngx_gate_check_tcp_set_text(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_param_t *param, ngx_str_t *value);
static u_char *ngx_gate_check_tcp_unescape(u_char *p, u_char *last,
    u_char *ch);
static char *ngx_gate_check_tcp_parse(ngx_conf_t *cf, ngx_gate_check_t *check);

static void ngx_gate_check_tcp_start(ngx_gate_probe_t *probe);
static void ngx_gate_check_tcp_cancel(ngx_gate_probe_t *probe);
static void ngx_gate_check_tcp_handler(ngx_gate_peer_t *peer,
    ngx_gate_peer_event_e event);
static ngx_uint_t ngx_gate_check_tcp_needs_text(
    ngx_gate_check_tcp_conf_t *conf);
static void ngx_gate_check_tcp_connected(ngx_gate_check_tcp_state_t *state);
static void ngx_gate_check_tcp_read(ngx_gate_check_tcp_state_t *state);
static void ngx_gate_check_tcp_timer(ngx_event_t *ev);
static void ngx_gate_check_tcp_search(ngx_gate_check_tcp_state_t *state);
static ngx_int_t ngx_gate_check_tcp_match(ngx_gate_check_tcp_state_t *state);
static void ngx_gate_check_tcp_closed(ngx_gate_check_tcp_state_t *state);
static void ngx_gate_check_tcp_failed(ngx_gate_check_tcp_state_t *state);
static void ngx_gate_check_tcp_evaluate(ngx_gate_check_tcp_state_t *state,
    ngx_int_t rc);
static void ngx_gate_check_tcp_reset(ngx_gate_check_tcp_state_t *state);


static ngx_gate_param_t  ngx_gate_check_tcp_params[] = {

    { ngx_string("send"),
      0,
      ngx_gate_check_tcp_set_text,
      offsetof(ngx_gate_check_tcp_conf_t, send),
      NULL },

    { ngx_string("contains"),
      0,
      ngx_gate_check_tcp_set_text,
      offsetof(ngx_gate_check_tcp_conf_t, contains),
      NULL },

    { ngx_string("match"),
      0,
      ngx_gate_param_set_regex,
      offsetof(ngx_gate_check_tcp_conf_t, match),
      "a regular expression" },

      ngx_gate_check_target_params(ngx_gate_check_tcp_conf_t, target),

      ngx_gate_param_end
};


ngx_gate_check_type_t  ngx_gate_check_tcp = {
    ngx_string("tcp"),
    ngx_gate_check_tcp_params,
    sizeof(ngx_gate_check_tcp_conf_t),
    sizeof(ngx_gate_check_tcp_state_t),
    ngx_gate_check_tcp_parse,
    ngx_gate_check_tcp_start,
    ngx_gate_check_tcp_cancel,
    1,
    0
};


/* not logged: the value may be a secret */

static char *
ngx_gate_check_tcp_set_text(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    u_char     *p, *last, *dst;
    ngx_str_t  *text;

    text = (ngx_str_t *) ((char *) check->conf + param->offset);

    text->data = ngx_pnalloc(cf->pool, value->len);
    if (text->data == NULL) {
        return NGX_CONF_ERROR;
    }

    dst = text->data;
    last = value->data + value->len;

    for (p = value->data; p < last; dst++) {

        if (*p != '\\') {
            *dst = *p++;
            continue;
        }

        p = ngx_gate_check_tcp_unescape(p + 1, last, dst);

        if (p == NULL) {
            return ngx_gate_param_error(cf, check, "invalid escape in "
                                        "parameter \"%V\", it must be \\r, "
                                        "\\n, \\t, \\0, \\xNN or \\\\",
                                        &param->name);
        }
    }

    text->len = dst - text->data;

    return NGX_CONF_OK;
}


/* the character after a backslash; nginx has replaced some of them already */

static u_char *
ngx_gate_check_tcp_unescape(u_char *p, u_char *last, u_char *ch)
{
    ngx_int_t  n;

    if (p == last) {
        return NULL;
    }

    switch (*p++) {

    case 'r':
        *ch = CR;
        return p;

    case 'n':
        *ch = LF;
        return p;

    case 't':
        *ch = '\t';
        return p;

    case '0':
        *ch = '\0';
        return p;

    case '\\':
        *ch = '\\';
        return p;

    case 'x':
        n = (last - p < 2) ? NGX_ERROR : ngx_hextoi(p, 2);

        if (n == NGX_ERROR) {
            return NULL;
        }

        *ch = (u_char) n;
        return p + 2;

    default:
        return NULL;
    }
}


static char *
ngx_gate_check_tcp_parse(ngx_conf_t *cf, ngx_gate_check_t *check)
{
    ngx_gate_check_tcp_conf_t  *conf;

    conf = check->conf;

    if (conf->send.len && !ngx_gate_check_tcp_needs_text(conf)) {
        return ngx_gate_param_error(cf, check, "parameter \"send\" needs "
                                    "\"contains\" or \"match\"");
    }

    return ngx_gate_check_target_parse(cf, check, &conf->target);
}


static void
ngx_gate_check_tcp_start(ngx_gate_probe_t *probe)
{
    ngx_gate_peer_t             *peer;
    ngx_gate_check_tcp_conf_t   *conf;
    ngx_gate_check_tcp_state_t  *state;

    conf = probe->check->conf;
    state = probe->state;
    peer = &state->peer;

    state->probe = probe;
    state->end = probe->deadline
                 - probe->check->timeout / NGX_GATE_CHECK_TCP_MARGIN;

    ngx_gate_event_init(&state->timer, ngx_gate_check_tcp_timer, probe->log);

    peer->endpoint = ngx_gate_endpoint_of(probe, &conf->target.endpoint);
    peer->resolver = probe->resolver;
    peer->log = probe->log;
    peer->deadline = probe->deadline;
    peer->data = state;
    peer->handler = ngx_gate_check_tcp_handler;

    if (!ngx_gate_check_tcp_needs_text(conf)) {
        peer->confirm = ngx_min(probe->check->timeout / 2,
                                NGX_GATE_CHECK_TCP_CONFIRM);
    }

    ngx_gate_peer_connect(peer);
}


static void
ngx_gate_check_tcp_cancel(ngx_gate_probe_t *probe)
{
    ngx_gate_check_tcp_state_t *state = probe->state;

    ngx_gate_check_tcp_reset(state);
}


static void
ngx_gate_check_tcp_handler(ngx_gate_peer_t *peer, ngx_gate_peer_event_e event)
{
    ngx_gate_check_tcp_state_t *state = peer->data;

    switch (event) {

    case NGX_GATE_PEER_CONNECTED:
        ngx_gate_check_tcp_connected(state);
        return;

    case NGX_GATE_PEER_DATA:
        ngx_gate_check_tcp_read(state);
        return;

    case NGX_GATE_PEER_CLOSED:
        ngx_gate_check_tcp_closed(state);
        return;

    default: /* NGX_GATE_PEER_FAILED */
        ngx_gate_check_tcp_failed(state);
    }
}


static ngx_uint_t
ngx_gate_check_tcp_needs_text(ngx_gate_check_tcp_conf_t *conf)
{
    return conf->contains.len || conf->match;
}


static void
ngx_gate_check_tcp_connected(ngx_gate_check_tcp_state_t *state)
{
    ngx_gate_check_tcp_conf_t  *conf;

    conf = state->probe->check->conf;

    if (!ngx_gate_check_tcp_needs_text(conf)) {
        ngx_gate_check_tcp_evaluate(state, NGX_OK);
        return;
    }

    state->probe->log->action = "waiting for the text";

    if (conf->send.len) {
        ngx_gate_peer_send(&state->peer, conf->send.data, conf->send.len);
    }
}


static void
ngx_gate_check_tcp_read(ngx_gate_check_tcp_state_t *state)
{
    size_t      len;
    ngx_buf_t  *in;
    ngx_str_t  *text;

    in = state->peer.in;
    text = &state->text;

    if (text->data == NULL) {
        text->data = ngx_alloc(NGX_GATE_MATCH_MAX, state->probe->log);

        if (text->data == NULL) {
            ngx_gate_check_tcp_reset(state);
            ngx_gate_probe_end(state->probe, NGX_GATE_ERROR,
                               NGX_GATE_NO_MEMORY, "no memory");
            return;
        }
    }

    len = ngx_min((size_t) (in->last - in->pos),
                  NGX_GATE_MATCH_MAX - text->len);

    ngx_memcpy(text->data + text->len, in->pos, len);
    text->len += len;
    in->pos = in->last;

    if (text->len == NGX_GATE_MATCH_MAX) {
        ngx_gate_check_tcp_evaluate(state, ngx_gate_check_tcp_match(state));
        return;
    }

    if (!state->paused) {
        ngx_gate_check_tcp_search(state);
    }
}


static void
ngx_gate_check_tcp_timer(ngx_event_t *ev)
{
    ngx_msec_int_t               left;
    ngx_gate_check_tcp_state_t  *state;

    state = ngx_queue_data(ev, ngx_gate_check_tcp_state_t, timer);

    state->paused = 0;

    left = (ngx_msec_int_t) (state->end - ngx_current_msec);

    if (left <= 0) {
        ngx_gate_check_tcp_evaluate(state, ngx_gate_check_tcp_match(state));
        return;
    }

    if (state->searched < state->text.len) {
        ngx_gate_check_tcp_search(state);
        return;
    }

    ngx_add_timer(&state->timer, left);
}


/* more data may match, until the timeout */

static void
ngx_gate_check_tcp_search(ngx_gate_check_tcp_state_t *state)
{
    ngx_int_t       rc;
    ngx_msec_int_t  left;

    rc = ngx_gate_check_tcp_match(state);

    if (rc != NGX_DECLINED) {
        ngx_gate_check_tcp_evaluate(state, rc);
        return;
    }

    state->searched = state->text.len;
    state->paused = 1;

    if (state->timer.timer_set) {
        ngx_del_timer(&state->timer);
    }

    left = (ngx_msec_int_t) (state->end - ngx_current_msec);
    left = ngx_max(left, 0);

    ngx_add_timer(&state->timer, ngx_min(left, NGX_GATE_CHECK_TCP_PAUSE));
}


/* NGX_OK, NGX_DECLINED, or NGX_ERROR: the expression takes too many steps */

static ngx_int_t
ngx_gate_check_tcp_match(ngx_gate_check_tcp_state_t *state)
{
    ngx_str_t                  *text, *contains;
    ngx_gate_check_tcp_conf_t  *conf;

    conf = state->probe->check->conf;
    contains = &conf->contains;
    text = &state->text;

    if (contains->len
        && memmem(text->data, text->len, contains->data, contains->len)
           == NULL)
    {
        return NGX_DECLINED;
    }

#if (NGX_PCRE)
    if (conf->match) {
        return ngx_gate_match_exec(conf->match, text);
    }
#endif

    return NGX_OK;
}


static void
ngx_gate_check_tcp_closed(ngx_gate_check_tcp_state_t *state)
{
    if (state->text.len) {
        ngx_gate_check_tcp_evaluate(state, ngx_gate_check_tcp_match(state));
        return;
    }

    ngx_gate_check_tcp_reset(state);

    ngx_gate_probe_end(state->probe, NGX_GATE_ERROR, NGX_GATE_RESET,
                       "peer closed the connection and sent nothing");
}


/* possibly after the text */

static void
ngx_gate_check_tcp_failed(ngx_gate_check_tcp_state_t *state)
{
    if (state->text.len && ngx_gate_check_tcp_match(state) == NGX_OK) {
        ngx_gate_check_tcp_evaluate(state, NGX_OK);
        return;
    }

    ngx_gate_check_tcp_reset(state);
    ngx_gate_probe_fail(state->probe, &state->peer.error);
}


static void
ngx_gate_check_tcp_evaluate(ngx_gate_check_tcp_state_t *state, ngx_int_t rc)
{
    size_t             len;
    ngx_gate_probe_t  *probe;

    probe = state->probe;
    len = state->text.len;

    ngx_gate_check_tcp_reset(state);

    switch (rc) {

    case NGX_OK:
        ngx_gate_probe_end(probe, NGX_GATE_PASSED, NGX_GATE_OK, "");
        return;

    case NGX_DECLINED:
        ngx_gate_probe_end(probe, NGX_GATE_WAITING, NGX_GATE_MISMATCH,
                           "the text that the server sent (%uz bytes%s) does "
                           "not match", len,
                           len == NGX_GATE_MATCH_MAX ? " or more" : "");
        return;

    default: /* NGX_ERROR */
        ngx_gate_probe_end(probe, NGX_GATE_ERROR, NGX_GATE_TIMEOUT,
                           "matching the text takes too long");
    }
}


static void
ngx_gate_check_tcp_reset(ngx_gate_check_tcp_state_t *state)
{
    ngx_gate_peer_close(&state->peer);

    if (state->timer.timer_set) {
        ngx_del_timer(&state->timer);
    }

    if (state->text.data) {
        ngx_free(state->text.data);
        ngx_str_null(&state->text);
    }

    state->searched = 0;
    state->paused = 0;
}
