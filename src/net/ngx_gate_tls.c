
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The parameters of TLS, and texts of certificate errors; see ngx_gate_tls.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate.h>
#include <ngx_gate_tls.h>


#if (NGX_SSL)

#define NGX_GATE_TLS_DEPTH     100    /* error codes of OpenSSL */
#define NGX_GATE_TLS_ALPN_MAX  8

#define NGX_GATE_TLS_NO_ALPN                                                  \
    "peer does not support the ALPN protocol"


static ngx_int_t ngx_gate_tls_offer_protocol(ngx_conf_t *cf,
    ngx_gate_tls_t *tls);
static char *ngx_gate_tls_certificate(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_tls_t *tls);
static char *ngx_gate_tls_trusted_certificate(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_tls_t *tls);
static ngx_str_t ngx_gate_tls_name(ngx_gate_tls_t *tls);
static ngx_uint_t ngx_gate_tls_name_is_address(ngx_gate_tls_t *tls);
#ifdef SSL_R_CERT_CB_ERROR
static int ngx_gate_tls_cert_requested(ngx_ssl_conn_t *ssl_conn, void *arg);
#endif
static ngx_int_t ngx_gate_tls_check_protocol(ngx_gate_tls_t *tls,
    ngx_connection_t *c, ngx_gate_error_t *error);
static ngx_int_t ngx_gate_tls_verify(ngx_gate_tls_t *tls, ngx_connection_t *c,
    ngx_gate_error_t *error);
static ngx_int_t ngx_gate_tls_check_name(ngx_gate_tls_t *tls,
    ngx_connection_t *c);

#endif


char *
ngx_gate_tls_set_verify(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    ngx_uint_t  *verify;

    verify = (ngx_uint_t *) ((char *) check->conf + param->offset);

    if (value->len == 2 && ngx_strncmp(value->data, "on", 2) == 0) {
        *verify = NGX_GATE_TLS_VERIFY_ON;
        return NGX_CONF_OK;
    }

    if (value->len == 3 && ngx_strncmp(value->data, "off", 3) == 0) {
        *verify = NGX_GATE_TLS_VERIFY_OFF;
        return NGX_CONF_OK;
    }

    return ngx_gate_param_error(cf, check, "invalid value \"%V\" of parameter "
                                "\"verify\", allowed are on and off", value);
}


char *
ngx_gate_tls_reject(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_tls_t *tls, const char *needs)
{
    const char  *param;

    param = tls->ca.len ? "ca"
            : tls->cert.len ? "cert"
            : tls->key.len ? "key"
            : tls->name.len ? "sni"
            : tls->verify ? "verify" : NULL;

    if (param == NULL) {
        return NGX_CONF_OK;
    }

    return ngx_gate_param_error(cf, check, "parameter \"%s\" needs %s", param,
                                needs);
}


#if (NGX_SSL)

char *
ngx_gate_tls_init(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_tls_t *tls, ngx_str_t *host)
{
    ngx_pool_cleanup_t  *cln;

    if (tls->name.len == 0) {
        tls->name = *host;
    }

    if (tls->verify == NGX_GATE_TLS_VERIFY_OFF && tls->ca.len) {
        return ngx_gate_param_error(cf, check, "parameter \"ca\" conflicts "
                                    "with \"verify=off\"");
    }

    if (tls->verify != NGX_GATE_TLS_VERIFY_OFF && tls->name.len == 0) {
        return ngx_gate_param_error(cf, check, "parameter \"sni\" is missing: "
                                    "the target has no name to verify");
    }

    tls->ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (tls->ssl == NULL) {
        return NGX_CONF_ERROR;
    }

    tls->ssl->log = cf->log;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_ssl_create(tls->ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = tls->ssl;

    /* the send buffer may be reallocated between two writes */

    SSL_CTX_set_mode(tls->ssl->ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

    if (tls->alpn.len && ngx_gate_tls_offer_protocol(cf, tls) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_gate_tls_certificate(cf, check, tls) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_gate_tls_trusted_certificate(cf, check, tls);
}


static ngx_int_t
ngx_gate_tls_offer_protocol(ngx_conf_t *cf, ngx_gate_tls_t *tls)
{
    u_char  list[1 + NGX_GATE_TLS_ALPN_MAX];

    list[0] = (u_char) tls->alpn.len;
    ngx_memcpy(list + 1, tls->alpn.data, tls->alpn.len);

    if (SSL_CTX_set_alpn_protos(tls->ssl->ctx, list, 1 + tls->alpn.len) != 0) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_alpn_protos() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static char *
ngx_gate_tls_certificate(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_tls_t *tls)
{
    ngx_str_t    *password;
    ngx_array_t  *passwords;

    if (tls->cert.len == 0 && tls->key.len == 0) {
        return NGX_CONF_OK;
    }

    if (tls->cert.len == 0) {
        return ngx_gate_param_error(cf, check,
                                    "parameter \"key\" needs \"cert\"");
    }

    if (tls->key.len == 0) {

        /* certificate and key are often in one .pem file */

        tls->key = tls->cert;
    }

    /* an empty password prevents OpenSSL from prompting at the terminal */

    passwords = ngx_array_create(cf->temp_pool, 1, sizeof(ngx_str_t));
    if (passwords == NULL) {
        return NGX_CONF_ERROR;
    }

    password = ngx_array_push(passwords);
    if (password == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(password, "");

    if (ngx_conf_full_name(cf->cycle, &tls->cert, 1) != NGX_OK
        || ngx_conf_full_name(cf->cycle, &tls->key, 1) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_ssl_certificate(cf, tls->ssl, &tls->cert, &tls->key, passwords)
        != NGX_OK)
    {
        return ngx_gate_param_error(cf, check, "cannot use the certificate "
                                    "\"%V\" with the key \"%V\"",
                                    &tls->cert, &tls->key);
    }

    return NGX_CONF_OK;
}


static char *
ngx_gate_tls_trusted_certificate(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_tls_t *tls)
{
    if (tls->verify == NGX_GATE_TLS_VERIFY_OFF) {
        return NGX_CONF_OK;
    }

    if (tls->ca.len == 0) {
        if (SSL_CTX_set_default_verify_paths(tls->ssl->ctx) == 0) {
            ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                          "SSL_CTX_set_default_verify_paths() failed");
            return NGX_CONF_ERROR;
        }

        /* missing paths leave errors in the queue */

        ERR_clear_error();

        return NGX_CONF_OK;
    }

    if (ngx_conf_full_name(cf->cycle, &tls->ca, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_ssl_trusted_certificate(cf, tls->ssl, &tls->ca, NGX_GATE_TLS_DEPTH)
        != NGX_OK)
    {
        return ngx_gate_param_error(cf, check, "cannot use the certificates "
                                    "of \"ca=%V\"", &tls->ca);
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_gate_tls_start(ngx_gate_tls_t *tls, ngx_connection_t *c,
    ngx_uint_t *cert_requested)
{
    u_char     name[NGX_GATE_ENDPOINT_HOST_MAX + 1];
    ngx_str_t  host;

    if (ngx_ssl_create_connection(tls->ssl, c, NGX_SSL_CLIENT) != NGX_OK) {
        return NGX_ERROR;
    }

#ifdef SSL_R_CERT_CB_ERROR

    *cert_requested = 0;

    SSL_set_cert_cb(c->ssl->connection, ngx_gate_tls_cert_requested,
                    cert_requested);

#else

    *cert_requested = 1;

#endif

#ifdef SSL_CTRL_SET_TLSEXT_HOSTNAME

    host = ngx_gate_tls_name(tls);

    if (host.len && host.len < sizeof(name)
        && !ngx_gate_tls_name_is_address(tls))
    {
        (void) ngx_cpystrn(name, host.data, host.len + 1);

        if (SSL_set_tlsext_host_name(c->ssl->connection, (char *) name) == 0) {
            ngx_ssl_error(NGX_LOG_ERR, c->log, 0,
                          "SSL_set_tlsext_host_name(\"%s\") failed", name);
            return NGX_ERROR;
        }
    }

#endif

    return NGX_OK;
}


ngx_int_t
ngx_gate_tls_handshake(ngx_gate_tls_t *tls, ngx_connection_t *c,
    ngx_gate_log_capture_t *capture, ngx_gate_error_t *error)
{
    ngx_int_t  rc;

    ngx_str_null(&capture->text);

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_OK) {

        if (ngx_gate_tls_verify(tls, c, error) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_gate_tls_check_protocol(tls, c, error);
    }

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (ngx_gate_tls_error(&capture->text, 1, error) != NGX_OK) {
        ngx_gate_error_set(error, NGX_GATE_RESET,
                           "peer closed the connection in the TLS handshake");
    }

    return NGX_ERROR;
}


#ifdef SSL_R_CERT_CB_ERROR

static int
ngx_gate_tls_cert_requested(ngx_ssl_conn_t *ssl_conn, void *arg)
{
    ngx_uint_t *cert_requested = arg;

    *cert_requested = 1;

    return 1;
}

#endif


/* confirmed by a session ticket, which most servers send, or by data */

ngx_int_t
ngx_gate_tls_confirm(ngx_connection_t *c, ngx_gate_log_capture_t *capture,
    ngx_gate_error_t *error)
{
#ifdef TLS1_3_VERSION

    int              n, sslerr;
    u_char           ch;
    ngx_err_t        err;
    ngx_ssl_conn_t  *ssl_conn;

    ssl_conn = c->ssl->connection;

    if (SSL_version(ssl_conn) != TLS1_3_VERSION) {
        return NGX_OK;
    }

    ngx_str_null(&capture->text);
    ERR_clear_error();

    n = SSL_peek(ssl_conn, &ch, 1);

    if (n > 0 || SSL_SESSION_has_ticket(SSL_get0_session(ssl_conn))) {
        return NGX_OK;
    }

    sslerr = SSL_get_error(ssl_conn, n);
    err = (sslerr == SSL_ERROR_SYSCALL) ? ngx_errno : 0;

    if (sslerr == SSL_ERROR_WANT_READ || sslerr == SSL_ERROR_WANT_WRITE) {
        c->read->ready = 0;
        return NGX_AGAIN;
    }

    c->ssl->no_wait_shutdown = 1;
    c->ssl->no_send_shutdown = 1;

    ngx_ssl_error(NGX_LOG_INFO, c->log, err, "SSL_peek() failed");

    if (ngx_gate_tls_error(&capture->text, 0, error) != NGX_OK) {
        ngx_gate_error_set(error, NGX_GATE_RESET,
                           "peer closed the connection after the TLS "
                           "handshake");
    }

    return NGX_ERROR;

#else

    return NGX_OK;

#endif
}


static ngx_int_t
ngx_gate_tls_check_protocol(ngx_gate_tls_t *tls, ngx_connection_t *c,
    ngx_gate_error_t *error)
{
    unsigned int          len;
    const unsigned char  *name;

    if (tls->alpn.len == 0) {
        return NGX_OK;
    }

    SSL_get0_alpn_selected(c->ssl->connection, &name, &len);

    if (len != tls->alpn.len || ngx_memcmp(name, tls->alpn.data, len) != 0) {
        ngx_gate_error_set(error, NGX_GATE_PROTOCOL, NGX_GATE_TLS_NO_ALPN);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_tls_verify(ngx_gate_tls_t *tls, ngx_connection_t *c,
    ngx_gate_error_t *error)
{
    long   rc;
    X509  *cert;

    if (tls->verify == NGX_GATE_TLS_VERIFY_OFF) {
        return NGX_OK;
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        ngx_gate_error_set(error, NGX_GATE_TLS, "%s",
                           X509_verify_cert_error_string(rc));
        return NGX_ERROR;
    }

    cert = SSL_get_peer_certificate(c->ssl->connection);

    if (cert == NULL) {
        ngx_gate_error_set(error, NGX_GATE_TLS, "peer sent no certificate");
        return NGX_ERROR;
    }

    X509_free(cert);

    if (ngx_gate_tls_check_name(tls, c) != NGX_OK) {
        ngx_gate_error_set(error, NGX_GATE_TLS,
                           "certificate is for another name");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_tls_check_name(ngx_gate_tls_t *tls, ngx_connection_t *c)
{
    int         rc;
    X509       *cert;
    u_char      name[NGX_SOCKADDR_STRLEN];
    ngx_str_t   host;

    if (!ngx_gate_tls_name_is_address(tls)) {
        host = ngx_gate_tls_name(tls);
        return ngx_ssl_check_host(c, &host);
    }

    (void) ngx_cpystrn(name, tls->name.data,
                       ngx_min(tls->name.len + 1, sizeof(name)));

    cert = SSL_get_peer_certificate(c->ssl->connection);
    if (cert == NULL) {
        return NGX_ERROR;
    }

    rc = X509_check_ip_asc(cert, (char *) name, 0);

    X509_free(cert);

    return (rc == 1) ? NGX_OK : NGX_ERROR;
}


/* names in certificates have no trailing dot */

static ngx_str_t
ngx_gate_tls_name(ngx_gate_tls_t *tls)
{
    ngx_str_t  name;

    name = tls->name;

    if (name.len > 1 && name.data[name.len - 1] == '.') {
        name.len--;
    }

    return name;
}


static ngx_uint_t
ngx_gate_tls_name_is_address(ngx_gate_tls_t *tls)
{
    socklen_t       socklen;
    ngx_sockaddr_t  sa;

    return ngx_gate_endpoint_parse_address(&tls->name, 0, &sa, &socklen)
           == NGX_OK;
}


/*
 * ngx_ssl_error() takes the errors off the queue of OpenSSL and logs them:
 * "... (SSL: error:0A00010B:SSL routines::wrong version number) ...".
 */

ngx_int_t
ngx_gate_tls_error(ngx_str_t *line, ngx_uint_t handshake,
    ngx_gate_error_t *error)
{
    u_char         *p, *last;
    const char     *text;
    unsigned long   code, digit;

    last = line->data + line->len;

    if (line->len == 0) {
        return NGX_DECLINED;
    }

    p = ngx_strlcasestrn(line->data, last, (u_char *) "error:",
                         sizeof("error:") - 2);
    if (p == NULL) {
        return NGX_DECLINED;
    }

    code = 0;

    for (p += sizeof("error:") - 1; p < last && *p != ':'; p++) {

        if (*p >= '0' && *p <= '9') {
            digit = *p - '0';

        } else {
            digit = (*p | 0x20) - 'a' + 10;
        }

        code = code << 4 | (digit & 0xf);
    }

    switch (handshake ? ERR_GET_REASON(code) : 0) {

    case SSL_AD_REASON_OFFSET + SSL_AD_NO_APPLICATION_PROTOCOL:
        ngx_gate_error_set(error, NGX_GATE_PROTOCOL, NGX_GATE_TLS_NO_ALPN);
        return NGX_OK;

    /* the peer uses another protocol */

    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
        ngx_gate_error_set(error, NGX_GATE_TLS, "peer does not use TLS");
        return NGX_OK;
    }

    text = ERR_reason_error_string(code);

    if (text == NULL) {

        /* an error of the system, such as "Broken pipe" */

        return NGX_DECLINED;
    }

    ngx_gate_error_set(error, NGX_GATE_TLS, "%s", text);

    return NGX_OK;
}


/* sends "close notify", but does not wait for the peer's */

void
ngx_gate_tls_close(ngx_connection_t *c)
{
    if (c->ssl == NULL) {
        return;
    }

    c->ssl->no_wait_shutdown = 1;

    if (ngx_ssl_shutdown(c) == NGX_AGAIN) {
        c->timedout = 1;
        (void) ngx_ssl_shutdown(c);
    }
}


#else

char *
ngx_gate_tls_init(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_tls_t *tls, ngx_str_t *host)
{
    return ngx_gate_param_error(cf, check,
                                "this nginx was built without TLS");
}


ngx_int_t
ngx_gate_tls_start(ngx_gate_tls_t *tls, ngx_connection_t *c,
    ngx_uint_t *cert_requested)
{
    return NGX_ERROR;
}


ngx_int_t
ngx_gate_tls_handshake(ngx_gate_tls_t *tls, ngx_connection_t *c,
    ngx_gate_log_capture_t *capture, ngx_gate_error_t *error)
{
    return NGX_ERROR;
}


ngx_int_t
ngx_gate_tls_confirm(ngx_connection_t *c, ngx_gate_log_capture_t *capture,
    ngx_gate_error_t *error)
{
    return NGX_OK;
}


void
ngx_gate_tls_close(ngx_connection_t *c)
{
}


ngx_int_t
ngx_gate_tls_error(ngx_str_t *line, ngx_uint_t handshake,
    ngx_gate_error_t *error)
{
    return NGX_DECLINED;
}

#endif
