
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The directives of servers and locations.
 */


#include <ngx_http_gate.h>
#include <ngx_gate_mistake.h>
#include <ngx_gate_word.h>


static ngx_int_t ngx_http_gate_conf_add_mark(ngx_conf_t *cf,
    ngx_http_gate_loc_conf_t *glcf);
static ngx_int_t ngx_http_gate_conf_status_param(
    ngx_http_gate_loc_conf_t *glcf, ngx_str_t *word);
static void ngx_http_gate_conf_set_handler(ngx_conf_t *cf,
    ngx_http_gate_loc_conf_t *glcf, const char *directive,
    ngx_http_handler_pt handler);
static char *ngx_http_gate_conf_post(ngx_conf_t *cf,
    ngx_http_gate_loc_conf_t *glcf, const char *directive,
    ngx_http_handler_pt handler);
static ngx_http_gate_list_t *ngx_http_gate_conf_create_list(ngx_conf_t *cf);
static ngx_int_t ngx_http_gate_conf_add_name(ngx_http_gate_list_t *list,
    ngx_str_t *name);
static ngx_int_t ngx_http_gate_conf_resolve_list(ngx_conf_t *cf,
    ngx_http_gate_main_conf_t *gmcf, ngx_http_gate_list_t *list);
static ngx_int_t ngx_http_gate_conf_resolve_names(
    ngx_http_gate_main_conf_t *gmcf, ngx_http_gate_list_t *list,
    ngx_log_t *log);
static void ngx_http_gate_conf_unknown_name(ngx_http_gate_main_conf_t *gmcf,
    ngx_http_gate_list_t *list, ngx_str_t *name, ngx_log_t *log);


static ngx_conf_enum_t  ngx_http_gate_conf_responses[] = {
    { ngx_string("auto"), NGX_HTTP_GATE_RESPONSE_AUTO },
    { ngx_string("json"), NGX_HTTP_GATE_RESPONSE_JSON },
    { ngx_string("html"), NGX_HTTP_GATE_RESPONSE_HTML },
    { ngx_string("off"), NGX_HTTP_GATE_RESPONSE_OFF },
    { ngx_null_string, 0 }
};


ngx_conf_enum_t  ngx_http_gate_conf_formats[] = {
    { ngx_string("auto"), NGX_HTTP_GATE_FORMAT_AUTO },
    { ngx_string("json"), NGX_HTTP_GATE_FORMAT_JSON },
    { ngx_string("html"), NGX_HTTP_GATE_FORMAT_HTML },
    { ngx_string("prometheus"), NGX_HTTP_GATE_FORMAT_PROMETHEUS },
    { ngx_null_string, 0 }
};


char *
ngx_http_gate_conf_init_gate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gate_loc_conf_t *glcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (glcf->gate_list) {
        return "is duplicate";
    }

    glcf->gate_list = ngx_http_gate_conf_create_list(cf);
    if (glcf->gate_list == NULL) {
        return NGX_CONF_ERROR;
    }

    /* shared with locations, and filled in by ngx_http_gate_conf_resolve() */

    glcf->gate_list->gates = ngx_pcalloc(cf->pool, cf->args->nelts
                                                   * sizeof(ngx_gate_t *));
    if (glcf->gate_list->gates == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "off") == 0) {

            if (cf->args->nelts == 2) {
                return NGX_CONF_OK;
            }

            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"off\" is allowed in \"init_gate\" "
                               "directive only alone");
            return NGX_CONF_ERROR;
        }

        if (ngx_strchr(value[i].data, '$')) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid name \"%V\" in \"init_gate\" "
                               "directive: variables are not supported",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        if (ngx_http_gate_conf_add_name(glcf->gate_list, &value[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_gate_conf_init_hold(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gate_loc_conf_t *glcf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (glcf->hold != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {

        if (cf->args->nelts == 2) {
            glcf->hold = 0;
            glcf->hold_max = 0;
            return NGX_CONF_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"init_hold\" "
                           "directive: \"off\" is allowed only alone",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    n = ngx_parse_time(&value[1], 0);

    if (n == NGX_ERROR || n == 0 || n > NGX_MAX_INT32_VALUE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"init_hold\" directive: "
                           "it must be \"off\", or a time above 0, as in "
                           "500ms, 5s or 1m", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_gate_conf_add_mark(cf, glcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    glcf->hold = (ngx_msec_t) n;
    glcf->hold_max = 0;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[2].data, "max=", 4) == 0) {
        n = ngx_atoi(value[2].data + 4, value[2].len - 4);

        if (n > 0) {
            glcf->hold_max = (ngx_uint_t) n;
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"init_hold\" directive: "
                       "\"max=\" and a number of at least 1 is allowed",
                       &value[2]);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_gate_conf_add_mark(ngx_conf_t *cf, ngx_http_gate_loc_conf_t *glcf)
{
    ngx_http_gate_mark_t       **slot;
    ngx_http_gate_main_conf_t   *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_init_gate_module);

    slot = ngx_array_push(&gmcf->holds);
    if (slot == NULL) {
        return NGX_ERROR;
    }

    *slot = ngx_pcalloc(cf->pool, sizeof(ngx_http_gate_mark_t));
    if (*slot == NULL) {
        return NGX_ERROR;
    }

    (*slot)->file = cf->conf_file->file.name;
    (*slot)->line = cf->conf_file->line;

    glcf->hold_mark = *slot;

    return NGX_OK;
}


/* as ngx_conf_set_enum_slot(), but logs the allowed values */

char *
ngx_http_gate_conf_init_response(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gate_loc_conf_t *glcf = conf;

    ngx_str_t        *value;
    ngx_conf_enum_t  *e;

    if (glcf->response != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (e = ngx_http_gate_conf_responses; e->name.len; e++) {
        if (ngx_strcmp(value[1].data, e->name.data) == 0) {
            glcf->response = e->value;
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"init_response\" "
                       "directive: it must be \"auto\", \"json\", \"html\" "
                       "or \"off\"", &value[1]);

    return NGX_CONF_ERROR;
}


char *
ngx_http_gate_conf_init_retry_after(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_gate_loc_conf_t *glcf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (glcf->retry_after != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "auto") == 0) {
        glcf->retry_after = NGX_HTTP_GATE_RETRY_AUTO;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "off") == 0) {
        glcf->retry_after = NGX_HTTP_GATE_RETRY_OFF;
        return NGX_CONF_OK;
    }

    n = ngx_parse_time(&value[1], 1);

    if (n == NGX_ERROR || n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"init_retry_after\" "
                           "directive: it must be \"auto\", \"off\", or a "
                           "time in whole seconds above 0, as in 10s or 1m",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    glcf->retry_after = (time_t) n;

    return NGX_CONF_OK;
}


char *
ngx_http_gate_conf_init_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gate_loc_conf_t *glcf = conf;

    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (glcf->status_list) {
        return "is duplicate, or conflicts with \"init_ready\"";
    }

    if (glcf->post) {
        return "is beside \"init_notify\" or \"init_control\"";
    }

    glcf->status_list = ngx_http_gate_conf_create_list(cf);
    if (glcf->status_list == NULL) {
        return NGX_CONF_ERROR;
    }

    glcf->status_list->shows = 1;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strchr(value[i].data, '=')) {
            rc = ngx_http_gate_conf_status_param(glcf, &value[i]);

        } else {
            rc = ngx_http_gate_conf_add_name(glcf->status_list, &value[i]);
        }

        if (rc == NGX_DECLINED) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"init_status\" "
                               "directive: names of gates, \"format=auto\", "
                               "\"format=json\", \"format=html\", "
                               "\"format=prometheus\", \"details=on\" and "
                               "\"details=off\" are allowed, once each",
                               &value[i]);
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    ngx_http_gate_conf_set_handler(cf, glcf, "init_status",
                                   ngx_http_gate_status_handler);

    return NGX_CONF_OK;
}


/* nginx lets the last directive of a location answer */

static void
ngx_http_gate_conf_set_handler(ngx_conf_t *cf, ngx_http_gate_loc_conf_t *glcf,
    const char *directive, ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%s\" replaces another directive of this location "
                           "that answers requests", directive);
    }

    clcf->handler = handler;
    glcf->handler = handler;
}


/* NGX_DECLINED: unknown parameter, or already given */

static ngx_int_t
ngx_http_gate_conf_status_param(ngx_http_gate_loc_conf_t *glcf, ngx_str_t *word)
{
    ngx_conf_enum_t  *e;

    if (ngx_strncmp(word->data, "details=", 8) == 0) {

        if (glcf->details != NGX_CONF_UNSET) {
            return NGX_DECLINED;
        }

        if (ngx_strcmp(word->data + 8, "on") == 0) {
            glcf->details = 1;
            return NGX_OK;
        }

        if (ngx_strcmp(word->data + 8, "off") == 0) {
            glcf->details = 0;
            return NGX_OK;
        }

        return NGX_DECLINED;
    }

    if (ngx_strncmp(word->data, "format=", 7) != 0
        || glcf->format != NGX_CONF_UNSET_UINT)
    {
        return NGX_DECLINED;
    }

    for (e = ngx_http_gate_conf_formats; e->name.len; e++) {
        if (ngx_strcmp(word->data + 7, e->name.data) == 0) {
            glcf->format = e->value;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


char *
ngx_http_gate_conf_init_ready(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gate_loc_conf_t *glcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (glcf->status_list) {
        return "is duplicate, or conflicts with \"init_status\"";
    }

    if (glcf->post) {
        return "is beside \"init_notify\" or \"init_control\"";
    }

    glcf->status_list = ngx_http_gate_conf_create_list(cf);
    if (glcf->status_list == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strchr(value[i].data, '=')) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"init_ready\" "
                               "directive: names of gates are allowed",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        if (ngx_http_gate_conf_add_name(glcf->status_list, &value[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    ngx_http_gate_conf_set_handler(cf, glcf, "init_ready",
                                   ngx_http_gate_ready_handler);

    return NGX_CONF_OK;
}


char *
ngx_http_gate_conf_init_notify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_gate_conf_post(cf, conf, "init_notify",
                                   ngx_http_gate_notify_handler);
}


char *
ngx_http_gate_conf_init_control(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_gate_conf_post(cf, conf, "init_control",
                                   ngx_http_gate_control_handler);
}


ngx_uint_t
ngx_http_gate_conf_has_post(ngx_http_gate_main_conf_t *gmcf,
    const char *directive)
{
    ngx_uint_t                   i;
    ngx_http_gate_post_conf_t  **post;

    post = gmcf->posts.elts;

    for (i = 0; i < gmcf->posts.nelts; i++) {
        if (ngx_strcmp(post[i]->directive, directive) == 0) {
            return 1;
        }
    }

    return 0;
}


/* the path is examined at merge, when the kind of the location is known */

static char *
ngx_http_gate_conf_post(ngx_conf_t *cf, ngx_http_gate_loc_conf_t *glcf,
    const char *directive, ngx_http_handler_pt handler)
{
    ngx_str_t                   *value, path;
    ngx_http_gate_main_conf_t   *gmcf;
    ngx_http_gate_post_conf_t   *post, **slot;

    if (glcf->status_list || glcf->post) {
        return "is duplicate, or beside another directive that answers "
               "requests";
    }

    value = cf->args->elts;

    if (cf->args->nelts != 2) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of arguments in \"%s\" directive, "
                           "it is \"%s token_file=PATH\"", directive,
                           directive);
        return NGX_CONF_ERROR;
    }

    if (ngx_strncmp(value[1].data, "token_file=", 11) != 0
        || value[1].len == 11)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"%s\" directive: it "
                           "must be \"token_file=\" and a path", &value[1],
                           directive);
        return NGX_CONF_ERROR;
    }

    path.data = value[1].data + 11;
    path.len = value[1].len - 11;

    if (ngx_gate_mistake_is_quoted(&path)) {
        path.data++;
        path.len -= 2;

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter in \"%s\" directive: write "
                           "\"token_file=%V\", not token_file=\"%V\"",
                           directive, &path, &path);
        return NGX_CONF_ERROR;
    }

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_init_gate_module);

    post = ngx_pcalloc(cf->pool, sizeof(ngx_http_gate_post_conf_t));
    slot = ngx_array_push(&gmcf->posts);

    if (post == NULL || slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = post;

    post->directive = directive;
    post->file = cf->conf_file->file.name;
    post->line = cf->conf_file->line;

    post->token_file = path;

    if (ngx_conf_full_name(cf->cycle, &post->token_file, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_gate_conf_set_handler(cf, glcf, directive, handler);

    glcf->post = post;

    return NGX_CONF_OK;
}


static ngx_http_gate_list_t *
ngx_http_gate_conf_create_list(ngx_conf_t *cf)
{
    ngx_http_gate_list_t       *list, **slot;
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_init_gate_module);

    list = ngx_pcalloc(cf->pool, sizeof(ngx_http_gate_list_t));
    slot = ngx_array_push(&gmcf->lists);

    if (list == NULL || slot == NULL) {
        return NULL;
    }

    *slot = list;

    list->names = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
    if (list->names == NULL) {
        return NULL;
    }

    list->file = cf->conf_file->file.name;
    list->line = cf->conf_file->line;

    return list;
}


static ngx_int_t
ngx_http_gate_conf_add_name(ngx_http_gate_list_t *list, ngx_str_t *name)
{
    ngx_str_t  *s;

    s = ngx_array_push(list->names);
    if (s == NULL) {
        return NGX_ERROR;
    }

    *s = *name;

    return NGX_OK;
}


ngx_int_t
ngx_http_gate_conf_resolve(ngx_conf_t *cf, ngx_http_gate_main_conf_t *gmcf)
{
    ngx_uint_t              i;
    ngx_http_gate_list_t  **list;

    list = gmcf->lists.elts;

    for (i = 0; i < gmcf->lists.nelts; i++) {
        if (ngx_http_gate_conf_resolve_list(cf, gmcf, list[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_gate_conf_resolve_list(ngx_conf_t *cf,
    ngx_http_gate_main_conf_t *gmcf, ngx_http_gate_list_t *list)
{
    ngx_uint_t    i, n;
    ngx_gate_t   *gate;
    ngx_array_t  *gates;

    if (list->gates == NULL) {

        gates = &gmcf->core->conf.gates;
        n = list->names->nelts ? list->names->nelts : gates->nelts;

        list->gates = ngx_pcalloc(cf->pool, (n + 1) * sizeof(ngx_gate_t *));
        if (list->gates == NULL) {
            return NGX_ERROR;
        }

        gate = gates->elts;

        for (i = 0; list->names->nelts == 0 && i < n; i++) {
            list->gates[i] = &gate[i];
        }
    }

    return ngx_http_gate_conf_resolve_names(gmcf, list, cf->log);
}


static ngx_int_t
ngx_http_gate_conf_resolve_names(ngx_http_gate_main_conf_t *gmcf,
    ngx_http_gate_list_t *list, ngx_log_t *log)
{
    ngx_str_t   *name;
    ngx_uint_t   i, k;

    name = list->names->elts;

    for (i = 0; i < list->names->nelts; i++) {

        list->gates[i] = ngx_gate_conf_find(&gmcf->core->conf, &name[i]);

        if (list->gates[i] == NULL) {
            ngx_http_gate_conf_unknown_name(gmcf, list, &name[i], log);
            return NGX_ERROR;
        }

        for (k = 0; k < i; k++) {
            if (list->gates[k] == list->gates[i]) {
                ngx_log_error(NGX_LOG_EMERG, log, 0,
                              "duplicate init gate \"%V\" in %V:%ui",
                              &name[i], &list->file, list->line);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static void
ngx_http_gate_conf_unknown_name(ngx_http_gate_main_conf_t *gmcf,
    ngx_http_gate_list_t *list, ngx_str_t *name, ngx_log_t *log)
{
    ngx_uint_t        i;
    ngx_gate_t       *gate;
    ngx_gate_word_t   w;

    if (ngx_strcmp(name->data, "verbose") == 0) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "unknown init gate \"verbose\", which is an argument of "
                      "requests, as in \"/ready?verbose\", in %V:%ui",
                      &list->file, list->line);
        return;
    }

    if (ngx_strchr(name->data, ',')) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "unknown init gate \"%V\", names are separated by spaces "
                      "in %V:%ui", name, &list->file, list->line);
        return;
    }

    gate = gmcf->core->conf.gates.elts;

    ngx_gate_word_init(&w, name);

    for (i = 0; i < gmcf->core->conf.gates.nelts; i++) {
        ngx_gate_word_try(&w, &gate[i].name);
    }

    if (w.nearest) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "unknown init gate \"%V\" (did you mean \"%V\"?) "
                      "in %V:%ui", name, w.nearest, &list->file, list->line);
        return;
    }

    ngx_log_error(NGX_LOG_EMERG, log, 0,
                  "unknown init gate \"%V\", there is no \"init_checks %V\" "
                  "in %V:%ui", name, name, &list->file, list->line);
}
