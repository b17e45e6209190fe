
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A Redis server, the user and the database.
 */


#include <ngx_gate_redis_server.h>
#include <ngx_gate_resp.h>
#include <ngx_gate_secret.h>


static ngx_uint_t ngx_gate_redis_server_same_tls(ngx_gate_tls_t *a,
    ngx_gate_tls_t *b);
static ngx_uint_t ngx_gate_redis_server_same_str(ngx_str_t *a, ngx_str_t *b);
static ngx_int_t ngx_gate_redis_server_copy_str(ngx_pool_t *pool,
    ngx_str_t *str);
static ngx_str_t ngx_gate_redis_server_name(ngx_str_t *address,
    ngx_str_t *source);
static ngx_uint_t ngx_gate_redis_server_is_name(ngx_str_t *host);
static ngx_int_t ngx_gate_redis_server_auth(ngx_gate_redis_server_t *server,
    ngx_pool_t *pool, ngx_gate_redis_server_login_t *login);
static ngx_int_t ngx_gate_redis_server_auth_command(
    ngx_gate_redis_server_t *server, ngx_pool_t *pool, ngx_str_t *password,
    ngx_gate_redis_server_login_t *login);
static ngx_int_t ngx_gate_redis_server_select(
    ngx_gate_redis_server_t *server, ngx_pool_t *pool,
    ngx_gate_redis_server_login_t *login);
static ngx_int_t ngx_gate_redis_server_no_memory(
    ngx_gate_redis_server_login_t *login);


ngx_uint_t
ngx_gate_redis_server_same(ngx_gate_redis_server_t *a,
    ngx_gate_redis_server_t *b)
{
    return a->endpoint.port == b->endpoint.port
           && a->database == b->database
           && ngx_gate_redis_server_same_str(&a->endpoint.host,
                                             &b->endpoint.host)
           && ngx_gate_redis_server_same_str(&a->endpoint.path,
                                             &b->endpoint.path)
           && ngx_gate_redis_server_same_str(&a->user, &b->user)
           && ngx_gate_redis_server_same_str(&a->password, &b->password)
           && ngx_gate_redis_server_same_str(&a->password_file,
                                             &b->password_file)
           && ngx_gate_redis_server_same_tls(a->endpoint.tls,
                                             b->endpoint.tls);
}


static ngx_uint_t
ngx_gate_redis_server_same_tls(ngx_gate_tls_t *a, ngx_gate_tls_t *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }

    return a->verify == b->verify
           && ngx_gate_redis_server_same_str(&a->ca, &b->ca)
           && ngx_gate_redis_server_same_str(&a->cert, &b->cert)
           && ngx_gate_redis_server_same_str(&a->key, &b->key)
           && ngx_gate_redis_server_same_str(&a->name, &b->name);
}


static ngx_uint_t
ngx_gate_redis_server_same_str(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && ngx_memcmp(a->data, b->data, a->len) == 0;
}


ngx_int_t
ngx_gate_redis_server_copy(ngx_pool_t *pool, ngx_gate_redis_server_t *dst,
    ngx_gate_redis_server_t *src)
{
    ngx_gate_tls_t  *tls;

    *dst = *src;

    if (dst->endpoint.tls) {
        tls = ngx_palloc(pool, sizeof(ngx_gate_tls_t));

        if (tls == NULL) {
            return NGX_ERROR;
        }

        *tls = *dst->endpoint.tls;
        dst->endpoint.tls = tls;

        if (ngx_gate_redis_server_copy_str(pool, &tls->name) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_gate_redis_server_copy_str(pool, &dst->endpoint.text) != NGX_OK
        || ngx_gate_redis_server_copy_str(pool, &dst->endpoint.host) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_redis_server_copy_str(ngx_pool_t *pool, ngx_str_t *str)
{
    if (str->len == 0) {
        return NGX_OK;
    }

    str->data = ngx_pstrdup(pool, str);

    return str->data ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_gate_redis_server_set_address(ngx_gate_redis_server_address_t *addr,
    ngx_gate_redis_server_t *server, ngx_gate_endpoint_t *source,
    ngx_str_t *host, in_port_t port)
{
    u_char               *p;
    ngx_str_t             address, name;
    ngx_gate_endpoint_t  *endpoint;

    address = host->len ? *host : source->host;

    if (address.len == 0 || address.len > NGX_GATE_ENDPOINT_HOST_MAX) {
        return NGX_ERROR;
    }

    for (p = address.data; p < address.data + address.len; p++) {
        if (*p <= ' ' || *p >= 0x7f) {
            return NGX_ERROR;
        }
    }

    ngx_str_set(&name, "");

    if (server->endpoint.tls) {
        name = server->fixed_name ? server->endpoint.tls->name
               : ngx_gate_redis_server_name(&address, &source->tls->name);
    }

    /* "source" may be in "addr", and is overwritten from here on */

    p = ngx_movemem(addr->text + 1, address.data, address.len);
    ngx_memmove(addr->name, name.data, name.len);

    addr->server = *server;

    endpoint = &addr->server.endpoint;

    endpoint->host.data = addr->text + 1;
    endpoint->host.len = address.len;
    endpoint->port = port;
    endpoint->path.len = 0;
    endpoint->text.data = addr->text + 1;

    if (ngx_strlchr(endpoint->host.data, p, ':')) {
        addr->text[0] = '[';
        *p++ = ']';
        endpoint->text.data = addr->text;
    }

    p = ngx_sprintf(p, ":%ui", (ngx_uint_t) port);
    endpoint->text.len = p - endpoint->text.data;

    if (server->endpoint.tls) {
        addr->tls = *server->endpoint.tls;
        addr->tls.name.data = addr->name;
        addr->tls.name.len = name.len;
        endpoint->tls = &addr->tls;
    }

    return NGX_OK;
}


/*
 * Nodes are mostly announced by address, while their certificates contain
 * names: the name is then that of the server that has announced the node.
 */

static ngx_str_t
ngx_gate_redis_server_name(ngx_str_t *address, ngx_str_t *source)
{
    if (ngx_gate_redis_server_is_name(source)
        && !ngx_gate_redis_server_is_name(address))
    {
        return *source;
    }

    return *address;
}


static ngx_uint_t
ngx_gate_redis_server_is_name(ngx_str_t *host)
{
    socklen_t       socklen;
    ngx_sockaddr_t  sa;

    return ngx_gate_endpoint_parse_address(host, 0, &sa, &socklen) != NGX_OK;
}


ngx_int_t
ngx_gate_redis_server_login(ngx_gate_redis_server_t *server, ngx_pool_t *pool,
    ngx_gate_redis_server_login_t *login)
{
    ngx_str_null(&login->auth);
    ngx_str_null(&login->select);

    if (server->password.len || server->password_file.len) {

        if (ngx_gate_redis_server_auth(server, pool, login) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (server->database) {
        return ngx_gate_redis_server_select(server, pool, login);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_redis_server_auth(ngx_gate_redis_server_t *server, ngx_pool_t *pool,
    ngx_gate_redis_server_login_t *login)
{
    ngx_int_t  rc;
    ngx_str_t  password;
    u_char     secret[NGX_GATE_SECRET_MAX];

    if (server->password_file.len == 0) {
        return ngx_gate_redis_server_auth_command(server, pool,
                                                  &server->password, login);
    }

    password.data = secret;

    if (ngx_gate_secret_read(&server->password_file, &password, &login->error)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_gate_redis_server_auth_command(server, pool, &password, login);

    ngx_explicit_memzero(secret, NGX_GATE_SECRET_MAX);

    return rc;
}


static ngx_int_t
ngx_gate_redis_server_auth_command(ngx_gate_redis_server_t *server,
    ngx_pool_t *pool, ngx_str_t *password, ngx_gate_redis_server_login_t *login)
{
    ngx_str_t   words[3];
    ngx_uint_t  n;

    n = 0;

    ngx_str_set(&words[n], "AUTH");
    n++;

    if (server->user.len) {
        words[n++] = server->user;
    }

    words[n++] = *password;

    if (ngx_gate_resp_command(pool, &login->auth, words, n) != NGX_OK) {
        return ngx_gate_redis_server_no_memory(login);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_redis_server_select(ngx_gate_redis_server_t *server,
    ngx_pool_t *pool, ngx_gate_redis_server_login_t *login)
{
    u_char     number[NGX_INT_T_LEN];
    ngx_str_t  words[2];

    ngx_str_set(&words[0], "SELECT");

    words[1].data = number;
    words[1].len = ngx_sprintf(number, "%ui", server->database) - number;

    if (ngx_gate_resp_command(pool, &login->select, words, 2) != NGX_OK) {
        return ngx_gate_redis_server_no_memory(login);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_redis_server_no_memory(ngx_gate_redis_server_login_t *login)
{
    ngx_gate_error_set(&login->error, NGX_GATE_NO_MEMORY, "no memory");

    return NGX_ERROR;
}
