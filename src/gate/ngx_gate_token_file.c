
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A token in a file; see ngx_gate_token_file.h.
 */


#include <ngx_gate_secret.h>
#include <ngx_gate_token_file.h>


static ngx_int_t ngx_gate_token_file_read(ngx_str_t *path, ngx_str_t *token,
    ngx_log_t *log);


ngx_int_t
ngx_gate_token_file_compare(ngx_str_t *path, ngx_str_t *given, ngx_log_t *log)
{
    size_t      i, different;
    u_char      buf[NGX_GATE_SECRET_MAX];
    ngx_str_t   token;

    token.data = buf;

    if (ngx_gate_token_file_read(path, &token, log) != NGX_OK) {
        return NGX_ERROR;
    }

    different = given->len ^ token.len;

    for (i = 0; i < given->len; i++) {
        different |= given->data[i] ^ token.data[i % token.len];
    }

    ngx_explicit_memzero(buf, sizeof(buf));

    return different ? NGX_DECLINED : NGX_OK;
}


ngx_int_t
ngx_gate_token_file_test(ngx_str_t *path, ngx_log_t *log)
{
    u_char      buf[NGX_GATE_SECRET_MAX];
    ngx_int_t   rc;
    ngx_str_t   token;

    token.data = buf;

    rc = ngx_gate_token_file_read(path, &token, log);

    ngx_explicit_memzero(buf, sizeof(buf));

    return rc;
}


static ngx_int_t
ngx_gate_token_file_read(ngx_str_t *path, ngx_str_t *token, ngx_log_t *log)
{
    ngx_gate_error_t  error;

    if (ngx_gate_secret_read(path, token, &error) == NGX_OK) {
        return NGX_OK;
    }

    ngx_explicit_memzero(token->data, NGX_GATE_SECRET_MAX);

    ngx_log_error(NGX_LOG_ERR, log, 0, "cannot read token file: %*s",
                  error.len, error.text);

    return NGX_ERROR;
}
