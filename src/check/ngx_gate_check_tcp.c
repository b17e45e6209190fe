
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
} ngx_gate_tcp_conf_t;


static char *ngx_gate_tcp_parse(ngx_conf_t *cf, ngx_gate_check_t *check);
static void ngx_gate_tcp_start(ngx_gate_probe_t *probe);
static void ngx_gate_tcp_handler(ngx_gate_peer_t *peer,
    ngx_gate_peer_event_e event);
static void ngx_gate_tcp_cancel(ngx_gate_probe_t *probe);


static ngx_gate_param_t  ngx_gate_tcp_params[] = {

    { ngx_string("tls"),
      NGX_GATE_PARAM_FLAG,
      ngx_gate_param_set_flag,
      offsetof(ngx_gate_tcp_conf_t, use_tls),
      NULL },

      ngx_gate_tls_params(ngx_gate_tcp_conf_t, tls),

      ngx_gate_param_end
};


ngx_gate_check_type_t  ngx_gate_check_tcp = {
    ngx_string("tcp"),
    ngx_gate_tcp_params,
    sizeof(ngx_gate_tcp_conf_t),
    ngx_gate_tcp_parse,
    ngx_gate_tcp_start,
    ngx_gate_tcp_cancel
};


static char *
ngx_gate_tcp_parse(ngx_conf_t *cf, ngx_gate_check_t *check)
{
    char                 *err;
    ngx_str_t             target;
    ngx_gate_tcp_conf_t  *tcf;

    tcf = check->conf;
    target = check->target;

    err = ngx_gate_endpoint_parse(cf, &tcf->endpoint, &target, 0);

    if (err) {

        if (ngx_strlchr(target.data, target.data + target.len, '@')) {

            /* a URL with a password */

            ngx_str_set(&target, "...");
        }

        return ngx_gate_param_error(cf, check, "target \"%V\" %s, it must be "
                                    "\"host:port\", \"[address]:port\" or "
                                    "\"unix:/path\"", &target, err);
    }

    if (!tcf->use_tls) {
        return ngx_gate_tls_refuse(cf, check, &tcf->tls, "\"tls\"");
    }

    tcf->endpoint.tls = &tcf->tls;

    return ngx_gate_tls_init(cf, check, &tcf->tls, &tcf->endpoint.host);
}


static void
ngx_gate_tcp_start(ngx_gate_probe_t *probe)
{
    ngx_gate_peer_t      *peer;
    ngx_gate_tcp_conf_t  *tcf;

    peer = probe->state;

    if (peer == NULL) {
        peer = ngx_pcalloc(probe->pool, sizeof(ngx_gate_peer_t));

        if (peer == NULL) {
            ngx_gate_probe_end(probe, NGX_GATE_ERROR, NGX_GATE_NO_MEMORY,
                               "no memory");
            return;
        }

        probe->state = peer;
    }

    tcf = probe->check->conf;

    peer->endpoint = &tcf->endpoint;
    peer->resolver = probe->resolver;
    peer->log = probe->log;
    peer->data = probe;
    peer->handler = ngx_gate_tcp_handler;

    ngx_gate_peer_connect(peer);
}


static void
ngx_gate_tcp_handler(ngx_gate_peer_t *peer, ngx_gate_peer_event_e event)
{
    ngx_gate_probe_t *probe = peer->data;

    ngx_gate_peer_close(peer);

    if (event == NGX_GATE_PEER_FAILED) {
        ngx_gate_probe_end(probe, NGX_GATE_ERROR, peer->reason, "%*s",
                           peer->error_len, peer->error);
        return;
    }

    /* whether it has something to say does not matter */

    ngx_gate_probe_end(probe, NGX_GATE_PASSED, NGX_GATE_OK, "");
}


static void
ngx_gate_tcp_cancel(ngx_gate_probe_t *probe)
{
    if (probe->state) {
        ngx_gate_peer_close(probe->state);
    }
}
