
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The init_checks blocks; see ngx_gate_conf.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_conf.h>
#include <ngx_gate_param.h>
#include <ngx_gate_word.h>
#include <ngx_gate_resolver.h>


/* factor between the second and the first time of "interval" by default */

#define NGX_GATE_CONF_INTERVAL_OPEN  5


typedef struct {
    ngx_gate_conf_t          *conf;
    ngx_gate_t               *gate;
} ngx_gate_conf_ctx_t;


/* a directive of the block: its number of arguments, and its setter */

typedef struct {
    ngx_str_t                 name;
    const char               *form;         /* number of arguments */
    ngx_uint_t                min;
    ngx_uint_t                max;
    char                   *(*set)(ngx_conf_t *cf, ngx_gate_t *gate,
                                   void *value);
    size_t                    offset;       /* offset in the gate */
} ngx_gate_conf_directive_t;


static ngx_gate_t *ngx_gate_conf_add(ngx_conf_t *cf, ngx_gate_conf_t *conf,
    ngx_str_t *name);
static char *ngx_gate_conf_directive(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);
static void ngx_gate_conf_unknown(ngx_conf_t *cf, ngx_gate_conf_ctx_t *ctx);
static char *ngx_gate_conf_set(ngx_conf_t *cf, ngx_gate_t *gate,
    ngx_gate_conf_directive_t *directive);
static char *ngx_gate_conf_set_check(ngx_conf_t *cf, ngx_gate_t *gate,
    void *value);
static char *ngx_gate_conf_set_trigger(ngx_conf_t *cf, ngx_gate_t *gate,
    void *value);
static char *ngx_gate_conf_set_interval(ngx_conf_t *cf, ngx_gate_t *gate,
    void *value);
static char *ngx_gate_conf_set_deadline(ngx_conf_t *cf, ngx_gate_t *gate,
    void *value);
static char *ngx_gate_conf_set_latch(ngx_conf_t *cf, ngx_gate_t *gate,
    void *value);
static char *ngx_gate_conf_set_resolver(ngx_conf_t *cf, ngx_gate_t *gate,
    void *value);
static char *ngx_gate_conf_set_time(ngx_conf_t *cf, ngx_gate_t *gate,
    void *value);
static char *ngx_gate_conf_set_count(ngx_conf_t *cf, ngx_gate_t *gate,
    void *value);
static char *ngx_gate_conf_time(ngx_conf_t *cf, ngx_gate_t *gate,
    ngx_uint_t i, ngx_msec_t *value);
static void ngx_gate_conf_defaults(ngx_gate_t *gate);
static void ngx_gate_conf_warn_optional(ngx_conf_t *cf, ngx_gate_t *gate);


static ngx_gate_conf_directive_t  ngx_gate_conf_directives[] = {

    { ngx_string("check"), "TYPE TARGET [parameter ...]",
      2, NGX_GATE_NONE,
      ngx_gate_conf_set_check, 0 },

    { ngx_string("interval"), "TIME [TIME]",
      1, 2,
      ngx_gate_conf_set_interval, offsetof(ngx_gate_t, interval) },

    { ngx_string("timeout"), "TIME",
      1, 1,
      ngx_gate_conf_set_time, offsetof(ngx_gate_t, timeout) },

    { ngx_string("backoff"), "TIME",
      1, 1,
      ngx_gate_conf_set_time, offsetof(ngx_gate_t, backoff) },

    { ngx_string("latch"), "on | off",
      1, 1,
      ngx_gate_conf_set_latch, offsetof(ngx_gate_t, latch) },

    { ngx_string("rise"), "N",
      1, 1,
      ngx_gate_conf_set_count, offsetof(ngx_gate_t, rise) },

    { ngx_string("fall"), "N",
      1, 1,
      ngx_gate_conf_set_count, offsetof(ngx_gate_t, fall) },

    { ngx_string("deadline"), "TIME [open | closed] | off",
      1, 2,
      ngx_gate_conf_set_deadline, offsetof(ngx_gate_t, deadline) },

    { ngx_string("trigger"), "URL [parameter ...]",
      1, NGX_GATE_NONE,
      ngx_gate_conf_set_trigger, 0 },

    { ngx_string("resolver"), "ADDRESS[:PORT] ...",
      1, NGX_GATE_NONE,
      ngx_gate_conf_set_resolver, 0 },

    { ngx_null_string, NULL, 0, 0, NULL, 0 }
};


ngx_int_t
ngx_gate_conf_init(ngx_pool_t *pool, ngx_gate_conf_t *conf,
    ngx_gate_conf_type_t *types)
{
    conf->types = types;

    ngx_md5_init(&conf->md5);

    return ngx_array_init(&conf->gates, pool, 4, sizeof(ngx_gate_t));
}


char *
ngx_gate_conf_block(ngx_conf_t *cf, ngx_gate_conf_t *conf)
{
    char                 *rv;
    ngx_str_t            *value;
    ngx_conf_t            save;
    ngx_gate_conf_ctx_t   ctx;

    value = cf->args->elts;

    ctx.conf = conf;
    ctx.gate = ngx_gate_conf_add(cf, conf, &value[1]);

    if (ctx.gate == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_md5_update(&conf->md5, value[1].data, value[1].len);
    ngx_md5_update(&conf->md5, "{", 1);

    save = *cf;
    cf->handler = ngx_gate_conf_directive;
    cf->handler_conf = (void *) &ctx;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ctx.gate->checks.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no check in init_checks \"%V\"", &ctx.gate->name);
        return NGX_CONF_ERROR;
    }

    ngx_gate_conf_defaults(ctx.gate);
    ngx_gate_conf_warn_optional(cf, ctx.gate);

    return ngx_gate_conf_check_after(cf, ctx.gate);
}


static ngx_gate_t *
ngx_gate_conf_add(ngx_conf_t *cf, ngx_gate_conf_t *conf, ngx_str_t *name)
{
    ngx_gate_t  *gate, *other;
    const char  *error;

    error = ngx_gate_param_check_name(name);

    if (error == NULL && ngx_strcmp(name->data, "off") == 0) {
        error = "letters, digits, \"_\", \"-\" and \".\" are allowed, but "
                "not \"off\"";
    }

    if (error) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" of init_checks: %s", name,
                           error);
        return NULL;
    }

    other = ngx_gate_conf_find(conf, name);

    if (other) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate init_checks \"%V\", the other one is "
                           "in %V:%ui", name, &other->file, other->line);
        return NULL;
    }

    gate = ngx_array_push(&conf->gates);
    if (gate == NULL) {
        return NULL;
    }

    ngx_memzero(gate, sizeof(ngx_gate_t));

    gate->name = *name;
    gate->file = cf->conf_file->file.name;
    gate->line = cf->conf_file->line;
    gate->index = conf->gates.nelts - 1;
    gate->latch = NGX_CONF_UNSET;
    gate->interval = NGX_CONF_UNSET_MSEC;
    gate->timeout = NGX_CONF_UNSET_MSEC;
    gate->backoff = NGX_CONF_UNSET_MSEC;
    gate->deadline = NGX_CONF_UNSET_MSEC;
    gate->rise = NGX_CONF_UNSET_UINT;
    gate->fall = NGX_CONF_UNSET_UINT;

    if (ngx_array_init(&gate->checks, cf->pool, 4, sizeof(ngx_gate_check_t))
        != NGX_OK)
    {
        return NULL;
    }

    return gate;
}


static char *
ngx_gate_conf_directive(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_str_t                  *value;
    ngx_uint_t                  i, n;
    ngx_gate_conf_ctx_t        *ctx;
    ngx_gate_conf_directive_t  *directive;

    ctx = conf;
    value = cf->args->elts;
    n = cf->args->nelts - 1;

    if (n == 1 && ngx_strcmp(value[0].data, "include") == 0) {
        return ngx_conf_include(cf, dummy, conf);
    }

    for (i = 0; i <= n; i++) {
        ngx_md5_update(&ctx->conf->md5, value[i].data, value[i].len);
        ngx_md5_update(&ctx->conf->md5, i == n ? ";" : "\0", 1);
    }

    for (directive = ngx_gate_conf_directives; directive->set; directive++) {
        if (ngx_gate_str_eq(&directive->name, &value[0])) {
            return ngx_gate_conf_set(cf, ctx->gate, directive);
        }
    }

    ngx_gate_conf_unknown(cf, ctx);

    return NGX_CONF_ERROR;
}


static void
ngx_gate_conf_unknown(ngx_conf_t *cf, ngx_gate_conf_ctx_t *ctx)
{
    ngx_str_t                  *name;
    ngx_gate_word_t             w;
    ngx_gate_conf_type_t       *row;
    ngx_gate_conf_directive_t  *directive;

    name = cf->args->elts;

    for (row = ctx->conf->types; row->name.len; row++) {

        if (ngx_gate_str_eq(&row->name, name)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"check\" is missing before \"%V\" in "
                               "init_checks \"%V\"", name, &ctx->gate->name);
            return;
        }
    }

    ngx_gate_word_init(&w, name);

    for (directive = ngx_gate_conf_directives; directive->set; directive++) {
        ngx_gate_word_try(&w, &directive->name);
    }

    if (w.nearest) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown directive \"%V\" (did you mean \"%V\"?) "
                           "in init_checks \"%V\"", name, w.nearest,
                           &ctx->gate->name);
        return;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown directive \"%V\" in init_checks \"%V\": "
                       "check, interval, timeout, backoff, latch, rise, fall, "
                       "deadline, trigger and resolver are allowed",
                       name, &ctx->gate->name);
}


ngx_uint_t
ngx_gate_conf_is_directive(ngx_str_t *name)
{
    ngx_gate_conf_directive_t  *directive;

    for (directive = ngx_gate_conf_directives; directive->set; directive++) {
        if (ngx_gate_str_eq(&directive->name, name)) {
            return 1;
        }
    }

    return 0;
}


static char *
ngx_gate_conf_set(ngx_conf_t *cf, ngx_gate_t *gate,
    ngx_gate_conf_directive_t *directive)
{
    char        *rv;
    ngx_str_t   *args;
    ngx_uint_t   i, n;

    n = cf->args->nelts - 1;
    args = cf->args->elts;

    if (n < directive->min || n > directive->max) {

        for (i = 1; i <= n; i++) {

            if (ngx_gate_conf_is_directive(&args[i])) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\";\" is missing before \"%V\" in "
                                   "init_checks \"%V\"", &args[i],
                                   &gate->name);
                return NGX_CONF_ERROR;
            }
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of arguments in \"%V\" "
                           "directive of init_checks \"%V\", it is "
                           "\"%V %s\"", &directive->name, &gate->name,
                           &directive->name, directive->form);
        return NGX_CONF_ERROR;
    }

    rv = directive->set(cf, gate, (char *) gate + directive->offset);

    if (rv == NGX_CONF_OK || rv == NGX_CONF_ERROR) {
        return rv;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" directive %s in init_checks \"%V\"",
                       &directive->name, rv, &gate->name);

    return NGX_CONF_ERROR;
}


static char *
ngx_gate_conf_set_check(ngx_conf_t *cf, ngx_gate_t *gate, void *value)
{
    ngx_gate_conf_ctx_t *ctx = cf->handler_conf;

    return ngx_gate_conf_check_add(cf, ctx->conf, gate);
}


static char *
ngx_gate_conf_set_trigger(ngx_conf_t *cf, ngx_gate_t *gate, void *value)
{
    ngx_gate_conf_ctx_t *ctx = cf->handler_conf;

    return ngx_gate_conf_check_add_trigger(cf, ctx->conf, gate);
}


static char *
ngx_gate_conf_set_interval(ngx_conf_t *cf, ngx_gate_t *gate, void *value)
{
    char  *rv;

    rv = ngx_gate_conf_set_time(cf, gate, value);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (cf->args->nelts == 2) {
        gate->interval_open = gate->interval * NGX_GATE_CONF_INTERVAL_OPEN;
        return NGX_CONF_OK;
    }

    return ngx_gate_conf_time(cf, gate, 2, &gate->interval_open);
}


static char *
ngx_gate_conf_set_deadline(ngx_conf_t *cf, ngx_gate_t *gate, void *value)
{
    char       *rv;
    ngx_str_t  *args;

    args = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(args[1].data, "off") == 0) {

        if (gate->deadline != NGX_CONF_UNSET_MSEC) {
            return "is duplicate";
        }

        gate->deadline = 0;

        return NGX_CONF_OK;
    }

    rv = ngx_gate_conf_set_time(cf, gate, value);

    if (rv != NGX_CONF_OK || cf->args->nelts == 2) {
        return rv;
    }

    if (ngx_strcmp(args[2].data, "open") == 0) {
        gate->deadline_open = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(args[2].data, "closed") == 0) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"deadline\" directive of "
                       "init_checks \"%V\": it must be "
                       "\"open\" or \"closed\"", &args[2], &gate->name);

    return NGX_CONF_ERROR;
}


static char *
ngx_gate_conf_set_latch(ngx_conf_t *cf, ngx_gate_t *gate, void *value)
{
    ngx_str_t  *args;

    if (gate->latch != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    args = cf->args->elts;

    if (ngx_strcmp(args[1].data, "on") == 0) {
        gate->latch = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(args[1].data, "off") == 0) {
        gate->latch = 0;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"latch\" directive of "
                       "init_checks \"%V\": it must be "
                       "\"on\" or \"off\"", &args[1], &gate->name);

    return NGX_CONF_ERROR;
}


static char *
ngx_gate_conf_set_resolver(ngx_conf_t *cf, ngx_gate_t *gate, void *value)
{
    ngx_int_t    rc;
    ngx_str_t   *args;
    ngx_uint_t   i;

    if (gate->resolver) {
        return "is duplicate";
    }

    gate->resolver = ngx_pcalloc(cf->pool, sizeof(ngx_gate_resolver_t));
    if (gate->resolver == NULL) {
        return NGX_CONF_ERROR;
    }

    args = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_gate_resolver_add(cf, gate->resolver, &args[i]);

        if (rc == NGX_DECLINED) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid address \"%V\" in \"resolver\" "
                               "directive: it must be an IP address, with a "
                               "port or without, as in 10.0.0.2, "
                               "10.0.0.2:5353 or [fd00::2]:5353", &args[i]);
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_gate_conf_set_time(ngx_conf_t *cf, ngx_gate_t *gate, void *value)
{
    ngx_msec_t  *msec = value;

    if (*msec != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    return ngx_gate_conf_time(cf, gate, 1, msec);
}


static char *
ngx_gate_conf_set_count(ngx_conf_t *cf, ngx_gate_t *gate, void *value)
{
    ngx_uint_t  *count = value;

    ngx_int_t   n;
    ngx_str_t  *args;

    if (*count != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    args = cf->args->elts;

    n = ngx_atoi(args[1].data, args[1].len);

    if (n == NGX_ERROR || n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number \"%V\" in \"%V\" directive of "
                           "init_checks \"%V\": it must be at least 1",
                           &args[1], &args[0], &gate->name);
        return NGX_CONF_ERROR;
    }

    *count = (ngx_uint_t) n;

    return NGX_CONF_OK;
}


static char *
ngx_gate_conf_time(ngx_conf_t *cf, ngx_gate_t *gate, ngx_uint_t i,
    ngx_msec_t *value)
{
    ngx_int_t   ms;
    ngx_str_t  *args;

    args = cf->args->elts;

    ms = ngx_parse_time(&args[i], 0);

    if (ms == NGX_ERROR || ms == 0 || ms > NGX_MAX_INT32_VALUE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\" in \"%V\" directive of "
                           "init_checks \"%V\": it must be above 0, as in "
                           "500ms, 5s, 2m or 1h, and below 25d",
                           &args[i], &args[0], &gate->name);
        return NGX_CONF_ERROR;
    }

    *value = (ngx_msec_t) ms;

    return NGX_CONF_OK;
}


static void
ngx_gate_conf_defaults(ngx_gate_t *gate)
{
    ngx_uint_t         i;
    ngx_gate_check_t  *check;

    if (gate->interval == NGX_CONF_UNSET_MSEC) {
        gate->interval = 1000;
        gate->interval_open = 5000;
    }

    ngx_conf_init_value(gate->latch, 1);
    ngx_conf_init_msec_value(gate->timeout, 3000);
    ngx_conf_init_msec_value(gate->backoff, 5000);
    ngx_conf_init_msec_value(gate->deadline, 0);
    ngx_conf_init_uint_value(gate->rise, 1);
    ngx_conf_init_uint_value(gate->fall, 3);

    for (i = 0; i < gate->checks.nelts; i++) {
        check = ngx_gate_check_at(gate, i);

        if (check->interval) {
            check->interval_open = check->interval
                                   * NGX_GATE_CONF_INTERVAL_OPEN;

        } else {
            check->interval = gate->interval;
            check->interval_open = gate->interval_open;
        }

        if (check->timeout == 0) {
            check->timeout = gate->timeout;
        }
    }

    if (gate->trigger && gate->trigger->timeout == 0) {
        gate->trigger->timeout = gate->timeout;
    }
}


static void
ngx_gate_conf_warn_optional(ngx_conf_t *cf, ngx_gate_t *gate)
{
    ngx_uint_t  i;

    for (i = 0; i < gate->checks.nelts; i++) {
        if (!ngx_gate_check_at(gate, i)->optional) {
            return;
        }
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "init_checks \"%V\" is open from the start, since all its "
                  "checks are optional in %V:%ui", &gate->name, &gate->file,
                  gate->line);
}


/* called when the array of gates is complete and no longer moves */

void
ngx_gate_conf_done(ngx_gate_conf_t *conf)
{
    ngx_uint_t   i, n;
    ngx_gate_t  *gate;

    gate = conf->gates.elts;

    for (n = 0; n < conf->gates.nelts; n++) {

        for (i = 0; i < gate[n].checks.nelts; i++) {
            ngx_gate_check_at(&gate[n], i)->gate = &gate[n];
        }

        if (gate[n].trigger) {
            gate[n].trigger->gate = &gate[n];
        }
    }
}


ngx_gate_t *
ngx_gate_conf_find(ngx_gate_conf_t *conf, ngx_str_t *name)
{
    ngx_uint_t   i;
    ngx_gate_t  *gate;

    gate = conf->gates.elts;

    for (i = 0; i < conf->gates.nelts; i++) {
        if (ngx_gate_str_eq(&gate[i].name, name)) {
            return &gate[i];
        }
    }

    return NULL;
}
