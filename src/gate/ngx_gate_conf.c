
/*
 * The init_checks blocks; see ngx_gate_conf.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_conf.h>
#include <ngx_gate_param.h>


/* where one interval is given, the one of an open gate is so much longer */

#define NGX_GATE_INTERVAL_OPEN  5

#define NGX_GATE_CHECKS_MAX     10000


typedef struct {
    ngx_gate_conf_t          *conf;
    ngx_gate_t               *gate;
} ngx_gate_conf_ctx_t;


/* a directive of the block, its number of arguments, and its default */

typedef struct {
    ngx_str_t                 name;
    ngx_uint_t                min;
    ngx_uint_t                max;
    char                   *(*set)(ngx_conf_t *cf, ngx_gate_t *gate);
} ngx_gate_directive_t;


static char *ngx_gate_conf_line(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);
static char *ngx_gate_conf_check(ngx_conf_t *cf, ngx_gate_t *gate);
static char *ngx_gate_conf_check_type(ngx_conf_t *cf, ngx_str_t *name,
    ngx_gate_check_type_t **type);
static char *ngx_gate_conf_interval(ngx_conf_t *cf, ngx_gate_t *gate);
static char *ngx_gate_conf_timeout(ngx_conf_t *cf, ngx_gate_t *gate);
static char *ngx_gate_conf_backoff(ngx_conf_t *cf, ngx_gate_t *gate);
static char *ngx_gate_conf_latch(ngx_conf_t *cf, ngx_gate_t *gate);
static char *ngx_gate_conf_rise(ngx_conf_t *cf, ngx_gate_t *gate);
static char *ngx_gate_conf_fall(ngx_conf_t *cf, ngx_gate_t *gate);
static char *ngx_gate_conf_deadline(ngx_conf_t *cf, ngx_gate_t *gate);
static char *ngx_gate_conf_trigger(ngx_conf_t *cf, ngx_gate_t *gate);
static char *ngx_gate_conf_time(ngx_conf_t *cf, ngx_uint_t i,
    ngx_msec_t *value);
static char *ngx_gate_conf_count(ngx_conf_t *cf, ngx_uint_t *value);
static void ngx_gate_conf_defaults(ngx_gate_t *gate);
static char *ngx_gate_conf_after(ngx_conf_t *cf, ngx_gate_t *gate);


static ngx_gate_directive_t  ngx_gate_directives[] = {

    { ngx_string("check"), 2, NGX_GATE_NONE, ngx_gate_conf_check },
    { ngx_string("interval"), 1, 2, ngx_gate_conf_interval },
    { ngx_string("timeout"), 1, 1, ngx_gate_conf_timeout },
    { ngx_string("backoff"), 1, 1, ngx_gate_conf_backoff },
    { ngx_string("latch"), 1, 1, ngx_gate_conf_latch },
    { ngx_string("rise"), 1, 1, ngx_gate_conf_rise },
    { ngx_string("fall"), 1, 1, ngx_gate_conf_fall },
    { ngx_string("deadline"), 1, 2, ngx_gate_conf_deadline },
    { ngx_string("trigger"), 1, NGX_GATE_NONE, ngx_gate_conf_trigger },

    { ngx_null_string, 0, 0, NULL }
};


/* the table of types: a new one is one line here */

static ngx_gate_check_type_t  *ngx_gate_check_types[] = {
    &ngx_gate_check_file,
#if (NGX_GATE_POSTGRES)
    &ngx_gate_check_postgres,
#endif
#if (NGX_GATE_REDIS)
    &ngx_gate_check_redis,
#endif
    &ngx_gate_check_http,
    &ngx_gate_check_tcp,
    NULL
};


ngx_int_t
ngx_gate_conf_init(ngx_conf_t *cf, ngx_gate_conf_t *conf)
{
    ngx_md5_init(&conf->md5);

    return ngx_array_init(&conf->gates, cf->pool, 4, sizeof(ngx_gate_t));
}


char *
ngx_gate_conf_block(ngx_conf_t *cf, ngx_gate_conf_t *conf)
{
    char                 *rv;
    ngx_str_t            *value;
    ngx_conf_t            save;
    ngx_gate_t           *gate;
    ngx_gate_conf_ctx_t   ctx;

    value = cf->args->elts;

    if (value[1].len == 0 || !ngx_gate_param_is_name(&value[1])
        || ngx_strcmp(value[1].data, "off") == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" of init_checks: letters, "
                           "digits, \"_\", \"-\" and \".\" are allowed, "
                           "%d at most, and not \"off\"",
                           &value[1], NGX_GATE_NAME_MAX);
        return NGX_CONF_ERROR;
    }

    if (ngx_strcmp(value[1].data, "off") == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"off\" of init_checks: "
                           "\"init_gate off\" is something else");
        return NGX_CONF_ERROR;
    }

    if (ngx_gate_conf_find(conf, &value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate init_checks \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    gate = ngx_array_push(&conf->gates);
    if (gate == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(gate, sizeof(ngx_gate_t));

    gate->name = value[1];
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
        return NGX_CONF_ERROR;
    }

    ngx_md5_update(&conf->md5, value[1].data, value[1].len);
    ngx_md5_update(&conf->md5, "{", 1);

    ctx.conf = conf;
    ctx.gate = gate;

    save = *cf;
    cf->handler = ngx_gate_conf_line;
    cf->handler_conf = (void *) &ctx;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (gate->checks.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no check in init_checks \"%V\"", &gate->name);
        return NGX_CONF_ERROR;
    }

    ngx_gate_conf_defaults(gate);

    return ngx_gate_conf_after(cf, gate);
}


static char *
ngx_gate_conf_line(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    char                  *rv;
    ngx_str_t             *value;
    ngx_uint_t             i, n;
    ngx_gate_conf_ctx_t   *ctx;
    ngx_gate_directive_t  *directive;

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

    for (directive = ngx_gate_directives; directive->set; directive++) {

        if (directive->name.len != value[0].len
            || ngx_strcmp(directive->name.data, value[0].data) != 0)
        {
            continue;
        }

        if (n < directive->min || n > directive->max) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid number of arguments in \"%V\" "
                               "directive of init_checks \"%V\"",
                               &value[0], &ctx->gate->name);
            return NGX_CONF_ERROR;
        }

        rv = directive->set(cf, ctx->gate);

        if (rv == NGX_CONF_OK || rv == NGX_CONF_ERROR) {
            return rv;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" directive %s",
                           &value[0], rv);
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown directive \"%V\" in init_checks \"%V\": "
                       "check, interval, timeout, backoff, latch, rise, fall, "
                       "deadline and trigger are allowed",
                       &value[0], &ctx->gate->name);

    return NGX_CONF_ERROR;
}


static char *
ngx_gate_conf_check(ngx_conf_t *cf, ngx_gate_t *gate)
{
    ngx_str_t         *value;
    ngx_uint_t         i;
    ngx_gate_check_t  *check;

    value = cf->args->elts;

    check = ngx_array_push(&gate->checks);
    if (check == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(check, sizeof(ngx_gate_check_t));

    check->index = gate->checks.nelts - 1;
    check->target = value[2];
    check->after = NGX_GATE_NONE;

    if (ngx_gate_conf_check_type(cf, &value[1], &check->type)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    check->conf = ngx_pcalloc(cf->pool, check->type->conf_size);
    if (check->conf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_gate_params_parse(cf, check, &value[3], cf->args->nelts - 3)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < check->index; i++) {

        if (ngx_gate_check_at(gate, i)->name.len == check->name.len
            && ngx_memcmp(ngx_gate_check_at(gate, i)->name.data,
                          check->name.data, check->name.len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate check \"%V\" in init_checks "
                               "\"%V\": give each a name of its own by "
                               "\"name=\"", &check->name, &gate->name);
            return NGX_CONF_ERROR;
        }
    }

    if (gate->checks.nelts > NGX_GATE_CHECKS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %d checks in init_checks \"%V\"",
                           NGX_GATE_CHECKS_MAX, &gate->name);
        return NGX_CONF_ERROR;
    }

    return check->type->parse(cf, check);
}


static char *
ngx_gate_conf_check_type(ngx_conf_t *cf, ngx_str_t *name,
    ngx_gate_check_type_t **type)
{
    ngx_str_t   hidden;
    ngx_uint_t  i;

    for (i = 0; ngx_gate_check_types[i]; i++) {

        *type = ngx_gate_check_types[i];

        if ((*type)->name.len == name->len
            && ngx_strncmp((*type)->name.data, name->data, name->len) == 0)
        {
            return NGX_CONF_OK;
        }
    }

#if !(NGX_GATE_POSTGRES)
    if (ngx_strcmp(name->data, "postgres") == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "check type \"postgres\" is not available: this "
                           "module was built without libpq");
        return NGX_CONF_ERROR;
    }
#endif

#if !(NGX_GATE_REDIS)
    if (ngx_strcmp(name->data, "redis") == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "check type \"redis\" is not available: this "
                           "module was built without hiredis");
        return NGX_CONF_ERROR;
    }
#endif

    /* where the type was forgotten, it may be a URL with a password */

    ngx_str_set(&hidden, "...");

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown check type \"%V\": file, postgres, redis, "
                       "http and tcp are allowed",
                       strpbrk((char *) name->data, ":@=") ? &hidden : name);

    return NGX_CONF_ERROR;
}


static char *
ngx_gate_conf_interval(ngx_conf_t *cf, ngx_gate_t *gate)
{
    if (gate->interval != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    if (ngx_gate_conf_time(cf, 1, &gate->interval) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        gate->interval_open = gate->interval * NGX_GATE_INTERVAL_OPEN;
        return NGX_CONF_OK;
    }

    return ngx_gate_conf_time(cf, 2, &gate->interval_open);
}


static char *
ngx_gate_conf_timeout(ngx_conf_t *cf, ngx_gate_t *gate)
{
    if (gate->timeout != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    return ngx_gate_conf_time(cf, 1, &gate->timeout);
}


static char *
ngx_gate_conf_backoff(ngx_conf_t *cf, ngx_gate_t *gate)
{
    if (gate->backoff != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    return ngx_gate_conf_time(cf, 1, &gate->backoff);
}


static char *
ngx_gate_conf_latch(ngx_conf_t *cf, ngx_gate_t *gate)
{
    ngx_str_t  *value;

    if (gate->latch != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        gate->latch = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "off") == 0) {
        gate->latch = 0;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"latch\" directive: "
                       "it must be \"on\" or \"off\"", &value[1]);

    return NGX_CONF_ERROR;
}


static char *
ngx_gate_conf_rise(ngx_conf_t *cf, ngx_gate_t *gate)
{
    return ngx_gate_conf_count(cf, &gate->rise);
}


static char *
ngx_gate_conf_fall(ngx_conf_t *cf, ngx_gate_t *gate)
{
    return ngx_gate_conf_count(cf, &gate->fall);
}


static char *
ngx_gate_conf_deadline(ngx_conf_t *cf, ngx_gate_t *gate)
{
    ngx_str_t  *value;

    if (gate->deadline != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    if (ngx_gate_conf_time(cf, 1, &gate->deadline) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[2].data, "open") == 0) {
        gate->deadline_open = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[2].data, "closed") == 0) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"deadline\" directive: "
                       "it must be \"open\" or \"closed\"", &value[2]);

    return NGX_CONF_ERROR;
}


/* a trigger is an http check that is run by other rules */

static char *
ngx_gate_conf_trigger(ngx_conf_t *cf, ngx_gate_t *gate)
{
    ngx_str_t         *value, *words;
    ngx_uint_t         i, n, on;
    ngx_gate_check_t  *check;

    if (gate->trigger) {
        return "is duplicate";
    }

    value = cf->args->elts;

    check = ngx_pcalloc(cf->pool, sizeof(ngx_gate_check_t));
    words = ngx_palloc(cf->pool, cf->args->nelts * sizeof(ngx_str_t));

    if (check == NULL || words == NULL) {
        return NGX_CONF_ERROR;
    }

    check->type = &ngx_gate_check_http;
    check->target = value[1];
    check->after = NGX_GATE_NONE;
    check->trigger = 1;

    check->conf = ngx_pcalloc(cf->pool, check->type->conf_size);
    if (check->conf == NULL) {
        return NGX_CONF_ERROR;
    }

    n = 0;
    on = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "on=", 3) != 0) {
            words[n++] = value[i];
            continue;
        }

        if (on++) {
            return "has a duplicate parameter \"on=\"";
        }

        if (ngx_strcmp(value[i].data + 3, "request") == 0) {
            gate->trigger_on_request = 1;

        } else if (ngx_strcmp(value[i].data + 3, "start") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"trigger\" "
                               "directive: it must be \"on=start\" or "
                               "\"on=request\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_gate_params_parse(cf, check, words, n) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (check->optional || check->after_name.len || check->interval
        || check->name.data != check->type->name.data)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"name=\", \"after=\", \"interval=\" and "
                           "\"optional\" are not allowed in \"trigger\" "
                           "directive");
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&check->name, "trigger");

    gate->trigger = check;

    return check->type->parse(cf, check);
}


static char *
ngx_gate_conf_time(ngx_conf_t *cf, ngx_uint_t i, ngx_msec_t *value)
{
    ngx_int_t   ms;
    ngx_str_t  *args;

    args = cf->args->elts;

    ms = ngx_parse_time(&args[i], 0);

    if (ms == NGX_ERROR || ms == 0 || ms > NGX_MAX_INT32_VALUE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\" in \"%V\" directive: it must "
                           "be above 0, as in 500ms, 5s, 2m or 1h",
                           &args[i], &args[0]);
        return NGX_CONF_ERROR;
    }

    *value = (ngx_msec_t) ms;

    return NGX_CONF_OK;
}


static char *
ngx_gate_conf_count(ngx_conf_t *cf, ngx_uint_t *value)
{
    ngx_int_t   n;
    ngx_str_t  *args;

    if (*value != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    args = cf->args->elts;

    n = ngx_atoi(args[1].data, args[1].len);

    if (n == NGX_ERROR || n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number \"%V\" in \"%V\" directive: "
                           "it must be at least 1", &args[1], &args[0]);
        return NGX_CONF_ERROR;
    }

    *value = (ngx_uint_t) n;

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
            check->interval_open = check->interval * NGX_GATE_INTERVAL_OPEN;

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


static char *
ngx_gate_conf_after(ngx_conf_t *cf, ngx_gate_t *gate)
{
    ngx_uint_t         i, n, steps;
    ngx_gate_check_t  *check, *other;

    for (i = 0; i < gate->checks.nelts; i++) {
        check = ngx_gate_check_at(gate, i);

        if (check->after_name.len == 0) {
            continue;
        }

        for (n = 0; n < gate->checks.nelts; n++) {
            other = ngx_gate_check_at(gate, n);

            if (other->name.len == check->after_name.len
                && ngx_memcmp(other->name.data, check->after_name.data,
                              other->name.len) == 0)
            {
                check->after = n;
                break;
            }
        }

        if (check->after == NGX_GATE_NONE) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "check \"%V\" of init_checks \"%V\" is to "
                               "run \"after=%V\", but there is no such check",
                               &check->name, &gate->name, &check->after_name);
            return NGX_CONF_ERROR;
        }
    }

    for (i = 0; i < gate->checks.nelts; i++) {

        check = ngx_gate_check_at(gate, i);

        for (n = check->after, steps = 0;
             n != NGX_GATE_NONE && steps <= gate->checks.nelts;
             n = ngx_gate_check_at(gate, n)->after, steps++)
        {
            if (n != i) {
                continue;
            }

            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "check \"%V\" of init_checks \"%V\" would "
                               "wait for itself by \"after=%V\"",
                               &check->name, &gate->name, &check->after_name);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* the array of gates no longer moves */

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

        if (gate[i].name.len == name->len
            && ngx_memcmp(gate[i].name.data, name->data, name->len) == 0)
        {
            return &gate[i];
        }
    }

    return NULL;
}
