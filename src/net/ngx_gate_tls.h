
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * TLS of background connections, by the OpenSSL of nginx: the parameters that
 * check types share, and the handshake with its verification.
 */


#ifndef _NGX_GATE_TLS_H_INCLUDED_
#define _NGX_GATE_TLS_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_param.h>
#include <ngx_gate_endpoint.h>
#include <ngx_gate_log_capture.h>


/* as configured; shared by all connections to one endpoint */

struct ngx_gate_tls_s {
    ngx_str_t                 ca;          /* empty: the system's */
    ngx_str_t                 cert;
    ngx_str_t                 key;
    ngx_str_t                 name;        /* sent as SNI and verified */
    ngx_str_t                 alpn;        /* empty: none; set before init() */
    ngx_uint_t                verify;      /* 0: not given, hence on */
#if (NGX_SSL)
    ngx_ssl_t                *ssl;
#endif
};


#define NGX_GATE_TLS_VERIFY_ON   1
#define NGX_GATE_TLS_VERIFY_OFF  2


/* rows of a table of parameters; field is an ngx_gate_tls_t in the conf */

#define ngx_gate_tls_params(conf, field)                                      \
    { ngx_string("verify"), 0, ngx_gate_tls_set_verify,                       \
      offsetof(conf, field) + offsetof(ngx_gate_tls_t, verify), "on, off" },  \
    { ngx_string("ca"), 0, ngx_gate_param_set_str,                            \
      offsetof(conf, field) + offsetof(ngx_gate_tls_t, ca), "a file" },       \
    { ngx_string("cert"), 0, ngx_gate_param_set_str,                          \
      offsetof(conf, field) + offsetof(ngx_gate_tls_t, cert), "a file" },     \
    { ngx_string("key"), 0, ngx_gate_param_set_str,                           \
      offsetof(conf, field) + offsetof(ngx_gate_tls_t, key), "a file" },      \
    { ngx_string("sni"), 0, ngx_gate_param_set_str,                           \
      offsetof(conf, field) + offsetof(ngx_gate_tls_t, name), "a name" }

char *ngx_gate_tls_set_verify(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value);

/*
 * At configuration, after the parameters: reads certificates and prepares
 * tls->ssl.  The host is the name to verify if sni= is not given; it may be
 * empty.
 */

char *ngx_gate_tls_init(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_tls_t *tls, ngx_str_t *host);

/* at configuration, without TLS: refuses parameters that require it */

char *ngx_gate_tls_reject(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_tls_t *tls, const char *needs);


/*
 * c->log is &capture->log.  NGX_OK: encrypted, and verified as configured;
 * NGX_AGAIN: call handshake again upon an event; NGX_ERROR: error is set.
 */

ngx_int_t ngx_gate_tls_start(ngx_gate_tls_t *tls, ngx_connection_t *c,
    ngx_uint_t *cert_requested);
ngx_int_t ngx_gate_tls_handshake(ngx_gate_tls_t *tls, ngx_connection_t *c,
    ngx_gate_log_capture_t *capture, ngx_gate_error_t *error);

/*
 * After the handshake: whether the server, which has requested a certificate,
 * accepts the connection.  NGX_AGAIN: call it again upon an event.
 */

ngx_int_t ngx_gate_tls_confirm(ngx_connection_t *c,
    ngx_gate_log_capture_t *capture, ngx_gate_error_t *error);

void ngx_gate_tls_close(ngx_connection_t *c);

/* sets the OpenSSL error of a captured line; NGX_DECLINED: it has none */

ngx_int_t ngx_gate_tls_error(ngx_str_t *line, ngx_uint_t handshake,
    ngx_gate_error_t *error);


#endif /* _NGX_GATE_TLS_H_INCLUDED_ */
