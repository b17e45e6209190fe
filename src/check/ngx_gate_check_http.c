
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One request, one response.  The connection is kept for the next probe if
 * this one has passed and the response has been read to its end.  A gate's
 * trigger is the same, and needs no connection after it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate.h>
#include <ngx_gate_match.h>
#include <ngx_gate_peer.h>
#include <ngx_gate_check_http.h>
#include <ngx_gate_check_http_body.h>
#include <ngx_gate_check_http_request.h>
#include <ngx_gate_http_parser.h>


#define NGX_GATE_CHECK_HTTP_DRAIN_MAX  65536   /* read to keep the connection */


typedef struct {
    ngx_gate_peer_t              peer;
    ngx_gate_http_parser_t       parser;
    ngx_gate_probe_t            *probe;
    ngx_gate_check_http_conf_t  *conf;
    ngx_gate_check_http_body_t   body;      /* for match= and json= */
    size_t                       drained;
    ngx_str_t                    token;     /* sent, of token_file= */
    ngx_uint_t                   running;
} ngx_gate_check_http_state_t;


static void ngx_gate_check_http_start(ngx_gate_probe_t *probe);
static void ngx_gate_check_http_cancel(ngx_gate_probe_t *probe);
static void ngx_gate_check_http_send(ngx_gate_check_http_state_t *state);
static void ngx_gate_check_http_handler(ngx_gate_peer_t *peer,
    ngx_gate_peer_event_e event);
static void ngx_gate_check_http_read(ngx_gate_check_http_state_t *state);
static void ngx_gate_check_http_drain(ngx_gate_check_http_state_t *state);
static void ngx_gate_check_http_closed(ngx_gate_check_http_state_t *state);
static ngx_uint_t ngx_gate_check_http_needs_body(
    ngx_gate_check_http_state_t *state);
static ngx_int_t ngx_gate_check_http_add_body(
    ngx_gate_check_http_state_t *state, ngx_str_t *piece);
static ngx_uint_t ngx_gate_check_http_status_matches(
    ngx_gate_check_http_state_t *state);
static void ngx_gate_check_http_evaluate(ngx_gate_check_http_state_t *state);
static void ngx_gate_check_http_verdict(ngx_gate_check_http_state_t *state,
    ngx_gate_result_t *result);
static ngx_uint_t ngx_gate_check_http_is_redirect(ngx_uint_t status);
static void ngx_gate_check_http_verdict_json(
    ngx_gate_check_http_state_t *state, ngx_str_t *body,
    ngx_gate_result_t *result);
static void ngx_gate_check_http_verdict_match(
    ngx_gate_check_http_state_t *state, ngx_str_t *body,
    ngx_gate_result_t *result);
static void ngx_gate_check_http_error(ngx_gate_check_http_state_t *state,
    ngx_gate_reason_e reason, const char *text);
static void ngx_gate_check_http_fail(ngx_gate_check_http_state_t *state,
    ngx_gate_error_t *error);
static void ngx_gate_check_http_reset(ngx_gate_check_http_state_t *state);


ngx_gate_check_type_t  ngx_gate_check_http = {
    ngx_string("http"),
    ngx_gate_check_http_conf_params,
    sizeof(ngx_gate_check_http_conf_t),
    sizeof(ngx_gate_check_http_state_t),
    ngx_gate_check_http_conf_parse,
    ngx_gate_check_http_start,
    ngx_gate_check_http_cancel,
    1,
    0
};


static void
ngx_gate_check_http_start(ngx_gate_probe_t *probe)
{
    ngx_gate_peer_t              *peer;
    ngx_gate_check_http_state_t  *state;

    state = probe->state;

    state->probe = probe;
    state->conf = probe->check->conf;
    state->running = 1;

    peer = &state->peer;

    if (ngx_gate_peer_is_kept(peer)) {
        ngx_gate_check_http_send(state);
        return;
    }

    peer->endpoint = ngx_gate_endpoint_of(probe, &state->conf->url.endpoint);
    peer->resolver = probe->resolver;
    peer->log = probe->log;
    peer->deadline = probe->deadline;
    peer->data = state;
    peer->handler = ngx_gate_check_http_handler;

    ngx_gate_peer_connect(peer);
}


static void
ngx_gate_check_http_cancel(ngx_gate_probe_t *probe)
{
    ngx_gate_check_http_state_t *state = probe->state;

    ngx_gate_peer_close(&state->peer);
    ngx_gate_check_http_reset(state);
}


static void
ngx_gate_check_http_send(ngx_gate_check_http_state_t *state)
{
    ngx_gate_error_t  error;

    state->probe->log->action = "waiting for the answer";

    ngx_gate_http_parser_init(&state->parser, state->conf->head);
    state->drained = 0;

    if (ngx_gate_check_http_request_send(state->conf, &state->peer,
                                         &state->token, &error)
        != NGX_OK)
    {
        ngx_gate_check_http_fail(state, &error);
    }
}


static void
ngx_gate_check_http_handler(ngx_gate_peer_t *peer, ngx_gate_peer_event_e event)
{
    ngx_gate_check_http_state_t *state = peer->data;

    switch (event) {

    case NGX_GATE_PEER_CONNECTED:
        ngx_gate_check_http_send(state);
        return;

    case NGX_GATE_PEER_DATA:

        if (state->running) {
            ngx_gate_check_http_read(state);

        } else {
            ngx_gate_check_http_drain(state);
        }

        return;

    case NGX_GATE_PEER_CLOSED:
        ngx_gate_check_http_closed(state);
        return;

    default: /* NGX_GATE_PEER_FAILED */

        if (state->running) {
            ngx_gate_check_http_reset(state);
            ngx_gate_probe_fail(state->probe, &peer->error);
        }
    }
}


static void
ngx_gate_check_http_read(ngx_gate_check_http_state_t *state)
{
    ngx_int_t   rc;
    ngx_str_t   piece;
    ngx_buf_t  *in;

    in = state->peer.in;

    for ( ;; ) {
        rc = ngx_gate_http_parser_parse(&state->parser, &in->pos, in->last,
                                        &piece);

        if (rc != NGX_OK || !ngx_gate_check_http_needs_body(state)) {
            break;
        }

        rc = ngx_gate_check_http_add_body(state, &piece);

        if (rc == NGX_ERROR) {
            ngx_gate_check_http_error(state, NGX_GATE_NO_MEMORY, "no memory");
            return;
        }

        if (rc == NGX_DONE) {

            /* enough has been seen, however long the body is */

            ngx_gate_peer_close(&state->peer);
            ngx_gate_check_http_evaluate(state);
            return;
        }
    }

    if (rc != NGX_DONE
        && (!ngx_gate_http_parser_has_status(&state->parser)
            || ngx_gate_check_http_needs_body(state)))
    {
        if (rc == NGX_ERROR) {
            ngx_gate_check_http_error(state, NGX_GATE_PROTOCOL,
                                      state->parser.error);
        }

        return;
    }

    /* 408: the server gave up waiting for this request */

    if (state->parser.status == 408 && ngx_gate_peer_retry(&state->peer)) {
        return;
    }

    if (rc == NGX_OK) {
        state->drained += piece.len;
    }

    ngx_gate_check_http_evaluate(state);
}


/* reads the answer to its end if that is near, to keep the connection */

static void
ngx_gate_check_http_drain(ngx_gate_check_http_state_t *state)
{
    ngx_int_t                rc;
    ngx_str_t                piece;
    ngx_buf_t               *in;
    ngx_gate_http_parser_t  *parser;

    in = state->peer.in;
    parser = &state->parser;

    if (state->probe->endpoint) {
        ngx_gate_peer_close(&state->peer);
        return;
    }

    do {
        rc = ngx_gate_http_parser_parse(parser, &in->pos, in->last, &piece);

        if (rc == NGX_OK) {
            state->drained += piece.len;
        }

    } while (rc == NGX_OK);

    if (rc == NGX_DONE && ngx_gate_http_parser_keepalive(parser)) {
        ngx_gate_peer_keep(&state->peer);
        return;
    }

    if (rc != NGX_AGAIN
        || !ngx_gate_http_parser_keepalive(parser)
        || state->drained > NGX_GATE_CHECK_HTTP_DRAIN_MAX
        || parser->left > NGX_GATE_CHECK_HTTP_DRAIN_MAX)
    {
        ngx_gate_peer_close(&state->peer);
    }
}


static void
ngx_gate_check_http_closed(ngx_gate_check_http_state_t *state)
{
    if (!state->running) {
        ngx_gate_peer_close(&state->peer);
        return;
    }

    if (ngx_gate_http_parser_eof(&state->parser) != NGX_DONE) {
        ngx_gate_check_http_error(state, NGX_GATE_RESET, state->parser.error);
        return;
    }

    ngx_gate_peer_close(&state->peer);
    ngx_gate_check_http_evaluate(state);
}


static ngx_uint_t
ngx_gate_check_http_needs_body(ngx_gate_check_http_state_t *state)
{
    return (state->conf->match || state->conf->json.pointer.data)
           && ngx_gate_check_http_status_matches(state);
}


/* NGX_DONE: that was enough */

static ngx_int_t
ngx_gate_check_http_add_body(ngx_gate_check_http_state_t *state,
    ngx_str_t *piece)
{
    size_t  max;

    /* JSON is read as a whole, or not at all */

    max = NGX_GATE_MATCH_MAX + (state->conf->json.pointer.data ? 1 : 0);

    return ngx_gate_check_http_body_add(&state->body, piece, max,
                                        state->probe->log);
}


static ngx_uint_t
ngx_gate_check_http_status_matches(ngx_gate_check_http_state_t *state)
{
    ngx_uint_t                    i, status;
    ngx_array_t                  *list;
    ngx_gate_check_http_range_t  *range;

    status = state->parser.status;
    list = state->conf->status;

    if (list == NULL) {
        return status >= 200 && status <= 299;
    }

    range = list->elts;

    for (i = 0; i < list->nelts; i++) {
        if (status >= range[i].first && status <= range[i].last) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_gate_check_http_evaluate(ngx_gate_check_http_state_t *state)
{
    ngx_gate_probe_t   *probe;
    ngx_gate_result_t   result;

    probe = state->probe;

    ngx_gate_check_http_verdict(state, &result);
    ngx_gate_check_http_reset(state);

    /*
     * What is left of the body is read aside, and does not matter.  A server
     * that has not passed may be replaced by one that will, behind the same
     * name or address.
     */

    if (result.verdict != NGX_GATE_PASSED || probe->check->trigger) {
        ngx_gate_peer_close(&state->peer);

    } else if (ngx_gate_peer_is_open(&state->peer)) {
        ngx_gate_check_http_drain(state);
    }

    probe->result.observed = result.observed;
    probe->result.expected = result.expected;

    ngx_gate_probe_end(probe, result.verdict, result.reason, "%*s",
                       result.message_len, result.message);
}


static void
ngx_gate_check_http_verdict(ngx_gate_check_http_state_t *state,
    ngx_gate_result_t *result)
{
    ngx_str_t   body;
    ngx_uint_t  status;

    ngx_memzero(result, sizeof(ngx_gate_result_t));

    result->observed = -1;
    result->expected = -1;

    status = state->parser.status;

    if (!ngx_gate_check_http_status_matches(state)) {
        ngx_gate_result_set(result, NGX_GATE_WAITING,
                            NGX_GATE_BAD_STATUS, "HTTP %ui%s", status,
                            ngx_gate_check_http_is_redirect(status)
                            ? ", a redirect, which is not followed"
                            : "");
        return;
    }

    body = ngx_gate_check_http_body_text(&state->body);

    if (state->conf->json.pointer.data) {
        ngx_gate_check_http_verdict_json(state, &body, result);

    } else if (state->conf->match) {
        ngx_gate_check_http_verdict_match(state, &body, result);

    } else {
        result->verdict = NGX_GATE_PASSED;
    }
}


static ngx_uint_t
ngx_gate_check_http_is_redirect(ngx_uint_t status)
{
    return (status >= 301 && status <= 303) || status == 307 || status == 308;
}


static void
ngx_gate_check_http_verdict_json(ngx_gate_check_http_state_t *state,
    ngx_str_t *body, ngx_gate_result_t *result)
{
#if (NGX_GATE_JSON)

    if (body->len > NGX_GATE_MATCH_MAX) {
        ngx_gate_result_set(result, NGX_GATE_ERROR, NGX_GATE_TOO_LARGE,
                            "the body is larger than 64 KiB");
        return;
    }

    ngx_gate_check_http_json_evaluate(&state->conf->json, state->conf->match,
                                      body, result);

    if (result->message_len
        && ngx_gate_check_http_request_is_repeated(state->conf, &state->token,
                                                   body))
    {
        ngx_gate_result_set(result, result->verdict, result->reason,
                            "the body repeats a header of the request, "
                            "and is not shown");
    }

#endif
}


static void
ngx_gate_check_http_verdict_match(ngx_gate_check_http_state_t *state,
    ngx_str_t *body, ngx_gate_result_t *result)
{
#if (NGX_PCRE)

    switch (ngx_gate_match_exec(state->conf->match, body)) {

    case NGX_OK:
        result->verdict = NGX_GATE_PASSED;
        return;

    case NGX_DECLINED:
        ngx_gate_result_set(result, NGX_GATE_WAITING, NGX_GATE_MISMATCH,
                            "HTTP %ui, but the body does not match",
                            state->parser.status);
        return;

    default:
        ngx_gate_result_set(result, NGX_GATE_ERROR, NGX_GATE_TIMEOUT,
                            "matching the body takes too long");
    }

#endif
}


static void
ngx_gate_check_http_error(ngx_gate_check_http_state_t *state,
    ngx_gate_reason_e reason, const char *text)
{
    ngx_gate_error_t  error;

    ngx_gate_error_set(&error, reason, "%s", text);
    ngx_gate_check_http_fail(state, &error);
}


static void
ngx_gate_check_http_fail(ngx_gate_check_http_state_t *state,
    ngx_gate_error_t *error)
{
    ngx_gate_peer_close(&state->peer);
    ngx_gate_check_http_reset(state);

    ngx_gate_probe_fail(state->probe, error);
}


/* the run is over */

static void
ngx_gate_check_http_reset(ngx_gate_check_http_state_t *state)
{
    state->running = 0;

    ngx_gate_check_http_request_forget(&state->token);
    ngx_gate_check_http_body_free(&state->body);
}
