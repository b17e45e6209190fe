
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The grpc check: one call of grpc.health.v1.Health/Check.  The connection is
 * kept for the next probe if this one has passed.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate.h>
#include <ngx_gate_check_grpc.h>
#include <ngx_gate_check_target.h>
#include <ngx_gate_param.h>
#include <ngx_gate_peer.h>


/* HealthCheckRequest: the key of "service"; its length follows */

#define NGX_GATE_CHECK_GRPC_FIELD  0x0a
#define NGX_GATE_CHECK_GRPC_HEAD   (NGX_GATE_GRPC_PREFIX + 1 + 5)


typedef struct {
    ngx_gate_check_target_t   target;
    ngx_str_t                 service;
    ngx_gate_grpc_request_t   request;
} ngx_gate_check_grpc_conf_t;


typedef struct {
    ngx_gate_peer_t           peer;
    ngx_gate_grpc_t           grpc;
    ngx_gate_probe_t         *probe;
    ngx_uint_t                running;
} ngx_gate_check_grpc_state_t;


static char *ngx_gate_check_grpc_parse(ngx_conf_t *cf,
    ngx_gate_check_t *check);
static char *ngx_gate_check_grpc_message(ngx_conf_t *cf, ngx_str_t *message,
    ngx_str_t *service);

static void ngx_gate_check_grpc_start(ngx_gate_probe_t *probe);
static void ngx_gate_check_grpc_cancel(ngx_gate_probe_t *probe);
static void ngx_gate_check_grpc_handler(ngx_gate_peer_t *peer,
    ngx_gate_peer_event_e event);
static void ngx_gate_check_grpc_connected(ngx_gate_check_grpc_state_t *state);
static void ngx_gate_check_grpc_call(ngx_gate_check_grpc_state_t *state);
static void ngx_gate_check_grpc_send(void *data, const u_char *bytes,
    size_t len);
static void ngx_gate_check_grpc_read(ngx_gate_check_grpc_state_t *state);
static void ngx_gate_check_grpc_unanswered(ngx_gate_check_grpc_state_t *state,
    ngx_int_t rc);
static void ngx_gate_check_grpc_idle(ngx_gate_check_grpc_state_t *state,
    ngx_int_t rc);
static void ngx_gate_check_grpc_evaluate(ngx_gate_check_grpc_state_t *state);
static void ngx_gate_check_grpc_closed(ngx_gate_check_grpc_state_t *state);
static void ngx_gate_check_grpc_keep(ngx_gate_check_grpc_state_t *state);
static void ngx_gate_check_grpc_fail(ngx_gate_check_grpc_state_t *state);
static void ngx_gate_check_grpc_close(ngx_gate_check_grpc_state_t *state);


static ngx_gate_param_t  ngx_gate_check_grpc_params[] = {

    { ngx_string("service"),
      0,
      ngx_gate_param_set_str,
      offsetof(ngx_gate_check_grpc_conf_t, service),
      "the name of a service" },

      ngx_gate_check_target_params(ngx_gate_check_grpc_conf_t, target),

      ngx_gate_param_end
};


ngx_gate_check_type_t  ngx_gate_check_grpc = {
    ngx_string("grpc"),
    ngx_gate_check_grpc_params,
    sizeof(ngx_gate_check_grpc_conf_t),
    sizeof(ngx_gate_check_grpc_state_t),
    ngx_gate_check_grpc_parse,
    ngx_gate_check_grpc_start,
    ngx_gate_check_grpc_cancel,
    1,
    0
};


static char *
ngx_gate_check_grpc_parse(ngx_conf_t *cf, ngx_gate_check_t *check)
{
    ngx_gate_grpc_request_t     *request;
    ngx_gate_check_grpc_conf_t  *conf;

    conf = check->conf;
    request = &conf->request;

    ngx_str_set(&conf->target.tls.alpn, "h2");

    if (ngx_gate_check_target_parse(cf, check, &conf->target) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->target.use_tls) {
        ngx_str_set(&request->scheme, "https");

    } else {
        ngx_str_set(&request->scheme, "http");
    }

    if (conf->target.endpoint.path.len) {
        ngx_str_set(&request->authority, "localhost");

    } else {
        request->authority = conf->target.endpoint.text;
    }

    ngx_str_set(&request->path, "/grpc.health.v1.Health/Check");

    return ngx_gate_check_grpc_message(cf, &request->message, &conf->service);
}


static char *
ngx_gate_check_grpc_message(ngx_conf_t *cf, ngx_str_t *message,
    ngx_str_t *service)
{
    size_t   len;
    u_char  *p;

    p = ngx_pcalloc(cf->pool, NGX_GATE_CHECK_GRPC_HEAD + service->len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    message->data = p;
    p += NGX_GATE_GRPC_PREFIX;

    if (service->len) {
        *p++ = NGX_GATE_CHECK_GRPC_FIELD;

        for (len = service->len; len > 0x7f; len >>= 7) {
            *p++ = (u_char) (len | 0x80);
        }

        *p++ = (u_char) len;
        p = ngx_cpymem(p, service->data, service->len);
    }

    message->len = p - message->data;

    len = message->len - NGX_GATE_GRPC_PREFIX;

    message->data[1] = (u_char) (len >> 24);
    message->data[2] = (u_char) (len >> 16);
    message->data[3] = (u_char) (len >> 8);
    message->data[4] = (u_char) len;

    return NGX_CONF_OK;
}


static void
ngx_gate_check_grpc_start(ngx_gate_probe_t *probe)
{
    ngx_gate_peer_t              *peer;
    ngx_gate_check_grpc_conf_t   *conf;
    ngx_gate_check_grpc_state_t  *state;

    conf = probe->check->conf;
    state = probe->state;
    peer = &state->peer;

    state->probe = probe;
    state->running = 1;

    if (ngx_gate_peer_is_kept(peer)) {
        ngx_gate_check_grpc_call(state);
        return;
    }

    peer->endpoint = ngx_gate_endpoint_of(probe, &conf->target.endpoint);
    peer->resolver = probe->resolver;
    peer->log = probe->log;
    peer->data = state;
    peer->handler = ngx_gate_check_grpc_handler;
    peer->read_kept = 1;

    ngx_gate_peer_connect(peer);
}


static void
ngx_gate_check_grpc_cancel(ngx_gate_probe_t *probe)
{
    ngx_gate_check_grpc_state_t *state = probe->state;

    state->running = 0;
    ngx_gate_check_grpc_close(state);
}


static void
ngx_gate_check_grpc_handler(ngx_gate_peer_t *peer, ngx_gate_peer_event_e event)
{
    ngx_gate_check_grpc_state_t *state = peer->data;

    switch (event) {

    case NGX_GATE_PEER_CONNECTED:
        ngx_gate_check_grpc_connected(state);
        return;

    case NGX_GATE_PEER_DATA:
        ngx_gate_check_grpc_read(state);
        return;

    case NGX_GATE_PEER_CLOSED:
        ngx_gate_check_grpc_closed(state);
        return;

    default: /* NGX_GATE_PEER_FAILED */

        if (state->running && ngx_gate_peer_retry(peer)) {
            return;
        }

        ngx_gate_check_grpc_close(state);

        if (state->running) {
            state->running = 0;
            ngx_gate_probe_fail(state->probe, &peer->error);
        }
    }
}


static void
ngx_gate_check_grpc_connected(ngx_gate_check_grpc_state_t *state)
{
    ngx_gate_grpc_t  *grpc;

    grpc = &state->grpc;

    ngx_gate_grpc_close(grpc);

    grpc->data = &state->peer;
    grpc->send = ngx_gate_check_grpc_send;

    if (ngx_gate_grpc_open(grpc) != NGX_OK) {
        ngx_gate_error_set(&state->grpc.error, NGX_GATE_NO_MEMORY,
                           "no memory");
        ngx_gate_check_grpc_fail(state);
        return;
    }

    ngx_gate_check_grpc_call(state);
}


static void
ngx_gate_check_grpc_call(ngx_gate_check_grpc_state_t *state)
{
    ngx_msec_int_t               left;
    ngx_gate_probe_t            *probe;
    ngx_gate_check_grpc_conf_t  *conf;

    probe = state->probe;
    conf = probe->check->conf;

    probe->log->action = "waiting for the response";

    left = (ngx_msec_int_t) (probe->deadline - ngx_current_msec);

    if (ngx_gate_grpc_call(&state->grpc, &conf->request, ngx_max(left, 1))
        != NGX_OK)
    {
        ngx_gate_error_set(&state->grpc.error, NGX_GATE_NO_MEMORY,
                           "no memory");
        ngx_gate_check_grpc_fail(state);
    }
}


static void
ngx_gate_check_grpc_send(void *data, const u_char *bytes, size_t len)
{
    ngx_gate_peer_send(data, (u_char *) bytes, len);
}


static void
ngx_gate_check_grpc_read(ngx_gate_check_grpc_state_t *state)
{
    u_char     *bytes;
    ngx_int_t   rc;
    ngx_buf_t  *in;

    in = state->peer.in;

    /* reading may send, and a failure to send frees the buffer */

    bytes = in->pos;
    in->pos = in->last;

    rc = ngx_gate_grpc_read(&state->grpc, bytes, in->last - bytes);

    if (!state->running) {
        ngx_gate_check_grpc_idle(state, rc);
        return;
    }

    switch (rc) {

    case NGX_AGAIN:
        return;

    case NGX_DONE:
        ngx_gate_check_grpc_evaluate(state);
        return;

    default: /* NGX_DECLINED, NGX_ERROR */
        ngx_gate_check_grpc_unanswered(state, rc);
    }
}


static void
ngx_gate_check_grpc_unanswered(ngx_gate_check_grpc_state_t *state,
    ngx_int_t rc)
{
    if (rc == NGX_DECLINED && ngx_gate_peer_retry(&state->peer)) {
        return;
    }

    ngx_gate_check_grpc_fail(state);
}


/* a PING was acknowledged, or the server sent GOAWAY */

static void
ngx_gate_check_grpc_idle(ngx_gate_check_grpc_state_t *state, ngx_int_t rc)
{
    if (rc == NGX_DONE) {
        ngx_gate_check_grpc_keep(state);

    } else {
        ngx_gate_check_grpc_close(state);
    }
}


static void
ngx_gate_check_grpc_evaluate(ngx_gate_check_grpc_state_t *state)
{
    ngx_gate_result_t  result;

    ngx_gate_check_grpc_verdict(&state->grpc.response, &result);

    state->running = 0;

    if (result.verdict == NGX_GATE_PASSED && state->probe->endpoint == NULL) {
        ngx_gate_check_grpc_keep(state);

    } else {
        ngx_gate_check_grpc_close(state);
    }

    ngx_gate_probe_end(state->probe, result.verdict, result.reason, "%*s",
                       result.message_len, result.message);
}


static void
ngx_gate_check_grpc_closed(ngx_gate_check_grpc_state_t *state)
{
    if (!state->running) {
        ngx_gate_check_grpc_close(state);
        return;
    }

    ngx_gate_check_grpc_unanswered(state, ngx_gate_grpc_read_end(&state->grpc));
}


static void
ngx_gate_check_grpc_keep(ngx_gate_check_grpc_state_t *state)
{
    if (!ngx_gate_grpc_is_reusable(&state->grpc)) {
        ngx_gate_check_grpc_close(state);
        return;
    }

    ngx_gate_peer_keep(&state->peer);

    if (!ngx_gate_peer_is_kept(&state->peer)) {
        ngx_gate_check_grpc_close(state);
    }
}


static void
ngx_gate_check_grpc_fail(ngx_gate_check_grpc_state_t *state)
{
    ngx_gate_check_grpc_close(state);

    state->running = 0;

    ngx_gate_probe_fail(state->probe, &state->grpc.error);
}


static void
ngx_gate_check_grpc_close(ngx_gate_check_grpc_state_t *state)
{
    ngx_gate_peer_close(&state->peer);
    ngx_gate_grpc_close(&state->grpc);
}
