
/*
 * The tcp check: connects, shakes hands where it is told to, and closes.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate.h>
#include <ngx_gate_param.h>
#include <ngx_gate_peer.h>


typedef struct {
    ngx_gate_endpoint_t       endpoint;
    ngx_gate_tls_t            tls;
    ngx_uint_t                use_tls;
} ngx_gate_check_tcp_conf_t;


typedef struct {
    ngx_gate_peer_t           peer;
    ngx_gate_probe_t         *probe;
} ngx_gate_check_tcp_state_t;


static char *ngx_gate_check_tcp_parse(ngx_conf_t *cf, ngx_gate_check_t *check);
static void ngx_gate_check_tcp_start(ngx_gate_probe_t *probe);
static void ngx_gate_check_tcp_handler(ngx_gate_peer_t *peer,
    ngx_gate_peer_event_e event);
static void ngx_gate_check_tcp_cancel(ngx_gate_probe_t *probe);


static ngx_gate_param_t  ngx_gate_check_tcp_params[] = {

    { ngx_string("tls"),
      NGX_GATE_PARAM_FLAG,
      ngx_gate_param_set_flag,
      offsetof(ngx_gate_check_tcp_conf_t, use_tls),
      NULL },

      ngx_gate_tls_params(ngx_gate_check_tcp_conf_t, tls),

      ngx_gate_param_end
};


ngx_gate_check_type_t  ngx_gate_check_tcp = {
    ngx_string("tcp"),
    ngx_gate_check_tcp_params,
    sizeof(ngx_gate_check_tcp_conf_t),
    ngx_gate_check_tcp_parse,
    ngx_gate_check_tcp_start,
    ngx_gate_check_tcp_cancel
};


static char *
ngx_gate_check_tcp_parse(ngx_conf_t *cf, ngx_gate_check_t *check)
{
    char                       *err;
    ngx_str_t                   target;
    ngx_gate_check_tcp_conf_t  *conf;

    conf = check->conf;
    target = check->target;

    err = ngx_gate_endpoint_parse(cf, &conf->endpoint, &target, 0);

    if (err) {

        if (ngx_strlchr(target.data, target.data + target.len, '@')) {

            /* a URL with a password */

            ngx_str_set(&target, "...");
        }

        return ngx_gate_param_error(cf, check, "target \"%V\" %s, it must be "
                                    "\"host:port\", \"[address]:port\" or "
                                    "\"unix:/path\"", &target, err);
    }

    if (!conf->use_tls) {
        return ngx_gate_tls_reject(cf, check, &conf->tls, "\"tls\"");
    }

    conf->endpoint.tls = &conf->tls;

    return ngx_gate_tls_init(cf, check, &conf->tls, &conf->endpoint.host);
}


static void
ngx_gate_check_tcp_start(ngx_gate_probe_t *probe)
{
    ngx_gate_peer_t             *peer;
    ngx_gate_check_tcp_conf_t   *conf;
    ngx_gate_check_tcp_state_t  *state;

    state = probe->state;

    if (state == NULL) {
        state = ngx_pcalloc(probe->pool, sizeof(ngx_gate_check_tcp_state_t));

        if (state == NULL) {
            ngx_gate_probe_end(probe, NGX_GATE_ERROR, NGX_GATE_NO_MEMORY,
                               "no memory");
            return;
        }

        state->probe = probe;
        probe->state = state;
    }

    conf = probe->check->conf;
    peer = &state->peer;

    peer->endpoint = &conf->endpoint;
    peer->resolver = probe->resolver;
    peer->log = probe->log;
    peer->deadline = probe->deadline;
    peer->data = state;
    peer->handler = ngx_gate_check_tcp_handler;

    ngx_gate_peer_connect(peer);
}


static void
ngx_gate_check_tcp_handler(ngx_gate_peer_t *peer, ngx_gate_peer_event_e event)
{
    ngx_gate_check_tcp_state_t *state = peer->data;

    ngx_gate_peer_close(peer);

    if (event == NGX_GATE_PEER_FAILED) {
        ngx_gate_probe_end(state->probe, NGX_GATE_ERROR, peer->reason, "%*s",
                           peer->error_len, peer->error);
        return;
    }

    /* whether it has something to say does not matter */

    ngx_gate_probe_end(state->probe, NGX_GATE_PASSED, NGX_GATE_OK, "");
}


static void
ngx_gate_check_tcp_cancel(ngx_gate_probe_t *probe)
{
    ngx_gate_check_tcp_state_t *state = probe->state;

    if (state) {
        ngx_gate_peer_close(&state->peer);
    }
}
