
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Secrets in files; see ngx_gate_secret.h.
 */


#include <ngx_gate_secret.h>


static ngx_int_t ngx_gate_secret_load_file(ngx_fd_t fd, ngx_str_t *path,
    ngx_str_t *content, ngx_gate_error_t *error);
static ngx_int_t ngx_gate_secret_error(ngx_str_t *path, const char *call,
    ngx_gate_error_t *error);


ngx_int_t
ngx_gate_secret_read(ngx_str_t *path, ngx_str_t *secret,
    ngx_gate_error_t *error)
{
    u_char  *p;

    secret->len = NGX_GATE_SECRET_MAX;

    if (ngx_gate_secret_load(path, secret, error) != NGX_OK) {
        error->reason = NGX_GATE_NO_SECRET;
        return NGX_ERROR;
    }

    p = secret->data + secret->len;

    while (p > secret->data && (p[-1] == LF || p[-1] == CR)) {
        p--;
    }

    if (p == secret->data) {
        ngx_gate_error_set(error, NGX_GATE_NO_SECRET, "\"%V\" is empty", path);
        return NGX_ERROR;
    }

    secret->len = p - secret->data;

    return NGX_OK;
}


ngx_int_t
ngx_gate_secret_load(ngx_str_t *path, ngx_str_t *content,
    ngx_gate_error_t *error)
{
    ngx_fd_t   fd;
    ngx_int_t  rc;

    /* opening a FIFO must not block */

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return ngx_gate_secret_error(path, ngx_open_file_n, error);
    }

    rc = ngx_gate_secret_load_file(fd, path, content, error);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", path);
    }

    return rc;
}


static ngx_int_t
ngx_gate_secret_load_file(ngx_fd_t fd, ngx_str_t *path, ngx_str_t *content,
    ngx_gate_error_t *error)
{
    size_t           size;
    u_char          *p;
    ssize_t          n;
    ngx_file_info_t  fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        return ngx_gate_secret_error(path, ngx_fd_info_n, error);
    }

    if (!ngx_is_file(&fi)) {
        ngx_gate_error_set(error, NGX_GATE_IO, "\"%V\" is not a file", path);
        return NGX_ERROR;
    }

    p = content->data;
    size = content->len;

    do {
        n = ngx_read_fd(fd, p, size);

        if (n == -1) {
            return ngx_gate_secret_error(path, ngx_read_fd_n, error);
        }

        p += n;
        size -= n;

    } while (n && size);

    if (size == 0) {
        ngx_gate_error_set(error, NGX_GATE_IO, "\"%V\" has %uz bytes or more",
                           path, content->len);
        return NGX_ERROR;
    }

    content->len = p - content->data;

    return NGX_OK;
}


static ngx_int_t
ngx_gate_secret_error(ngx_str_t *path, const char *call,
    ngx_gate_error_t *error)
{
    ngx_gate_error_set_errno(error, NGX_GATE_IO, ngx_errno, "%s \"%V\"", call,
                             path);

    return NGX_ERROR;
}
