
/*
 * One request, one answer, and the connection is kept for the next probe
 * where the answer has been read to its end.  A gate's trigger is the same
 * with another method, done when the answer is a 2xx.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate.h>
#include <ngx_gate_match.h>
#include <ngx_gate_peer.h>
#include <ngx_gate_http_conf.h>
#include <ngx_gate_http_parser.h>


#define NGX_GATE_HTTP_DRAIN_MAX  65536    /* read to keep the connection */
#define NGX_GATE_HTTP_BODY_SIZE  4096     /* at first */


typedef struct {
    ngx_gate_peer_t           peer;
    ngx_gate_http_parser_t    parser;
    ngx_gate_probe_t         *probe;
    ngx_gate_http_conf_t     *conf;
    u_char                   *body;         /* what match= looks at */
    size_t                    body_len;
    size_t                    body_size;
    size_t                    drained;
    ngx_uint_t                running;
    ngx_uint_t                reused;       /* the connection, by this run */
} ngx_gate_http_t;


static void ngx_gate_http_start(ngx_gate_probe_t *probe);
static void ngx_gate_http_cancel(ngx_gate_probe_t *probe);
static void ngx_gate_http_send(ngx_gate_http_t *http);
static void ngx_gate_http_handler(ngx_gate_peer_t *peer,
    ngx_gate_peer_event_e event);
static void ngx_gate_http_read(ngx_gate_http_t *http);
static void ngx_gate_http_drain(ngx_gate_http_t *http);
static void ngx_gate_http_ended(ngx_gate_http_t *http);
static ngx_uint_t ngx_gate_http_wants_body(ngx_gate_http_t *http);
static ngx_int_t ngx_gate_http_collect(ngx_gate_http_t *http,
    ngx_str_t *piece);
static ngx_uint_t ngx_gate_http_status_ok(ngx_gate_http_t *http);
static void ngx_gate_http_judge(ngx_gate_http_t *http);
static void ngx_gate_http_fail(ngx_gate_http_t *http, ngx_gate_reason_e reason,
    const char *text);
static void ngx_gate_http_reset(ngx_gate_http_t *http);


ngx_gate_check_type_t  ngx_gate_check_http = {
    ngx_string("http"),
    ngx_gate_http_params,
    sizeof(ngx_gate_http_conf_t),
    ngx_gate_http_conf_parse,
    ngx_gate_http_start,
    ngx_gate_http_cancel
};


static void
ngx_gate_http_start(ngx_gate_probe_t *probe)
{
    ngx_gate_http_t  *http;
    ngx_gate_peer_t  *peer;

    http = probe->state;

    if (http == NULL) {
        http = ngx_pcalloc(probe->pool, sizeof(ngx_gate_http_t));

        if (http == NULL) {
            ngx_gate_probe_end(probe, NGX_GATE_ERROR, NGX_GATE_NO_MEMORY,
                               "no memory");
            return;
        }

        probe->state = http;
    }

    http->probe = probe;
    http->conf = probe->check->conf;
    http->running = 1;

    peer = &http->peer;

    http->reused = ngx_gate_peer_is_kept(peer);

    if (http->reused) {
        ngx_gate_http_send(http);
        return;
    }

    peer->endpoint = &http->conf->url.endpoint;
    peer->resolver = probe->resolver;
    peer->log = probe->log;
    peer->data = http;
    peer->handler = ngx_gate_http_handler;

    ngx_gate_peer_connect(peer);
}


static void
ngx_gate_http_cancel(ngx_gate_probe_t *probe)
{
    ngx_gate_http_t *http = probe->state;

    if (http) {
        ngx_gate_peer_close(&http->peer);
        ngx_gate_http_reset(http);
    }
}


static void
ngx_gate_http_send(ngx_gate_http_t *http)
{
    ngx_str_t  *request;

    request = &http->conf->request;

    http->probe->log->action = "waiting for the answer";

    ngx_gate_http_parser_init(&http->parser, http->conf->head);
    http->drained = 0;

    ngx_gate_peer_send(&http->peer, request->data, request->len);
}


static void
ngx_gate_http_handler(ngx_gate_peer_t *peer, ngx_gate_peer_event_e event)
{
    ngx_gate_http_t *http = peer->data;

    switch (event) {

    case NGX_GATE_PEER_CONNECTED:
        http->reused = 0;
        ngx_gate_http_send(http);
        return;

    case NGX_GATE_PEER_DATA:

        if (http->running) {
            ngx_gate_http_read(http);

        } else {
            ngx_gate_http_drain(http);
        }

        return;

    case NGX_GATE_PEER_CLOSED:
        ngx_gate_http_ended(http);
        return;

    default: /* NGX_GATE_PEER_FAILED */

        if (http->running) {
            ngx_gate_http_reset(http);
            ngx_gate_probe_end(http->probe, NGX_GATE_ERROR, peer->reason,
                               "%*s", peer->error_len, peer->error);
        }
    }
}


static void
ngx_gate_http_read(ngx_gate_http_t *http)
{
    ngx_int_t   rc;
    ngx_str_t   piece;
    ngx_buf_t  *in;

    in = http->peer.in;

    for ( ;; ) {
        rc = ngx_gate_http_parse(&http->parser, &in->pos, in->last, &piece);

        if (rc != NGX_OK || !ngx_gate_http_wants_body(http)) {
            break;
        }

        rc = ngx_gate_http_collect(http, &piece);

        if (rc == NGX_ERROR) {
            ngx_gate_http_fail(http, NGX_GATE_NO_MEMORY, "no memory");
            return;
        }

        if (rc == NGX_DONE) {

            /* enough has been seen, however long the body is */

            ngx_gate_peer_close(&http->peer);
            ngx_gate_http_judge(http);
            return;
        }
    }

    if (rc != NGX_DONE
        && (!ngx_gate_http_has_status(&http->parser)
            || ngx_gate_http_wants_body(http)))
    {
        if (rc == NGX_ERROR) {
            ngx_gate_http_fail(http, NGX_GATE_PROTOCOL, http->parser.error);
        }

        return;
    }

    if (http->reused && http->parser.status == 408) {

        /* said of the time between two requests, just as the second came */

        ngx_gate_peer_connect(&http->peer);
        return;
    }

    if (rc == NGX_OK) {
        http->drained += piece.len;
    }

    /*
     * The verdict stands.  What is left of the body is read aside, and does
     * not matter.
     */

    ngx_gate_http_drain(http);
    ngx_gate_http_judge(http);
}


/* reads the answer to its end if that is near, to keep the connection */

static void
ngx_gate_http_drain(ngx_gate_http_t *http)
{
    ngx_int_t                rc;
    ngx_str_t                piece;
    ngx_buf_t               *in;
    ngx_gate_http_parser_t  *parser;

    in = http->peer.in;
    parser = &http->parser;

    do {
        rc = ngx_gate_http_parse(parser, &in->pos, in->last, &piece);

        if (rc == NGX_OK) {
            http->drained += piece.len;
        }

    } while (rc == NGX_OK);

    if (rc == NGX_DONE && ngx_gate_http_keepalive(parser)) {
        ngx_gate_peer_keep(&http->peer);
        return;
    }

    if (rc != NGX_AGAIN
        || !ngx_gate_http_keepalive(parser)
        || http->drained > NGX_GATE_HTTP_DRAIN_MAX
        || parser->left > NGX_GATE_HTTP_DRAIN_MAX)
    {
        ngx_gate_peer_close(&http->peer);
    }
}


static void
ngx_gate_http_ended(ngx_gate_http_t *http)
{
    if (!http->running) {
        ngx_gate_peer_close(&http->peer);
        return;
    }

    if (ngx_gate_http_parse_end(&http->parser) != NGX_DONE) {
        ngx_gate_http_fail(http, NGX_GATE_RESET, http->parser.error);
        return;
    }

    ngx_gate_peer_close(&http->peer);
    ngx_gate_http_judge(http);
}


static ngx_uint_t
ngx_gate_http_wants_body(ngx_gate_http_t *http)
{
    return http->conf->match && ngx_gate_http_status_ok(http);
}


/* NGX_DONE: that was enough */

static ngx_int_t
ngx_gate_http_collect(ngx_gate_http_t *http, ngx_str_t *piece)
{
    size_t   len, size;
    u_char  *body;

    len = ngx_min(piece->len, NGX_GATE_MATCH_MAX - http->body_len);

    if (http->body_size - http->body_len < len) {

        size = http->body_size ? http->body_size : NGX_GATE_HTTP_BODY_SIZE;

        while (size - http->body_len < len) {
            size *= 2;
        }

        body = ngx_alloc(size, http->probe->log);
        if (body == NULL) {
            return NGX_ERROR;
        }

        if (http->body) {
            ngx_memcpy(body, http->body, http->body_len);
            ngx_free(http->body);
        }

        http->body = body;
        http->body_size = size;
    }

    ngx_memcpy(http->body + http->body_len, piece->data, len);
    http->body_len += len;

    return (http->body_len == NGX_GATE_MATCH_MAX) ? NGX_DONE : NGX_OK;
}


static ngx_uint_t
ngx_gate_http_status_ok(ngx_gate_http_t *http)
{
    ngx_uint_t              i, status;
    ngx_array_t            *list;
    ngx_gate_http_range_t  *range;

    status = http->parser.status;
    list = http->conf->status;

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
ngx_gate_http_judge(ngx_gate_http_t *http)
{
    ngx_int_t          rc;
    ngx_str_t          text;
    ngx_uint_t         status;
    ngx_gate_probe_t  *probe;

    probe = http->probe;
    status = http->parser.status;

    if (!ngx_gate_http_status_ok(http)) {
        ngx_gate_http_reset(http);
        ngx_gate_probe_end(probe, NGX_GATE_WAITING, NGX_GATE_BAD_STATUS,
                           "HTTP %ui%s", status, status / 100 == 3
                           ? ", a redirect, which is not followed" : "");
        return;
    }

    rc = NGX_OK;

#if (NGX_PCRE)

    if (http->conf->match) {
        text.data = http->body ? http->body : (u_char *) "";
        text.len = http->body_len;

        rc = ngx_gate_match_exec(http->conf->match, &text);
    }

#else

    (void) text;

#endif

    ngx_gate_http_reset(http);

    switch (rc) {

    case NGX_OK:
        ngx_gate_probe_end(probe, NGX_GATE_PASSED, NGX_GATE_OK, "");
        return;

    case NGX_DECLINED:
        ngx_gate_probe_end(probe, NGX_GATE_WAITING, NGX_GATE_MISMATCH,
                           "HTTP %ui, but the body does not match", status);
        return;

    default:
        ngx_gate_probe_end(probe, NGX_GATE_ERROR, NGX_GATE_TIMEOUT,
                           "matching the body takes too long");
    }
}


static void
ngx_gate_http_fail(ngx_gate_http_t *http, ngx_gate_reason_e reason,
    const char *text)
{
    ngx_gate_peer_close(&http->peer);
    ngx_gate_http_reset(http);

    ngx_gate_probe_end(http->probe, NGX_GATE_ERROR, reason, "%s", text);
}


/* the run is over */

static void
ngx_gate_http_reset(ngx_gate_http_t *http)
{
    http->running = 0;

    if (http->body) {
        ngx_free(http->body);
        http->body = NULL;
    }

    http->body_len = 0;
    http->body_size = 0;
}
