
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The result of a probe of the "file" check, and its message.
 */


#include <ngx_gate_check_file.h>


static void ngx_gate_check_file_result_add_denied(
    ngx_gate_check_file_ctx_t *ctx, ngx_str_t *path);


void ngx_cdecl
ngx_gate_check_file_result(ngx_gate_check_file_ctx_t *ctx,
    ngx_gate_verdict_e verdict, ngx_gate_reason_e reason, const char *fmt, ...)
{
    va_list  args;

    ctx->verdict = verdict;
    ctx->reason = reason;

    va_start(args, fmt);
    ctx->last = ngx_vslprintf(ctx->text, ctx->text + sizeof(ctx->text), fmt,
                              args);
    va_end(args);
}


void ngx_cdecl
ngx_gate_check_file_result_add(ngx_gate_check_file_ctx_t *ctx, const char *fmt,
    ...)
{
    va_list  args;

    va_start(args, fmt);
    ctx->last = ngx_vslprintf(ctx->last, ctx->text + sizeof(ctx->text), fmt,
                              args);
    va_end(args);
}


void
ngx_gate_check_file_result_add_errno(ngx_gate_check_file_ctx_t *ctx,
    ngx_err_t err)
{
    ctx->last = ngx_log_errno(ctx->last, ctx->text + sizeof(ctx->text), err);
}


void
ngx_gate_check_file_result_add_time(ngx_gate_check_file_ctx_t *ctx, time_t t)
{
    ngx_tm_t  tm;

    ngx_gmtime(t, &tm);

    ngx_gate_check_file_result_add(ctx, "%4d-%02d-%02dT%02d:%02d:%02dZ",
                                   tm.ngx_tm_year, tm.ngx_tm_mon,
                                   tm.ngx_tm_mday,
                                   tm.ngx_tm_hour, tm.ngx_tm_min,
                                   tm.ngx_tm_sec);
}


void
ngx_gate_check_file_result_error(ngx_gate_check_file_ctx_t *ctx,
    const char *call, ngx_str_t *path, ngx_err_t err)
{
    ngx_gate_reason_e  reason;

    switch (err) {

    case NGX_EACCES:
    case NGX_EPERM:
        reason = NGX_GATE_DENIED;
        break;

    case NGX_ENOMEM:
        reason = NGX_GATE_NO_MEMORY;
        break;

    case NGX_EMFILE:
    case NGX_ENFILE:
        reason = NGX_GATE_NO_CONNECTIONS;
        break;

    default:
        reason = NGX_GATE_IO;
    }

    ngx_gate_check_file_result(ctx, NGX_GATE_ERROR, reason,
                               "%s() \"%V\" failed", call, path);

    ngx_gate_check_file_result_add_errno(ctx, err);

    if (reason == NGX_GATE_DENIED) {
        ngx_gate_check_file_result_add_denied(ctx, path);
    }
}


/* the directory that the worker may not search, if there is one */

static void
ngx_gate_check_file_result_add_denied(ngx_gate_check_file_ctx_t *ctx,
    ngx_str_t *path)
{
    u_char      dir[NGX_MAX_PATH];
    ngx_uint_t  i;

    ngx_gate_check_file_result_add(ctx, ", the worker runs as uid %d",
                                   (int) geteuid());

    for (i = 1; i < path->len && i < NGX_MAX_PATH; i++) {

        if (path->data[i] != '/') {
            continue;
        }

        ngx_memcpy(dir, path->data, i);
        dir[i] = '\0';

        if (access((char *) dir, X_OK) == -1) {
            ngx_gate_check_file_result_add(ctx, " and may not enter \"%s\"",
                                           dir);
            return;
        }
    }
}
