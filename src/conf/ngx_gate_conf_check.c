
/*
 * The lines of an init_checks block that are checks, its trigger included;
 * see ngx_gate_conf.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_conf.h>
#include <ngx_gate_param.h>


#define NGX_GATE_CONF_CHECKS_MAX  10000


static char *ngx_gate_conf_check_type(ngx_conf_t *cf, ngx_str_t *name,
    ngx_gate_check_type_t **type);
static ngx_uint_t ngx_gate_conf_check_find(ngx_gate_t *gate, ngx_str_t *name);
static char *ngx_gate_conf_check_trigger_on(ngx_conf_t *cf, ngx_gate_t *gate,
    ngx_str_t *words, ngx_uint_t *n);
static ngx_uint_t ngx_gate_conf_check_is_cycle(ngx_gate_t *gate, ngx_uint_t i);


/* the table of types: a new one is one line here */

static ngx_gate_check_type_t  *ngx_gate_conf_check_types[] = {
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


char *
ngx_gate_conf_check_add(ngx_conf_t *cf, ngx_gate_t *gate)
{
    ngx_str_t         *value;
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
    check->file = cf->conf_file->file.name;
    check->line = cf->conf_file->line;

    if (ngx_gate_conf_check_type(cf, &value[1], &check->type)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    check->conf = ngx_pcalloc(cf->pool, check->type->conf_size);
    if (check->conf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_gate_param_parse_all(cf, check, &value[3], cf->args->nelts - 3)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_gate_conf_check_find(gate, &check->name) != check->index) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate check \"%V\" in init_checks \"%V\": "
                           "give each a name of its own by \"name=\"",
                           &check->name, &gate->name);
        return NGX_CONF_ERROR;
    }

    if (gate->checks.nelts > NGX_GATE_CONF_CHECKS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %d checks in init_checks \"%V\"",
                           NGX_GATE_CONF_CHECKS_MAX, &gate->name);
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

    for (i = 0; ngx_gate_conf_check_types[i]; i++) {

        *type = ngx_gate_conf_check_types[i];

        if (ngx_gate_str_eq(&(*type)->name, name)) {
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


/* the first one of this name */

static ngx_uint_t
ngx_gate_conf_check_find(ngx_gate_t *gate, ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < gate->checks.nelts; i++) {
        if (ngx_gate_str_eq(&ngx_gate_check_at(gate, i)->name, name)) {
            return i;
        }
    }

    return NGX_GATE_NONE;
}


/* a trigger is an http check that is run by other rules */

char *
ngx_gate_conf_check_add_trigger(ngx_conf_t *cf, ngx_gate_t *gate)
{
    char              *rv;
    ngx_str_t         *value, *words;
    ngx_uint_t         n;
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

    rv = ngx_gate_conf_check_trigger_on(cf, gate, words, &n);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ngx_gate_param_parse_all(cf, check, words, n) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&check->name, "trigger");

    gate->trigger = check;

    return check->type->parse(cf, check);
}


/* its own parameter; words are those of the http check */

static char *
ngx_gate_conf_check_trigger_on(ngx_conf_t *cf, ngx_gate_t *gate,
    ngx_str_t *words, ngx_uint_t *n)
{
    ngx_str_t   *value;
    ngx_uint_t   i, on;

    value = cf->args->elts;

    on = 0;
    *n = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "on=", 3) != 0) {
            words[(*n)++] = value[i];
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

    return NGX_CONF_OK;
}


/* a check may wait for one that stands further down */

char *
ngx_gate_conf_check_after(ngx_conf_t *cf, ngx_gate_t *gate)
{
    ngx_uint_t         i;
    ngx_gate_check_t  *check;

    for (i = 0; i < gate->checks.nelts; i++) {
        check = ngx_gate_check_at(gate, i);

        if (check->after_name.len == 0) {
            continue;
        }

        check->after = ngx_gate_conf_check_find(gate, &check->after_name);

        if (check->after == NGX_GATE_NONE) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "check \"%V\" of init_checks \"%V\" is to run "
                          "\"after=%V\", but there is no such check in "
                          "%V:%ui", &check->name, &gate->name,
                          &check->after_name, &check->file, check->line);
            return NGX_CONF_ERROR;
        }
    }

    for (i = 0; i < gate->checks.nelts; i++) {
        check = ngx_gate_check_at(gate, i);

        if (ngx_gate_conf_check_is_cycle(gate, i)) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "check \"%V\" of init_checks \"%V\" would wait for "
                          "itself by \"after=%V\" in %V:%ui", &check->name,
                          &gate->name, &check->after_name, &check->file,
                          check->line);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_gate_conf_check_is_cycle(ngx_gate_t *gate, ngx_uint_t i)
{
    ngx_uint_t  n, steps;

    n = i;

    /* a chain that leads into a cycle of others has no end, either */

    for (steps = 0; steps <= gate->checks.nelts; steps++) {

        n = ngx_gate_check_at(gate, n)->after;

        if (n == NGX_GATE_NONE || n == i) {
            break;
        }
    }

    return n == i;
}
