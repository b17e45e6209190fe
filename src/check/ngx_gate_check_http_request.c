
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The request of an http check or a trigger; see
 * ngx_gate_check_http_request.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_gate.h>
#include <ngx_gate_check_http_request.h>
#include <ngx_gate_secret.h>


#define NGX_GATE_CHECK_HTTP_REQUEST_AGENT  "nginx-init-gate/" NGX_GATE_VERSION

/* a shorter text is not taken for a secret */

#define NGX_GATE_CHECK_HTTP_REQUEST_SECRET_MIN  8


static u_char *ngx_gate_check_http_request_lines(u_char *p, u_char *last,
    ngx_gate_check_http_conf_t *conf);
static void ngx_gate_check_http_request_host(ngx_gate_check_http_conf_t *conf,
    ngx_str_t *host, ngx_str_t *port);
static ngx_uint_t ngx_gate_check_http_request_has_body(
    ngx_gate_check_http_conf_t *conf);
static size_t ngx_gate_check_http_request_rest_len(ngx_str_t *token,
    ngx_str_t *body);
static u_char *ngx_gate_check_http_request_rest(u_char *p, u_char *last,
    ngx_gate_check_http_conf_t *conf, ngx_str_t *token, ngx_str_t *body);
static ngx_int_t ngx_gate_check_http_request_read_token(
    ngx_gate_check_http_conf_t *conf, ngx_gate_peer_t *peer, ngx_str_t *token,
    ngx_gate_error_t *error);
static ngx_int_t ngx_gate_check_http_request_send_body(
    ngx_gate_check_http_conf_t *conf, ngx_gate_peer_t *peer, ngx_str_t *token,
    ngx_gate_error_t *error);
static ngx_int_t ngx_gate_check_http_request_send_rest(
    ngx_gate_check_http_conf_t *conf, ngx_gate_peer_t *peer, ngx_str_t *token,
    ngx_str_t *body, ngx_gate_error_t *error);
static ngx_int_t ngx_gate_check_http_request_no_memory(
    ngx_gate_error_t *error);
static ngx_uint_t ngx_gate_check_http_request_has_text(ngx_str_t *text,
    u_char *data, size_t len);


char *
ngx_gate_check_http_request_init(ngx_conf_t *cf,
    ngx_gate_check_http_conf_t *conf)
{
    size_t       len;
    u_char      *p, *last;
    ngx_str_t   *header;
    ngx_uint_t   i;

    len = sizeof(" / HTTP/1.1" CRLF
                 "Host: " CRLF
                 "User-Agent: " NGX_GATE_CHECK_HTTP_REQUEST_AGENT CRLF
                 "Accept: */*" CRLF
                 "Authorization: Basic " CRLF
                 "Content-Type: application/json" CRLF)
          + conf->method.len + conf->url.uri.len + conf->url.host.len
          + conf->host.len + conf->authorization.len
          + ngx_gate_check_http_request_rest_len(NULL, &conf->body);

    if (conf->headers) {
        header = conf->headers->elts;

        for (i = 0; i < conf->headers->nelts; i++) {
            len += header[i].len + 2;
        }
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->request.data = p;
    last = p + len;

    p = ngx_gate_check_http_request_lines(p, last, conf);

    if (conf->token_file.len == 0 && conf->body_file.len == 0) {
        p = ngx_gate_check_http_request_rest(p, last, conf, NULL, &conf->body);
    }

    conf->request.len = p - conf->request.data;

    return NGX_CONF_OK;
}


static u_char *
ngx_gate_check_http_request_lines(u_char *p, u_char *last,
    ngx_gate_check_http_conf_t *conf)
{
    ngx_str_t   *header, host, port;
    ngx_uint_t   i;

    ngx_gate_check_http_request_host(conf, &host, &port);

    p = ngx_slprintf(p, last, "%V %s%V HTTP/1.1" CRLF "Host: %V%V" CRLF,
                     &conf->method,
                     conf->url.uri.len
                     && conf->url.uri.data[0] == '/' ? "" : "/",
                     &conf->url.uri, &host, &port);

    if (!ngx_gate_check_http_request_has_header(conf, "User-Agent")) {
        p = ngx_slprintf(p, last,
                     "User-Agent: " NGX_GATE_CHECK_HTTP_REQUEST_AGENT CRLF);
    }

    if (!ngx_gate_check_http_request_has_header(conf, "Accept")) {
        p = ngx_slprintf(p, last, "Accept: */*" CRLF);
    }

    if (ngx_gate_check_http_request_has_body(conf)
        && !ngx_gate_check_http_request_has_header(conf, "Content-Type"))
    {
        p = ngx_slprintf(p, last, "Content-Type: application/json" CRLF);
    }

    if (conf->authorization.len) {
        p = ngx_slprintf(p, last, "Authorization: Basic %V" CRLF,
                         &conf->authorization);
    }

    if (conf->headers) {
        header = conf->headers->elts;

        for (i = 0; i < conf->headers->nelts; i++) {
            p = ngx_slprintf(p, last, "%V" CRLF, &header[i]);
        }
    }

    return p;
}


/* as in the URL, but for the dot that ends an absolute name */

static void
ngx_gate_check_http_request_host(ngx_gate_check_http_conf_t *conf,
    ngx_str_t *host, ngx_str_t *port)
{
    ngx_str_t  *name;

    *host = conf->host.len ? conf->host : conf->url.host;
    ngx_str_null(port);

    name = &conf->url.endpoint.host;

    if (conf->host.len || name->len < 2 || name->data[name->len - 1] != '.') {
        return;
    }

    port->data = name->data + name->len;
    port->len = host->data + host->len - port->data;
    host->len = name->len - 1;
}


ngx_uint_t
ngx_gate_check_http_request_has_header(ngx_gate_check_http_conf_t *conf,
    const char *name)
{
    size_t       len;
    ngx_str_t   *header;
    ngx_uint_t   i;

    if (conf->headers == NULL) {
        return 0;
    }

    len = ngx_strlen(name);
    header = conf->headers->elts;

    for (i = 0; i < conf->headers->nelts; i++) {
        if (header[i].len > len && header[i].data[len] == ':'
            && ngx_strncasecmp(header[i].data, (u_char *) name, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_gate_check_http_request_has_body(ngx_gate_check_http_conf_t *conf)
{
    return conf->body.len || conf->body_file.len;
}


static size_t
ngx_gate_check_http_request_rest_len(ngx_str_t *token, ngx_str_t *body)
{
    return sizeof("Authorization: Bearer " CRLF
                  "Content-Length: " CRLF
                  CRLF)
           + NGX_SIZE_T_LEN + (token ? token->len : 0) + body->len;
}


static u_char *
ngx_gate_check_http_request_rest(u_char *p, u_char *last,
    ngx_gate_check_http_conf_t *conf, ngx_str_t *token, ngx_str_t *body)
{
    if (token) {
        p = ngx_slprintf(p, last, "Authorization: Bearer %V" CRLF, token);
    }

    /* a method with a meaning for a body that has none says so, too */

    if (ngx_gate_check_http_request_has_body(conf)
        || (!conf->head
            && (conf->method.len != 3
                || ngx_strncmp(conf->method.data, "GET", 3) != 0)))
    {
        p = ngx_slprintf(p, last, "Content-Length: %uz" CRLF, body->len);
    }

    return ngx_slprintf(p, last, CRLF "%V", body);
}


ngx_int_t
ngx_gate_check_http_request_send(ngx_gate_check_http_conf_t *conf,
    ngx_gate_peer_t *peer, ngx_str_t *token, ngx_gate_error_t *error)
{
    if (conf->token_file.len == 0 && conf->body_file.len == 0) {
        ngx_gate_peer_send(peer, conf->request.data, conf->request.len);
        return NGX_OK;
    }

    if (conf->token_file.len == 0) {
        return ngx_gate_check_http_request_send_body(conf, peer, NULL, error);
    }

    if (ngx_gate_check_http_request_read_token(conf, peer, token, error)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_gate_check_http_request_send_body(conf, peer, token, error);
}


static ngx_int_t
ngx_gate_check_http_request_read_token(ngx_gate_check_http_conf_t *conf,
    ngx_gate_peer_t *peer, ngx_str_t *token, ngx_gate_error_t *error)
{
    size_t  i;

    if (token->data == NULL) {
        token->data = ngx_alloc(NGX_GATE_SECRET_MAX, peer->log);

        if (token->data == NULL) {
            return ngx_gate_check_http_request_no_memory(error);
        }
    }

    if (ngx_gate_secret_read(&conf->token_file, token, error) != NGX_OK) {
        return NGX_ERROR;
    }

    /* nothing that would end the header */

    for (i = 0; i < token->len; i++) {
        if (token->data[i] <= ' ' || token->data[i] >= 0x7f) {
            ngx_gate_error_set(error, NGX_GATE_NO_SECRET, "\"%V\" holds an "
                               "invalid character for a token",
                               &conf->token_file);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_check_http_request_send_body(ngx_gate_check_http_conf_t *conf,
    ngx_gate_peer_t *peer, ngx_str_t *token, ngx_gate_error_t *error)
{
    ngx_int_t  rc;
    ngx_str_t  body;

    if (conf->body_file.len == 0) {
        return ngx_gate_check_http_request_send_rest(conf, peer, token,
                                                     &conf->body, error);
    }

    body.len = NGX_GATE_CHECK_HTTP_REQUEST_BODY_MAX;
    body.data = ngx_alloc(body.len, peer->log);

    if (body.data == NULL) {
        return ngx_gate_check_http_request_no_memory(error);
    }

    rc = ngx_gate_secret_load(&conf->body_file, &body, error);

    if (rc == NGX_OK) {
        rc = ngx_gate_check_http_request_send_rest(conf, peer, token, &body,
                                                   error);
        ngx_explicit_memzero(body.data, body.len);
    }

    ngx_free(body.data);

    return rc;
}


static ngx_int_t
ngx_gate_check_http_request_send_rest(ngx_gate_check_http_conf_t *conf,
    ngx_gate_peer_t *peer, ngx_str_t *token, ngx_str_t *body,
    ngx_gate_error_t *error)
{
    size_t   size;
    u_char  *p, *start;

    size = conf->request.len + ngx_gate_check_http_request_rest_len(token,
                                                                    body);
    start = ngx_alloc(size, peer->log);

    if (start == NULL) {
        return ngx_gate_check_http_request_no_memory(error);
    }

    p = ngx_cpymem(start, conf->request.data, conf->request.len);
    p = ngx_gate_check_http_request_rest(p, start + size, conf, token, body);

    ngx_gate_peer_send(peer, start, p - start);

    ngx_explicit_memzero(start, size);
    ngx_free(start);

    return NGX_OK;
}


static ngx_int_t
ngx_gate_check_http_request_no_memory(ngx_gate_error_t *error)
{
    ngx_gate_error_set(error, NGX_GATE_NO_MEMORY, "no memory");

    return NGX_ERROR;
}


ngx_uint_t
ngx_gate_check_http_request_is_repeated(ngx_gate_check_http_conf_t *conf,
    ngx_str_t *token, ngx_str_t *text)
{
    u_char      *p, *last;
    ngx_str_t   *header;
    ngx_uint_t   i;

    if (ngx_gate_check_http_request_has_text(text, conf->authorization.data,
                                             conf->authorization.len)
        || ngx_gate_check_http_request_has_text(text, token->data, token->len))
    {
        return 1;
    }

    if (conf->headers == NULL) {
        return 0;
    }

    header = conf->headers->elts;

    for (i = 0; i < conf->headers->nelts; i++) {

        /* the token of "Authorization: Bearer token" */

        last = header[i].data + header[i].len;

        for (p = last; p[-1] != ' ' && p[-1] != ':'; p--) { /* void */ }

        if (ngx_gate_check_http_request_has_text(text, p, last - p)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_gate_check_http_request_has_text(ngx_str_t *text, u_char *data, size_t len)
{
    return len >= NGX_GATE_CHECK_HTTP_REQUEST_SECRET_MIN
           && memmem(text->data, text->len, data, len) != NULL;
}


void
ngx_gate_check_http_request_forget(ngx_str_t *token)
{
    if (token->data) {
        ngx_explicit_memzero(token->data, NGX_GATE_SECRET_MAX);
        ngx_free(token->data);
        ngx_str_null(token);
    }
}
