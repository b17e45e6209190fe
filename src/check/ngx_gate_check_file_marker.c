
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The marker: whether it exists and meets its conditions.
 */


#include <ngx_gate_check_file.h>
#include <ngx_gate_match.h>


/* number of probes between tests whether a missing marker is a dangling link */

#define NGX_GATE_CHECK_FILE_MARKER_READLINK  64


static ngx_int_t ngx_gate_check_file_marker_conditions(
    ngx_gate_check_file_ctx_t *ctx);
static ngx_int_t ngx_gate_check_file_marker_type(
    ngx_gate_check_file_ctx_t *ctx);
static ngx_int_t ngx_gate_check_file_marker_newer(
    ngx_gate_check_file_ctx_t *ctx);
static ngx_int_t ngx_gate_check_file_marker_age(ngx_gate_check_file_ctx_t *ctx);
static ngx_int_t ngx_gate_check_file_marker_size(
    ngx_gate_check_file_ctx_t *ctx);
static void ngx_gate_check_file_marker_content(ngx_gate_check_file_ctx_t *ctx);
static void ngx_gate_check_file_marker_match(ngx_gate_check_file_ctx_t *ctx,
    ngx_str_t *content);


void
ngx_gate_check_file_marker(ngx_gate_check_file_ctx_t *ctx)
{
    ngx_err_t                    err;
    ngx_gate_check_file_conf_t  *conf;

    conf = ctx->conf;

    if (ngx_file_info(conf->path.data, &ctx->marker) == NGX_FILE_ERROR) {
        err = ngx_errno;

        if (ngx_gate_check_file_io_is_missing(err)) {
            ngx_gate_check_file_marker_missing(ctx, err);
            return;
        }

        ngx_gate_check_file_result_error(ctx, "stat", &conf->path, err);
        return;
    }

    ctx->exists = 1;
    ctx->state->misses = 0;

    if (conf->absent) {
        ngx_gate_check_file_result(ctx, NGX_GATE_WAITING, NGX_GATE_PRESENT,
                                   "still there: %V", &conf->path);
        return;
    }

    if (ngx_gate_check_file_marker_conditions(ctx) != NGX_OK) {
        return;
    }

    if (conf->contains.len || conf->match) {
        ngx_gate_check_file_marker_content(ctx);
    }
}


void
ngx_gate_check_file_marker_missing(ngx_gate_check_file_ctx_t *ctx,
    ngx_err_t err)
{
    char                          ch;
    ngx_gate_check_file_conf_t   *conf;
    ngx_gate_check_file_state_t  *state;

    conf = ctx->conf;
    state = ctx->state;

    if (conf->absent) {
        return;
    }

    ngx_gate_check_file_result(ctx, NGX_GATE_WAITING, NGX_GATE_MISSING,
                               "not there: %V", &conf->path);

    if (err != NGX_ENOENT) {
        ngx_gate_check_file_result_add_errno(ctx, err);
        return;
    }

    if (state->misses++ % NGX_GATE_CHECK_FILE_MARKER_READLINK == 0) {
        state->dangling = (readlink((char *) conf->path.data, &ch, 1) != -1);
    }

    if (state->dangling) {
        ngx_gate_check_file_result_add(ctx, " (a dangling symbolic link)");
    }
}


/* conditions tested by stat(); NGX_DECLINED: the result is set */

static ngx_int_t
ngx_gate_check_file_marker_conditions(ngx_gate_check_file_ctx_t *ctx)
{
    if (ngx_gate_check_file_marker_type(ctx) != NGX_OK
        || ngx_gate_check_file_marker_newer(ctx) != NGX_OK
        || ngx_gate_check_file_marker_age(ctx) != NGX_OK
        || ngx_gate_check_file_marker_size(ctx) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_check_file_marker_type(ngx_gate_check_file_ctx_t *ctx)
{
    ngx_gate_check_file_conf_t  *conf;

    conf = ctx->conf;

    if (ngx_is_file(&ctx->marker)
        || (conf->contains.len == 0 && conf->match == NULL
            && conf->min_size == 0))
    {
        return NGX_OK;
    }

    ngx_gate_check_file_result(ctx, NGX_GATE_WAITING, NGX_GATE_WRONG_TYPE,
                               "a file is needed, but this is a %V: %V",
                               ngx_gate_check_file_io_type(&ctx->marker),
                               &conf->path);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_gate_check_file_marker_newer(ngx_gate_check_file_ctx_t *ctx)
{
    ngx_gate_check_file_conf_t  *conf;

    conf = ctx->conf;

    if (!conf->boot && conf->newer_than.len == 0) {
        return NGX_OK;
    }

    switch (ngx_gate_check_file_io_since(ctx)) {

    case NGX_ERROR:
        ngx_gate_check_file_result_error(ctx, "stat", &conf->newer_than,
                                         ngx_errno);
        return NGX_DECLINED;

    case NGX_DECLINED:
        ngx_gate_check_file_result(ctx, NGX_GATE_WAITING, NGX_GATE_MISSING,
                                   "file to compare with is missing: %V",
                                   &conf->newer_than);
        return NGX_DECLINED;
    }

    if (ngx_gate_check_file_io_is_newer(&ctx->marker.st_mtim, &ctx->since)) {
        return NGX_OK;
    }

    ngx_gate_check_file_result(ctx, NGX_GATE_WAITING, NGX_GATE_STALE,
                               "stale: %V, written ",
                               &conf->path);
    ngx_gate_check_file_result_add_time(ctx, ngx_file_mtime(&ctx->marker));

    if (conf->boot) {
        ngx_gate_check_file_result_add(ctx, ", before the host started ");

    } else {
        ngx_gate_check_file_result_add(ctx, ", not after %V ",
                                       &conf->newer_than);
    }

    ngx_gate_check_file_result_add_time(ctx, ctx->since.tv_sec);

    return NGX_DECLINED;
}


/* a time in the future, by a different clock, is not too old */

static ngx_int_t
ngx_gate_check_file_marker_age(ngx_gate_check_file_ctx_t *ctx)
{
    struct timespec              oldest;
    ngx_gate_check_file_conf_t  *conf;

    conf = ctx->conf;

    if (conf->max_age == 0) {
        return NGX_OK;
    }

    (void) clock_gettime(CLOCK_REALTIME, &oldest);

    oldest.tv_sec -= conf->max_age / 1000;
    oldest.tv_nsec -= (long) (conf->max_age % 1000) * 1000000;

    if (oldest.tv_nsec < 0) {
        oldest.tv_nsec += 1000000000;
        oldest.tv_sec--;
    }

    if (!ngx_gate_check_file_io_is_newer(&oldest, &ctx->marker.st_mtim)) {
        return NGX_OK;
    }

    ngx_gate_check_file_result(ctx, NGX_GATE_WAITING, NGX_GATE_TOO_OLD,
                               "too old: %V, written ", &conf->path);
    ngx_gate_check_file_result_add_time(ctx, ngx_file_mtime(&ctx->marker));

    return NGX_DECLINED;
}


static ngx_int_t
ngx_gate_check_file_marker_size(ngx_gate_check_file_ctx_t *ctx)
{
    off_t                        size;
    ngx_gate_check_file_conf_t  *conf;

    conf = ctx->conf;

    if (conf->min_size == 0) {
        return NGX_OK;
    }

    size = ngx_file_size(&ctx->marker);

    ctx->probe->result.observed = ngx_min(size, conf->min_size);

    if (size >= conf->min_size) {
        return NGX_OK;
    }

    ngx_gate_check_file_result(ctx, NGX_GATE_WAITING, NGX_GATE_TOO_SMALL,
                               "%O of %O bytes: %V", size, conf->min_size,
                               &conf->path);

    return NGX_DECLINED;
}


static void
ngx_gate_check_file_marker_content(ngx_gate_check_file_ctx_t *ctx)
{
    char       *call;
    ngx_int_t   rc;
    ngx_err_t   err;
    ngx_str_t   content;

    content.len = NGX_GATE_MATCH_MAX;
    content.data = ngx_alloc(content.len, ctx->probe->log);

    if (content.data == NULL) {
        ngx_gate_check_file_result(ctx, NGX_GATE_ERROR, NGX_GATE_NO_MEMORY,
                                   "no memory");
        return;
    }

    rc = ngx_gate_check_file_io_read(&ctx->conf->path, &ctx->marker, &content,
                                     &call);
    err = ngx_errno;

    if (rc == NGX_ERROR) {

        if (ngx_gate_check_file_io_is_missing(err)) {
            ctx->exists = 0;
            ngx_gate_check_file_marker_missing(ctx, err);

        } else {
            ngx_gate_check_file_result_error(ctx, call, &ctx->conf->path, err);
        }

    /* the file may have been replaced: the conditions apply to the one read */

    } else if (ngx_gate_check_file_marker_conditions(ctx) == NGX_OK) {
        ngx_gate_check_file_marker_match(ctx, &content);
    }

    ngx_free(content.data);
}


static void
ngx_gate_check_file_marker_match(ngx_gate_check_file_ctx_t *ctx,
    ngx_str_t *content)
{
    ngx_int_t                    rc;
    ngx_str_t                   *wanted;
    ngx_gate_check_file_conf_t  *conf;

    conf = ctx->conf;
    wanted = &conf->contains;

    rc = (wanted->len == 0
          || memmem(content->data, content->len, wanted->data, wanted->len))
         ? NGX_OK : NGX_DECLINED;

#if (NGX_PCRE)
    if (rc == NGX_OK && conf->match) {
        wanted = &conf->pattern;
        rc = ngx_gate_match_exec(conf->match, content);
    }
#endif

    if (rc == NGX_OK) {
        return;
    }

    if (rc == NGX_ERROR) {
        ngx_gate_check_file_result(ctx, NGX_GATE_ERROR, NGX_GATE_TIMEOUT,
                                   "matching \"%V\" takes too long on %V",
                                   wanted, &conf->path);
        return;
    }

    ngx_gate_check_file_result(ctx, NGX_GATE_WAITING, NGX_GATE_MISMATCH,
                               "no \"%V\" in %V", wanted, &conf->path);

    if (content->len == 0) {
        ngx_gate_check_file_result_add(ctx, ", which is empty");

    } else if (content->len == NGX_GATE_MATCH_MAX) {
        ngx_gate_check_file_result_add(ctx, ", of which 64 KiB were read");
    }
}
