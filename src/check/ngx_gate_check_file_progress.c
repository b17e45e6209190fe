
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The files "failed" and "progress", which the initializer writes.
 */


#include <ngx_gate_check_file.h>
#include <ngx_gate_check_file_progress_text.h>


#define NGX_GATE_CHECK_FILE_PROGRESS_MAX  512    /* bytes read */


static void ngx_gate_check_file_progress_first_line(ngx_str_t *text);
static ngx_int_t ngx_gate_check_file_progress_is_current(
    ngx_gate_check_file_ctx_t *ctx, ngx_file_info_t *fi);


/* NGX_OK: a result is set */

ngx_int_t
ngx_gate_check_file_progress_failed(ngx_gate_check_file_ctx_t *ctx)
{
    char            *call;
    u_char           buf[NGX_GATE_CHECK_FILE_PROGRESS_MAX];
    ngx_int_t        rc;
    ngx_str_t       *path, line;
    ngx_err_t        err;
    ngx_file_info_t  fi;

    path = &ctx->conf->failed;

    if (ngx_file_info(path->data, &fi) == NGX_FILE_ERROR) {
        err = ngx_errno;

        if (ngx_gate_check_file_io_is_missing(err)) {
            return NGX_DECLINED;
        }

        ngx_gate_check_file_result_error(ctx, "stat", path, err);
        return NGX_OK;
    }

    if (!ngx_gate_check_file_progress_is_current(ctx, &fi)) {
        return NGX_DECLINED;
    }

    line.data = buf;
    line.len = sizeof(buf);

    rc = ngx_gate_check_file_io_read(path, &fi, &line, &call);
    err = ngx_errno;

    if (rc == NGX_ERROR && ngx_gate_check_file_io_is_missing(err)) {
        return NGX_DECLINED;
    }

    ctx->probe->result.observed = -1;
    ctx->probe->result.expected = -1;

    ngx_gate_check_file_progress_first_line(&line);

    if (rc == NGX_OK && line.len) {
        ngx_gate_check_file_result(ctx, NGX_GATE_FAILED, NGX_GATE_REPORTED,
                                   "%V", &line);
        return NGX_OK;
    }

    ngx_gate_check_file_result(ctx, NGX_GATE_FAILED, NGX_GATE_REPORTED,
                               "reported by %V", path);

    if (rc == NGX_ERROR) {
        ngx_gate_check_file_result_add(ctx, ", %s() failed", call);
        ngx_gate_check_file_result_add_errno(ctx, err);
    }

    return NGX_OK;
}


/* the first line that is not blank */

static void
ngx_gate_check_file_progress_first_line(ngx_str_t *text)
{
    u_char  *p, *last;

    p = text->data;
    last = p + text->len;

    while (p < last && *p <= ' ') {
        p++;
    }

    text->data = p;

    while (p < last && *p != CR && *p != LF) {
        p++;
    }

    text->len = p - text->data;
}


/* the marker is still missing, but the initialization may be in progress */

void
ngx_gate_check_file_progress(ngx_gate_check_file_ctx_t *ctx)
{
    char                                *call;
    u_char                               buf[NGX_GATE_CHECK_FILE_PROGRESS_MAX];
    ngx_int_t                            rc;
    ngx_err_t                            err;
    ngx_str_t                           *path, content;
    ngx_file_info_t                      fi;
    ngx_gate_check_file_state_t         *state;
    ngx_gate_check_file_progress_text_t  progress;

    state = ctx->state;
    path = &ctx->conf->progress;

    call = "stat";
    content.data = buf;
    content.len = sizeof(buf);

    rc = ngx_file_info(path->data, &fi);
    err = ngx_errno;

    if (rc == NGX_OK) {

        if (ngx_gate_check_file_progress_is_current(ctx, &fi)) {
            rc = ngx_gate_check_file_io_read(path, &fi, &content, &call);
            err = ngx_errno;

        } else {
            rc = NGX_ERROR;
            err = NGX_ENOENT;
        }
    }

    if (rc == NGX_ERROR && ngx_gate_check_file_io_is_missing(err)) {
        state->observed = -1;
        state->expected = -1;
        return;
    }

    if (rc == NGX_DECLINED) {
        ngx_gate_check_file_result_add(ctx,
                                       "; progress is unknown, "
                                       "this is a %V: %V",
                                       ngx_gate_check_file_io_type(&fi), path);
        return;
    }

    if (rc == NGX_ERROR) {
        ngx_gate_check_file_result_add(ctx, "; progress is unknown, "
                                       "%s() \"%V\" "
                                       "failed", call, path);
        ngx_gate_check_file_result_add_errno(ctx, err);
        return;
    }

    ngx_gate_check_file_progress_text_parse(&content, &progress);

    if (progress.text.len) {
        state->observed = progress.observed;
        state->expected = progress.expected;
    }

    /* otherwise the file is being rewritten: the last numbers are kept */

    ngx_gate_check_file_result(ctx, NGX_GATE_RUNNING, NGX_GATE_IN_PROGRESS,
                               "%V", &progress.text);

    ctx->probe->result.observed = state->observed;
    ctx->probe->result.expected = state->expected;
}


/*
 * A file belongs to this initialization if it is newer than the marker, if
 * that exists, and not stale by the conditions of a marker.  The time of a
 * directory is that of its last new entry, possibly this file.
 */

static ngx_int_t
ngx_gate_check_file_progress_is_current(ngx_gate_check_file_ctx_t *ctx,
    ngx_file_info_t *fi)
{
    if (ctx->exists
        && !ngx_gate_check_file_io_is_newer(&fi->st_mtim, &ctx->marker.st_mtim)
        && (!ngx_is_dir(&ctx->marker)
            || ngx_gate_check_file_io_is_newer(&ctx->marker.st_mtim,
                                               &fi->st_mtim)))
    {
        return 0;
    }

    if (ngx_gate_check_file_io_since(ctx) == NGX_OK
        && !ngx_gate_check_file_io_is_newer(&fi->st_mtim, &ctx->since))
    {
        return 0;
    }

    return 1;
}
