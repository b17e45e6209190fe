
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Secrets in files; see ngx_gate_secret.h.
 */


#include <ngx_gate_secret.h>


static u_char *ngx_gate_secret_load_file(ngx_fd_t fd, ngx_str_t *path,
    ngx_str_t *content, u_char *error, u_char *last);
static u_char *ngx_gate_secret_error(ngx_str_t *path, const char *call,
    u_char *error, u_char *last);


u_char *
ngx_gate_secret_read(ngx_str_t *path, ngx_str_t *secret, u_char *error,
    u_char *last)
{
    u_char  *p;

    secret->len = NGX_GATE_SECRET_MAX;

    p = ngx_gate_secret_load(path, secret, error, last);

    if (p) {
        return p;
    }

    p = secret->data + secret->len;

    while (p > secret->data && (p[-1] == LF || p[-1] == CR)) {
        p--;
    }

    if (p == secret->data) {
        return ngx_slprintf(error, last, "\"%V\" is empty", path);
    }

    secret->len = p - secret->data;

    return NULL;
}


u_char *
ngx_gate_secret_load(ngx_str_t *path, ngx_str_t *content, u_char *error,
    u_char *last)
{
    u_char    *p;
    ngx_fd_t   fd;

    /* opening a FIFO must not block */

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return ngx_gate_secret_error(path, ngx_open_file_n, error, last);
    }

    p = ngx_gate_secret_load_file(fd, path, content, error, last);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", path);
    }

    return p;
}


static u_char *
ngx_gate_secret_load_file(ngx_fd_t fd, ngx_str_t *path, ngx_str_t *content,
    u_char *error, u_char *last)
{
    size_t           size;
    u_char          *p;
    ssize_t          n;
    ngx_file_info_t  fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        return ngx_gate_secret_error(path, ngx_fd_info_n, error, last);
    }

    if (!ngx_is_file(&fi)) {
        return ngx_slprintf(error, last, "\"%V\" is not a file", path);
    }

    p = content->data;
    size = content->len;

    do {
        n = ngx_read_fd(fd, p, size);

        if (n == -1) {
            return ngx_gate_secret_error(path, ngx_read_fd_n, error, last);
        }

        p += n;
        size -= n;

    } while (n && size);

    if (size == 0) {
        return ngx_slprintf(error, last, "\"%V\" has %uz bytes or more", path,
                            content->len);
    }

    content->len = p - content->data;

    return NULL;
}


static u_char *
ngx_gate_secret_error(ngx_str_t *path, const char *call, u_char *error,
    u_char *last)
{
    u_char     *p;
    ngx_err_t   err;

    err = ngx_errno;

    p = ngx_slprintf(error, last, "%s \"%V\" failed (%d: ", call, path, err);
    p = ngx_strerror(err, p, last - p);

    return ngx_slprintf(p, last, ")");
}
