
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The gate of another nginx, by its init_ready.  The first request is answered
 * at once.  Each later one has the tag of the last answer, and waits there
 * until something has changed, so that a change arrives with its answer; the
 * next one follows immediately.  Where requests may not wait, they are sent at
 * the interval of the check; where they could wait before, within seconds.
 *
 * Each request and answer has the ids of gates that it depends on, so that a
 * chain that leads back to itself is found.
 */


#include <ngx_gate_peer.h>
#include <ngx_gate_param.h>
#include <ngx_gate_check_remote.h>
#include <ngx_gate_check_http_body.h>
#include <ngx_gate_check_http_request.h>


/* a server that vanishes without a word is noticed this much later */

#define NGX_GATE_CHECK_REMOTE_WAIT  15    /* s */


typedef struct {
    ngx_gate_peer_t                peer;
    ngx_gate_http_parser_t         parser;
    ngx_gate_probe_t              *probe;
    ngx_gate_check_remote_conf_t  *conf;
    ngx_gate_check_remote_head_t   head;    /* of the current answer */
    ngx_gate_check_remote_head_t   known;   /* of the last one */
    ngx_gate_check_http_body_t     body;
    ngx_str_t                      token;   /* sent, of token_file= */
    ngx_uint_t                     running;
    ngx_uint_t                     waiting; /* the request under way */
    ngx_uint_t                     waited;  /* a request may have, once */
} ngx_gate_check_remote_state_t;


static char *ngx_gate_check_remote_parse(ngx_conf_t *cf,
    ngx_gate_check_t *check);
static void ngx_gate_check_remote_start(ngx_gate_probe_t *probe);
static void ngx_gate_check_remote_cancel(ngx_gate_probe_t *probe);
static void ngx_gate_check_remote_connect(
    ngx_gate_check_remote_state_t *state);
static void ngx_gate_check_remote_send(ngx_gate_check_remote_state_t *state);
static ngx_int_t ngx_gate_check_remote_send_request(
    ngx_gate_check_remote_state_t *state, ngx_gate_error_t *error);
static void ngx_gate_check_remote_handler(ngx_gate_peer_t *peer,
    ngx_gate_peer_event_e event);
static void ngx_gate_check_remote_read(ngx_gate_check_remote_state_t *state);
static void ngx_gate_check_remote_answered(
    ngx_gate_check_remote_state_t *state);
static void ngx_gate_check_remote_chain(ngx_gate_check_remote_state_t *state,
    ngx_gate_result_t *result);
static void ngx_gate_check_remote_error(ngx_gate_check_remote_state_t *state,
    ngx_gate_reason_e reason, const char *text);
static void ngx_gate_check_remote_fail(ngx_gate_check_remote_state_t *state,
    ngx_gate_error_t *error);
static void ngx_gate_check_remote_reset(ngx_gate_check_remote_state_t *state);


static ngx_gate_param_t  ngx_gate_check_remote_params[] = {

    { ngx_string("token_file"),
      0,
      ngx_gate_param_set_path,
      offsetof(ngx_gate_check_remote_conf_t, http.token_file),
      "the path of a file" },

    { ngx_string("follow_override"),
      NGX_GATE_PARAM_FLAG,
      ngx_gate_param_set_flag,
      offsetof(ngx_gate_check_remote_conf_t, follow_override),
      NULL },

      ngx_gate_tls_params(ngx_gate_check_remote_conf_t, http.tls),

      ngx_gate_param_end
};


ngx_gate_check_type_t  ngx_gate_check_remote = {
    ngx_string("remote"),
    ngx_gate_check_remote_params,
    sizeof(ngx_gate_check_remote_conf_t),
    sizeof(ngx_gate_check_remote_state_t),
    ngx_gate_check_remote_parse,
    ngx_gate_check_remote_start,
    ngx_gate_check_remote_cancel,
    0,
    1
};


static char *
ngx_gate_check_remote_parse(ngx_conf_t *cf, ngx_gate_check_t *check)
{
    ngx_str_t                     *header;
    ngx_gate_check_remote_conf_t  *conf;

    conf = check->conf;

    conf->http.headers = ngx_array_create(cf->pool, 1, sizeof(ngx_str_t));
    if (conf->http.headers == NULL) {
        return NGX_CONF_ERROR;
    }

    header = ngx_array_push(conf->http.headers);
    if (header == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(header, "Accept: application/json");

    return ngx_gate_check_http_conf_parse(cf, check);
}


static void
ngx_gate_check_remote_start(ngx_gate_probe_t *probe)
{
    ngx_gate_check_remote_state_t *state = probe->state;

    state->probe = probe;
    state->conf = probe->check->conf;
    state->running = 1;
    state->waiting = state->known.waits && state->known.tag_len;

    if (state->waiting) {
        probe->deadline += NGX_GATE_CHECK_REMOTE_WAIT * 1000;
    }

    if (ngx_gate_peer_is_kept(&state->peer)) {
        ngx_gate_check_remote_send(state);
        return;
    }

    ngx_gate_check_remote_connect(state);
}


static void
ngx_gate_check_remote_cancel(ngx_gate_probe_t *probe)
{
    ngx_gate_check_remote_state_t *state = probe->state;

    ngx_gate_peer_close(&state->peer);
    ngx_gate_check_remote_reset(state);

    state->known.waits = 0;
    probe->lost = 1;
}


static void
ngx_gate_check_remote_connect(ngx_gate_check_remote_state_t *state)
{
    ngx_gate_peer_t   *peer;
    ngx_gate_probe_t  *probe;

    peer = &state->peer;
    probe = state->probe;

    peer->endpoint = &state->conf->http.url.endpoint;
    peer->resolver = probe->resolver;
    peer->log = probe->log;
    peer->deadline = ngx_current_msec + probe->check->timeout;
    peer->data = state;
    peer->handler = ngx_gate_check_remote_handler;

    ngx_gate_peer_connect(peer);
}


static void
ngx_gate_check_remote_send(ngx_gate_check_remote_state_t *state)
{
    ngx_gate_error_t  error;

    state->probe->log->action = state->waiting ? "waiting for a change"
                                               : "waiting for the answer";

    ngx_gate_http_parser_init(&state->parser, 0);
    ngx_memzero(&state->head, sizeof(ngx_gate_check_remote_head_t));

    state->parser.header = ngx_gate_check_remote_header;
    state->parser.data = &state->head;
    state->body.len = 0;

    if (ngx_gate_check_remote_send_request(state, &error) != NGX_OK) {
        ngx_gate_check_remote_fail(state, &error);
    }
}


/* the lines of the configuration, then those of this request */

static ngx_int_t
ngx_gate_check_remote_send_request(ngx_gate_check_remote_state_t *state,
    ngx_gate_error_t *error)
{
    size_t                       len;
    u_char                      *p, *last;
    ngx_int_t                    rc;
    ngx_gate_check_http_conf_t   http;

    http = state->conf->http;

    len = http.request.len
          + sizeof("Init-Gate-Via: 00000000" CRLF
                   "Prefer: wait=" CRLF
                   "If-None-Match: " CRLF
                   CRLF)
          + NGX_INT_T_LEN + NGX_GATE_CHECK_REMOTE_TAG;

    p = ngx_alloc(len, state->probe->log);
    if (p == NULL) {
        ngx_gate_error_set(error, NGX_GATE_NO_MEMORY, "no memory");
        return NGX_ERROR;
    }

    last = p + len;

    /* without a token, the request is complete, and ends in an empty line */

    if (http.token_file.len == 0) {
        http.request.len -= 2;
    }

    http.request.data = p;

    p = ngx_cpymem(p, state->conf->http.request.data, http.request.len);
    p = ngx_slprintf(p, last, "Init-Gate-Via: %08xD" CRLF
                     "Prefer: wait=%d" CRLF,
                     state->probe->chain.id,
                     state->waiting ? NGX_GATE_CHECK_REMOTE_WAIT : 0);

    if (state->waiting) {
        p = ngx_slprintf(p, last, "If-None-Match: %*s" CRLF,
                         state->known.tag_len, state->known.tag);
    }

    if (http.token_file.len == 0) {
        p = ngx_slprintf(p, last, CRLF);
    }

    http.request.len = p - http.request.data;

    rc = ngx_gate_check_http_request_send(&http, &state->peer, &state->token,
                                          error);

    ngx_free(http.request.data);

    return rc;
}


static void
ngx_gate_check_remote_handler(ngx_gate_peer_t *peer,
    ngx_gate_peer_event_e event)
{
    ngx_gate_check_remote_state_t *state = peer->data;

    switch (event) {

    case NGX_GATE_PEER_CONNECTED:
        ngx_gate_check_remote_send(state);
        return;

    case NGX_GATE_PEER_DATA:
        ngx_gate_check_remote_read(state);
        return;

    case NGX_GATE_PEER_CLOSED:

        if (ngx_gate_http_parser_eof(&state->parser) == NGX_DONE) {
            ngx_gate_peer_close(peer);
            ngx_gate_check_remote_answered(state);
            return;
        }

        ngx_gate_check_remote_error(state, NGX_GATE_RESET,
                                    state->parser.error);
        return;

    default: /* NGX_GATE_PEER_FAILED */
        ngx_gate_check_remote_fail(state, &peer->error);
    }
}


static void
ngx_gate_check_remote_read(ngx_gate_check_remote_state_t *state)
{
    ngx_int_t   rc;
    ngx_str_t   piece;
    ngx_buf_t  *in;

    in = state->peer.in;

    for ( ;; ) {
        rc = ngx_gate_http_parser_parse(&state->parser, &in->pos, in->last,
                                        &piece);

        if (rc != NGX_OK) {
            break;
        }

        rc = ngx_gate_check_http_body_add(&state->body, &piece,
                                          NGX_GATE_MATCH_MAX + 1,
                                          state->probe->log);

        if (rc == NGX_DONE) {
            ngx_gate_check_remote_error(state, NGX_GATE_TOO_LARGE,
                                        "the body is larger than 64 KiB");
            return;
        }

        if (rc == NGX_ERROR) {
            ngx_gate_check_remote_error(state, NGX_GATE_NO_MEMORY,
                                        "no memory");
            return;
        }
    }

    if (rc == NGX_AGAIN) {
        return;
    }

    if (rc == NGX_ERROR) {
        ngx_gate_check_remote_error(state, NGX_GATE_PROTOCOL,
                                    state->parser.error);
        return;
    }

    if (ngx_gate_http_parser_keepalive(&state->parser)) {
        ngx_gate_peer_keep(&state->peer);

    } else {
        ngx_gate_peer_close(&state->peer);
    }

    ngx_gate_check_remote_answered(state);
}


static void
ngx_gate_check_remote_answered(ngx_gate_check_remote_state_t *state)
{
    ngx_str_t           body;
    ngx_gate_probe_t   *probe;
    ngx_gate_result_t   result;

    probe = state->probe;

    ngx_memzero(&result, sizeof(ngx_gate_result_t));
    result.observed = -1;
    result.expected = -1;

    body = ngx_gate_check_http_body_text(&state->body);

    probe->chain.eta = -1;

    ngx_gate_check_remote_verdict(state->conf, state->parser.status, &body,
                                  &result, &probe->chain.eta);

    if (result.message_len
        && ngx_gate_check_http_request_is_repeated(&state->conf->http,
                                                   &state->token, &body))
    {
        result.message_len = 0;
    }

    ngx_gate_check_remote_chain(state, &result);

    state->known = state->head;

    if (result.verdict == NGX_GATE_ERROR) {
        state->known.waits = 0;
    }

    ngx_gate_check_remote_reset(state);

    probe->result.observed = result.observed;
    probe->result.expected = result.expected;

    /* the next request waits for the next change */

    if (state->known.waits) {
        state->waited = 1;
        ngx_gate_probe_due(probe);
    }

    probe->lost = state->waited && !state->known.waits;

    ngx_gate_probe_end(probe, result.verdict, result.reason, "%*s",
                       result.message_len, result.message);
}


/* whom the gate there depends on; if that is us, there is a loop */

static void
ngx_gate_check_remote_chain(ngx_gate_check_remote_state_t *state,
    ngx_gate_result_t *result)
{
    ngx_uint_t        i;
    ngx_gate_chain_t  *chain;

    chain = &state->probe->chain;

    if (chain->nvia != state->head.nvia
        || ngx_memcmp(chain->via, state->head.via, sizeof(chain->via)) != 0)
    {
        chain->nvia = state->head.nvia;
        ngx_memcpy(chain->via, state->head.via, sizeof(chain->via));
        chain->changed = 1;
    }

    for (i = 0; i < chain->nvia; i++) {

        if (chain->via[i] == chain->id && result->reason != NGX_GATE_LOOP) {
            result->observed = -1;
            result->expected = -1;
            ngx_gate_result_set(result, NGX_GATE_ERROR, NGX_GATE_LOOP,
                                "the gate there waits for this one");
        }
    }
}


static void
ngx_gate_check_remote_error(ngx_gate_check_remote_state_t *state,
    ngx_gate_reason_e reason, const char *text)
{
    ngx_gate_error_t  error;

    ngx_gate_error_set(&error, reason, "%s", text);
    ngx_gate_check_remote_fail(state, &error);
}


/* a connection that breaks during a wait says nothing: another one is tried */

static void
ngx_gate_check_remote_fail(ngx_gate_check_remote_state_t *state,
    ngx_gate_error_t *error)
{
    ngx_gate_peer_close(&state->peer);

    if (!state->running) {
        return;
    }

    if (state->waiting
        && (error->reason == NGX_GATE_RESET
            || error->reason == NGX_GATE_UNREACHABLE))
    {
        state->waiting = 0;
        ngx_gate_check_remote_connect(state);
        return;
    }

    ngx_gate_check_remote_reset(state);

    state->known.waits = 0;
    state->probe->lost = 1;

    ngx_gate_probe_fail(state->probe, error);
}


static void
ngx_gate_check_remote_reset(ngx_gate_check_remote_state_t *state)
{
    state->running = 0;
    state->waiting = 0;

    ngx_gate_check_http_request_forget(&state->token);
    ngx_gate_check_http_body_free(&state->body);
}
