
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Parsing of checks and triggers in an init_checks block; see
 * ngx_gate_conf.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_conf.h>
#include <ngx_gate_param.h>
#include <ngx_gate_word.h>


#define NGX_GATE_CONF_CHECKS_MAX   10000

#define NGX_GATE_CONF_CHECK_BEGUN  1
#define NGX_GATE_CONF_CHECK_DONE   2


static ngx_gate_check_type_t *ngx_gate_conf_check_type(ngx_conf_t *cf,
    ngx_gate_conf_t *conf, ngx_gate_t *gate, ngx_str_t *name);
static void ngx_gate_conf_check_unknown_type(ngx_conf_t *cf,
    ngx_gate_conf_t *conf, ngx_gate_t *gate, ngx_str_t *name);
static ngx_uint_t ngx_gate_conf_check_find(ngx_gate_t *gate, ngx_str_t *name);
static char *ngx_gate_conf_check_trigger_on(ngx_conf_t *cf, ngx_gate_t *gate,
    ngx_str_t *words, ngx_uint_t *n);
static char *ngx_gate_conf_check_resolve(ngx_conf_t *cf, ngx_gate_t *gate,
    ngx_gate_check_t *check);
static ngx_uint_t ngx_gate_conf_check_find_cycle(ngx_gate_t *gate,
    ngx_uint_t i, u_char *seen);


char *
ngx_gate_conf_check_add(ngx_conf_t *cf, ngx_gate_conf_t *conf,
    ngx_gate_t *gate)
{
    ngx_str_t         *value;
    ngx_gate_check_t  *check;

    value = cf->args->elts;

    check = ngx_array_push(&gate->checks);
    if (check == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(check, sizeof(ngx_gate_check_t));

    /* temporary: gates move when one is added; see ngx_gate_conf_done() */

    check->gate = gate;
    check->index = gate->checks.nelts - 1;
    check->target = value[2];
    check->file = cf->conf_file->file.name;
    check->line = cf->conf_file->line;

    check->type = ngx_gate_conf_check_type(cf, conf, gate, &value[1]);
    if (check->type == NULL) {
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


static ngx_gate_check_type_t *
ngx_gate_conf_check_type(ngx_conf_t *cf, ngx_gate_conf_t *conf,
    ngx_gate_t *gate, ngx_str_t *name)
{
    ngx_gate_conf_type_t  *row;

    for (row = conf->types; row->name.len; row++) {

        if (!ngx_gate_str_eq(&row->name, name)) {
            continue;
        }

        if (row->type == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "check type \"%V\" is not available in "
                               "init_checks \"%V\": this module was built "
                               "without %s", name, &gate->name, row->library);
        }

        return row->type;
    }

    ngx_gate_conf_check_unknown_type(cf, conf, gate, name);

    return NULL;
}


static void
ngx_gate_conf_check_unknown_type(ngx_conf_t *cf, ngx_gate_conf_t *conf,
    ngx_gate_t *gate, ngx_str_t *name)
{
    u_char                *p, *last, names[NGX_MAX_CONF_ERRSTR / 2];
    ngx_str_t              hidden;
    ngx_gate_word_t        w;
    ngx_gate_conf_type_t  *row;

    ngx_gate_word_init(&w, name);

    p = names;
    last = names + sizeof(names);

    for (row = conf->types; row->name.len; row++) {
        ngx_gate_word_try(&w, &row->name);

        p = ngx_slprintf(p, last, "%s%V",
                         row == conf->types ? ""
                         : row[1].name.len ? ", " : " and ", &row->name);
    }

    /* if the type is missing, this may be a URL with a password */

    if (strpbrk((char *) name->data, ":@=")) {
        ngx_str_set(&hidden, "...");
        name = &hidden;
        w.nearest = NULL;
    }

    if (w.nearest) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown check type \"%V\" (did you mean \"%V\"?) "
                           "in init_checks \"%V\"", name, w.nearest,
                           &gate->name);
        return;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown check type \"%V\" in init_checks \"%V\": "
                       "%*s are allowed, as in \"check TYPE TARGET\"", name,
                       &gate->name, (size_t) (p - names), names);
}


/* the index of the first check with this name */

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


/* a trigger is an http check that is scheduled differently */

char *
ngx_gate_conf_check_add_trigger(ngx_conf_t *cf, ngx_gate_conf_t *conf,
    ngx_gate_t *gate)
{
    char              *rv;
    ngx_str_t         *value, *words;
    ngx_uint_t         n;
    ngx_gate_check_t  *check;

    static ngx_str_t  http = ngx_string("http");

    if (gate->trigger) {
        return "is duplicate";
    }

    value = cf->args->elts;

    check = ngx_pcalloc(cf->pool, sizeof(ngx_gate_check_t));
    words = ngx_palloc(cf->pool, cf->args->nelts * sizeof(ngx_str_t));

    if (check == NULL || words == NULL) {
        return NGX_CONF_ERROR;
    }

    check->type = ngx_gate_conf_check_type(cf, conf, gate, &http);
    if (check->type == NULL) {
        return NGX_CONF_ERROR;
    }

    check->gate = gate;
    check->target = value[1];
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


/* parses "on=", the parameter of a trigger; the rest are those of http */

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
                               "directive of init_checks \"%V\": it must be "
                               "\"on=start\" or \"on=request\"", &value[i],
                               &gate->name);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* "after=" may name a check that is defined later */

char *
ngx_gate_conf_check_after(ngx_conf_t *cf, ngx_gate_t *gate)
{
    u_char            *seen;
    ngx_uint_t         i, n;
    ngx_gate_check_t  *check;

    for (i = 0; i < gate->checks.nelts; i++) {
        check = ngx_gate_check_at(gate, i);

        if (check->after_names
            && ngx_gate_conf_check_resolve(cf, gate, check) != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    seen = ngx_pcalloc(cf->temp_pool, gate->checks.nelts);
    if (seen == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < gate->checks.nelts; i++) {
        n = ngx_gate_conf_check_find_cycle(gate, i, seen);

        if (n != NGX_GATE_NONE) {
            check = ngx_gate_check_at(gate, n);

            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "check \"%V\" of init_checks \"%V\" depends on "
                          "itself by \"after=\" in %V:%ui", &check->name,
                          &gate->name, &check->file, check->line);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_gate_conf_check_resolve(ngx_conf_t *cf, ngx_gate_t *gate,
    ngx_gate_check_t *check)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    name = check->after_names->elts;

    check->after = ngx_palloc(cf->pool, check->after_names->nelts
                                        * sizeof(ngx_uint_t));
    if (check->after == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < check->after_names->nelts; i++) {
        check->after[i] = ngx_gate_conf_check_find(gate, &name[i]);

        if (check->after[i] == NGX_GATE_NONE) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "check \"%V\" of init_checks \"%V\" is to run "
                          "\"after=%V\", but there is no such check in "
                          "%V:%ui", &check->name, &gate->name, &name[i],
                          &check->file, check->line);
            return NGX_CONF_ERROR;
        }
    }

    check->nafter = check->after_names->nelts;

    return NGX_CONF_OK;
}


/* the first check found that depends on itself, starting at check i */

static ngx_uint_t
ngx_gate_conf_check_find_cycle(ngx_gate_t *gate, ngx_uint_t i, u_char *seen)
{
    ngx_uint_t         k, n;
    ngx_gate_check_t  *check;

    if (seen[i] == NGX_GATE_CONF_CHECK_DONE) {
        return NGX_GATE_NONE;
    }

    if (seen[i] == NGX_GATE_CONF_CHECK_BEGUN) {
        return i;
    }

    seen[i] = NGX_GATE_CONF_CHECK_BEGUN;

    check = ngx_gate_check_at(gate, i);

    for (n = 0; n < check->nafter; n++) {
        k = ngx_gate_conf_check_find_cycle(gate, check->after[n], seen);

        if (k != NGX_GATE_NONE) {
            return k;
        }
    }

    seen[i] = NGX_GATE_CONF_CHECK_DONE;

    return NGX_GATE_NONE;
}
