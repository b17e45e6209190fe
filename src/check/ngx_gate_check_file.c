
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The "file" check: its parameters, and the steps of a probe.  A plain marker
 * costs one stat() for each probe; everything else is read only if it is
 * configured and affects the verdict.
 */


#include <ngx_gate_param.h>
#include <ngx_gate_check_file.h>


/* fraction of the timeout that remains when counting a tree pauses */

#define NGX_GATE_CHECK_FILE_MARGIN  4


static char *ngx_gate_check_file_parse(ngx_conf_t *cf, ngx_gate_check_t *check);
static char *ngx_gate_check_file_parse_paths(ngx_conf_t *cf,
    ngx_gate_check_t *check);
static const char *ngx_gate_check_file_condition(
    ngx_gate_check_file_conf_t *conf);
static char *ngx_gate_check_file_set_match(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_param_t *param, ngx_str_t *value);
static char *ngx_gate_check_file_set_newer_than(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_param_t *param, ngx_str_t *value);
static char *ngx_gate_check_file_set_glob(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_param_t *param, ngx_str_t *value);

static void ngx_gate_check_file_start(ngx_gate_probe_t *probe);
static void ngx_gate_check_file_cancel(ngx_gate_probe_t *probe);
static void ngx_gate_check_file_ctx_init(ngx_gate_check_file_ctx_t *ctx,
    ngx_gate_probe_t *probe);
static void ngx_gate_check_file_end(ngx_gate_check_file_ctx_t *ctx);
static void ngx_gate_check_file_count(ngx_gate_check_file_ctx_t *ctx);
static void ngx_gate_check_file_handler(ngx_gate_check_file_tree_t *tree,
    ngx_int_t rc);
static void ngx_gate_check_file_too_few(ngx_gate_check_file_ctx_t *ctx,
    ngx_int_t rc);
static void ngx_gate_check_file_count_error(ngx_gate_check_file_ctx_t *ctx);


static ngx_gate_param_t  ngx_gate_check_file_params[] = {

    { ngx_string("absent"),
      NGX_GATE_PARAM_FLAG,
      ngx_gate_param_set_flag,
      offsetof(ngx_gate_check_file_conf_t, absent),
      NULL },

    { ngx_string("contains"),
      0,
      ngx_gate_param_set_str,
      offsetof(ngx_gate_check_file_conf_t, contains),
      NULL },

    { ngx_string("match"),
      0,
      ngx_gate_check_file_set_match,
      offsetof(ngx_gate_check_file_conf_t, match),
      "a regular expression" },

    { ngx_string("min_size"),
      0,
      ngx_gate_param_set_size,
      offsetof(ngx_gate_check_file_conf_t, min_size),
      "a size above 0, as in 100, 64k, 1m or 2g" },

    { ngx_string("max_age"),
      0,
      ngx_gate_param_set_time,
      offsetof(ngx_gate_check_file_conf_t, max_age),
      "a time above 0, as in 30s, 5m, 2h or 1d" },

    { ngx_string("newer_than"),
      0,
      ngx_gate_check_file_set_newer_than,
      offsetof(ngx_gate_check_file_conf_t, newer_than),
      "\"boot\" or a path" },

    { ngx_string("files"),
      0,
      ngx_gate_param_set_count,
      offsetof(ngx_gate_check_file_conf_t, files),
      "a number, 1 or more" },

    { ngx_string("glob"),
      0,
      ngx_gate_check_file_set_glob,
      offsetof(ngx_gate_check_file_conf_t, glob),
      "a pattern for names without \"/\", as in *.json" },

    { ngx_string("failed"),
      0,
      ngx_gate_param_set_path,
      offsetof(ngx_gate_check_file_conf_t, failed),
      "a path" },

    { ngx_string("progress"),
      0,
      ngx_gate_param_set_path,
      offsetof(ngx_gate_check_file_conf_t, progress),
      "a path" },

      ngx_gate_param_end
};


ngx_gate_check_type_t  ngx_gate_check_file = {
    ngx_string("file"),
    ngx_gate_check_file_params,
    sizeof(ngx_gate_check_file_conf_t),
    sizeof(ngx_gate_check_file_state_t),
    ngx_gate_check_file_parse,
    ngx_gate_check_file_start,
    ngx_gate_check_file_cancel,
    0,
    0
};


static void
ngx_gate_check_file_start(ngx_gate_probe_t *probe)
{
    ngx_gate_check_file_ctx_t     ctx;
    ngx_gate_check_file_state_t  *state;

    state = probe->state;

    if (!state->initialized) {
        state->initialized = 1;
        state->observed = -1;
        state->expected = -1;

        ngx_gate_check_file_watch_init(&state->watch, probe);
    }

    probe->log->action = "looking at files";

    ngx_gate_check_file_watch(&state->watch, probe);

    ngx_gate_check_file_ctx_init(&ctx, probe);

    if (ctx.conf->files) {

        /*
         * "failed" of a tree is valid until removed: a tree has no time to
         * compare
         */

        if (ctx.conf->failed.len
            && ngx_gate_check_file_progress_failed(&ctx) == NGX_OK)
        {
            ngx_gate_check_file_end(&ctx);
            return;
        }

        ngx_gate_check_file_count(&ctx);
        return;
    }

    ngx_gate_check_file_marker(&ctx);

    if (ctx.verdict != NGX_GATE_ERROR && ctx.conf->failed.len
        && ngx_gate_check_file_progress_failed(&ctx) == NGX_OK)
    {
        ngx_gate_check_file_end(&ctx);
        return;
    }

    if (ctx.verdict == NGX_GATE_WAITING && ctx.conf->progress.len) {
        ngx_gate_check_file_progress(&ctx);
    }

    ngx_gate_check_file_end(&ctx);
}


static void
ngx_gate_check_file_cancel(ngx_gate_probe_t *probe)
{
    ngx_gate_check_file_state_t  *state;

    state = probe->state;

    if (state->tree) {
        ngx_gate_check_file_tree_close(state->tree);
    }

    ngx_gate_check_file_watch_stop(&state->watch);
}


static void
ngx_gate_check_file_ctx_init(ngx_gate_check_file_ctx_t *ctx,
    ngx_gate_probe_t *probe)
{
    ctx->probe = probe;
    ctx->conf = probe->check->conf;
    ctx->state = probe->state;
    ctx->exists = 0;
    ctx->since_rc = NGX_AGAIN;

    ngx_gate_check_file_result(ctx, NGX_GATE_PASSED, NGX_GATE_OK, "");

    probe->result.observed = -1;
    probe->result.expected = -1;

    if (ctx->conf->min_size) {
        probe->result.observed = 0;
        probe->result.expected = ctx->conf->min_size;
    }
}


static void
ngx_gate_check_file_end(ngx_gate_check_file_ctx_t *ctx)
{
    ngx_gate_probe_end(ctx->probe, ctx->verdict, ctx->reason, "%*s",
                       (size_t) (ctx->last - ctx->text), ctx->text);
}


static void
ngx_gate_check_file_count(ngx_gate_check_file_ctx_t *ctx)
{
    ngx_int_t                     rc;
    ngx_gate_probe_t             *probe;
    ngx_gate_check_file_tree_t   *tree;
    ngx_gate_check_file_state_t  *state;

    probe = ctx->probe;
    state = ctx->state;

    if (state->tree == NULL) {
        state->tree = ngx_pcalloc(probe->pool,
                                  sizeof(ngx_gate_check_file_tree_t));

        if (state->tree == NULL) {
            ngx_gate_check_file_result(ctx, NGX_GATE_ERROR, NGX_GATE_NO_MEMORY,
                                       "no memory");
            ngx_gate_check_file_end(ctx);
            return;
        }
    }

    tree = state->tree;

    tree->root = &ctx->conf->path;
    tree->glob = &ctx->conf->glob;
    tree->limit = ctx->conf->files;
    tree->deadline = probe->deadline
                     - probe->check->timeout / NGX_GATE_CHECK_FILE_MARGIN;
    tree->log = probe->log;
    tree->data = probe;
    tree->handler = ngx_gate_check_file_handler;

    probe->log->action = "counting files";

    rc = ngx_gate_check_file_tree_count(tree);

    if (state->large != (rc == NGX_AGAIN)) {
        state->large = (rc == NGX_AGAIN);
        state->watch.changed = 1;
    }

    if (rc != NGX_AGAIN) {
        ngx_gate_check_file_handler(tree, rc);
    }
}


static void
ngx_gate_check_file_handler(ngx_gate_check_file_tree_t *tree, ngx_int_t rc)
{
    ngx_gate_check_file_ctx_t     ctx;
    ngx_gate_check_file_conf_t   *conf;
    ngx_gate_check_file_state_t  *state;

    ngx_gate_check_file_ctx_init(&ctx, tree->data);

    conf = ctx.conf;
    state = ctx.state;

    /* while counting goes on, the last complete count is kept if larger */

    if (rc != NGX_DECLINED || tree->found > state->observed) {
        state->observed = tree->found;
    }

    ctx.probe->result.observed = state->observed;
    ctx.probe->result.expected = conf->files;

    if (rc == NGX_ERROR) {
        ngx_gate_check_file_count_error(&ctx);

    } else if (tree->found < conf->files) {
        ngx_gate_check_file_too_few(&ctx, rc);
    }

    ngx_gate_check_file_end(&ctx);
}


static void
ngx_gate_check_file_too_few(ngx_gate_check_file_ctx_t *ctx, ngx_int_t rc)
{
    ngx_gate_check_file_tree_t  *tree;
    ngx_gate_check_file_conf_t  *conf;

    conf = ctx->conf;
    tree = ctx->state->tree;

    ngx_gate_check_file_result(ctx, NGX_GATE_WAITING, NGX_GATE_TOO_FEW,
                               "%L of %L files in %V",
                               ctx->probe->result.observed,
                               conf->files, &conf->path);

    if (conf->glob.len) {
        ngx_gate_check_file_result_add(ctx, " are named %V", &conf->glob);
    }

    if (rc == NGX_DECLINED) {
        ngx_gate_check_file_result_add(ctx, ", still counting");
    }

    if (tree->denied) {
        ngx_gate_check_file_result_add(ctx, "; unreadable by the worker, which "
                                       "runs as uid %d: %*s",
                                       (int) geteuid(), tree->path_len,
                                       tree->path);

        if (tree->denied > 1) {
            ngx_gate_check_file_result_add(ctx, " and %ui more",
                                           tree->denied - 1);
        }
    }

    if (tree->too_deep) {
        ngx_gate_check_file_result_add(ctx,
                                       "; directories below level %d are not "
                                       "counted",
                                       NGX_GATE_CHECK_FILE_TREE_DEPTH);
    }
}


/* counting ended: the root is not a directory, or an error occurred */

static void
ngx_gate_check_file_count_error(ngx_gate_check_file_ctx_t *ctx)
{
    ngx_str_t                    path;
    ngx_gate_check_file_tree_t  *tree;

    tree = ctx->state->tree;

    if (tree->err == NGX_ENOENT) {
        ngx_gate_check_file_marker_missing(ctx, tree->err);
        return;
    }

    if (tree->err == NGX_ENOTDIR) {

        if (ngx_file_info(ctx->conf->path.data, &ctx->marker)
            == NGX_FILE_ERROR)
        {
            ngx_gate_check_file_marker_missing(ctx, tree->err);
            return;
        }

        ngx_gate_check_file_result(ctx, NGX_GATE_WAITING, NGX_GATE_WRONG_TYPE,
                                   "a directory is needed, but this is a %V: "
                                   "%V",
                                   ngx_gate_check_file_io_type(&ctx->marker),
                                   &ctx->conf->path);
        return;
    }

    ctx->probe->result.observed = -1;
    ctx->probe->result.expected = -1;

    path.len = tree->path_len;
    path.data = tree->path;

    ngx_gate_check_file_result_error(ctx, tree->call, &path, tree->err);
}


static char *
ngx_gate_check_file_parse(ngx_conf_t *cf, ngx_gate_check_t *check)
{
    const char                  *other;
    ngx_gate_check_file_conf_t  *conf;

    conf = check->conf;

    if (ngx_gate_check_file_parse_paths(cf, check) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    other = ngx_gate_check_file_condition(conf);

    if (conf->absent && conf->files) {
        other = "files";
    }

    if (other && (conf->absent || conf->files)) {
        return ngx_gate_param_error(cf, check,
                                    "parameters \"%s\" and \"%s\" exclude"
                                    " each other",
                                    conf->absent ? "absent" : "files", other);
    }

    if (conf->glob.len && conf->files == 0) {
        return ngx_gate_param_error(cf, check,
                                    "parameter \"glob\" needs \"files\"");
    }

    return NGX_CONF_OK;
}


static char *
ngx_gate_check_file_parse_paths(ngx_conf_t *cf, ngx_gate_check_t *check)
{
    ngx_str_t                   *paths[4];
    ngx_uint_t                   i, j;
    ngx_gate_check_file_conf_t  *conf;

    static ngx_gate_param_t  target = {
        ngx_string("target"), 0, NULL,
        offsetof(ngx_gate_check_file_conf_t, path), NULL
    };

    conf = check->conf;

    paths[0] = &conf->path;
    paths[1] = &conf->newer_than;
    paths[2] = &conf->failed;
    paths[3] = &conf->progress;

    if (check->target.len == 0) {
        return ngx_gate_param_error(cf, check, "the path is empty");
    }

    if (ngx_gate_param_set_path(cf, check, &target, &check->target)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    /* contradictions: newer than itself, or expected although missing */

    for (i = 1; i < 4; i++) {
        for (j = 0; j < i; j++) {

            if (paths[i]->len && paths[i]->len == paths[j]->len
                && ngx_memcmp(paths[i]->data, paths[j]->data, paths[i]->len)
                   == 0)
            {
                return ngx_gate_param_error(cf, check,
                                            "path \"%V\" is given twice",
                                            paths[i]);
            }
        }
    }

    return NGX_CONF_OK;
}


/* a condition that applies only to a single file that is to exist */

static const char *
ngx_gate_check_file_condition(ngx_gate_check_file_conf_t *conf)
{
    return conf->contains.len ? "contains"
           : conf->match ? "match"
           : conf->min_size ? "min_size"
           : conf->max_age ? "max_age"
           : (conf->boot || conf->newer_than.len) ? "newer_than"
           : (conf->files && conf->progress.len) ? "progress"
           : (conf->absent && conf->glob.len) ? "glob"
           : NULL;
}


static char *
ngx_gate_check_file_set_match(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    ngx_gate_check_file_conf_t  *conf;

    conf = check->conf;
    conf->pattern = *value;

    return ngx_gate_param_set_regex(cf, check, param, value);
}


static char *
ngx_gate_check_file_set_newer_than(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    ngx_gate_check_file_conf_t  *conf;

    conf = check->conf;

    if (value->len == 4 && ngx_strncmp(value->data, "boot", 4) == 0) {
        conf->boot = 1;
        return NGX_CONF_OK;
    }

    return ngx_gate_param_set_path(cf, check, param, value);
}


static char *
ngx_gate_check_file_set_glob(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    if (ngx_strlchr(value->data, value->data + value->len, '/')) {
        return ngx_gate_param_error(cf, check,
                                    "invalid value \"%V\" of parameter \"%V\","
                                    " it must be %s",
                                    value, &param->name, param->values);
    }

    return ngx_gate_param_set_str(cf, check, param, value);
}
