
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The module for http: its directives and their configuration, and the use of
 * the gates of ngx_init_gate_module.
 */


#include <ngx_http_gate_upstream.h>
#include <ngx_gate_token_file.h>


static ngx_int_t ngx_http_init_gate_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_init_gate_add_handler(ngx_conf_t *cf);
static void *ngx_http_init_gate_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_init_gate_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_init_gate_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void ngx_http_init_gate_merge_handler(ngx_conf_t *cf,
    ngx_http_gate_loc_conf_t *prev, ngx_http_gate_loc_conf_t *conf);
static char *ngx_http_init_gate_merge_post(ngx_conf_t *cf,
    ngx_http_gate_post_conf_t *post);

static void ngx_http_init_gate_test_tokens(ngx_http_gate_main_conf_t *gmcf,
    ngx_log_t *log);


static ngx_command_t  ngx_http_init_gate_commands[] = {

    { ngx_string("init_checks"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_init_gate_checks,
      0,
      0,
      NULL },

    { ngx_string("check"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_init_gate_check,
      0,
      0,
      NULL },

    { ngx_string("init_gate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_gate_conf_init_gate,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("init_hold"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_gate_conf_init_hold,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("init_response"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_gate_conf_init_response,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("init_retry_after"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_gate_conf_init_retry_after,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("init_page"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_gate_page_init_page,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("init_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_gate_conf_init_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("init_ready"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_gate_conf_init_ready,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("init_notify"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_gate_conf_init_notify,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("init_control"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_gate_conf_init_control,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_init_gate_module_ctx = {
    ngx_http_gate_variables_add,           /* preconfiguration */
    ngx_http_init_gate_postconfiguration,  /* postconfiguration */

    ngx_http_init_gate_create_main_conf,   /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_init_gate_create_loc_conf,    /* create location configuration */
    ngx_http_init_gate_merge_loc_conf      /* merge location configuration */
};


ngx_module_t  ngx_http_init_gate_module = {
    NGX_MODULE_V1,
    &ngx_http_init_gate_module_ctx,        /* module context */
    ngx_http_init_gate_commands,           /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_init_gate_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_gate_main_conf_t));
    if (gmcf == NULL) {
        return NULL;
    }

    gmcf->core = ngx_init_gate_get_conf(cf->cycle);

    if (ngx_array_init(&gmcf->lists, cf->pool, 4,
                       sizeof(ngx_http_gate_list_t *))
        != NGX_OK
        || ngx_array_init(&gmcf->holds, cf->pool, 2,
                          sizeof(ngx_http_gate_mark_t *))
           != NGX_OK
        || ngx_array_init(&gmcf->posts, cf->pool, 2,
                          sizeof(ngx_http_gate_post_conf_t *))
           != NGX_OK
        || ngx_array_init(&gmcf->servers, cf->pool, 2,
                          sizeof(ngx_gate_servers_t *))
           != NGX_OK
        || ngx_array_init(&gmcf->passes, cf->pool, 2,
                          sizeof(ngx_http_gate_upstream_passes_t))
           != NGX_OK)
    {
        return NULL;
    }

    return gmcf;
}


static void *
ngx_http_init_gate_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_gate_loc_conf_t  *glcf;

    glcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_gate_loc_conf_t));
    if (glcf == NULL) {
        return NULL;
    }

    glcf->hold = NGX_CONF_UNSET_MSEC;
    glcf->hold_max = NGX_CONF_UNSET_UINT;
    glcf->response = NGX_CONF_UNSET_UINT;
    glcf->retry_after = NGX_CONF_UNSET;
    glcf->format = NGX_CONF_UNSET_UINT;
    glcf->details = NGX_CONF_UNSET;

    return glcf;
}


static char *
ngx_http_init_gate_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_gate_loc_conf_t *prev = parent;
    ngx_http_gate_loc_conf_t *conf = child;

    ngx_str_t                   name;
    ngx_http_gate_main_conf_t  *gmcf;

    if (conf->hold == NGX_CONF_UNSET_MSEC) {
        conf->hold_mark = prev->hold_mark;
    }

    ngx_conf_merge_msec_value(conf->hold, prev->hold, 0);
    ngx_conf_merge_uint_value(conf->hold_max, prev->hold_max, 0);
    ngx_conf_merge_uint_value(conf->response, prev->response,
                              NGX_HTTP_GATE_RESPONSE_AUTO);
    ngx_conf_merge_sec_value(conf->retry_after, prev->retry_after,
                             NGX_HTTP_GATE_RETRY_AUTO);
    ngx_http_gate_page_merge(prev, conf);

    if (ngx_http_gate_upstream_add_location(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_init_gate_merge_handler(cf, prev, conf);

    if (conf->format == NGX_CONF_UNSET_UINT) {
        conf->format = NGX_HTTP_GATE_FORMAT_AUTO;
    }

    if (conf->details == NGX_CONF_UNSET) {
        conf->details = 0;
    }

    if (conf->gate_list == NULL) {
        conf->gate_list = prev->gate_list;

    } else if (conf->handler) {
        ngx_http_gate_warn_beside(cf, conf);
    }

    if (conf->status_list) {
        return NGX_CONF_OK;
    }

    if (conf->post) {
        return ngx_http_init_gate_merge_post(cf, conf->post);
    }

    if (conf->gate_list == NULL || conf->gate_list->names->nelts == 0) {
        return NGX_CONF_OK;
    }

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_init_gate_module);

    ngx_str_set(&name, "init_gate_decision");

    gmcf->used = 1;

    if (conf->hold_mark) {
        conf->hold_mark->used = 1;
    }

    conf->gates = conf->gate_list->gates;
    conf->decision = ngx_http_get_variable_index(cf, &name);

    if (conf->decision == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(conf->passed.text, "passed", sizeof("passed"));
    conf->passed.conf = conf;

    conf->passed_value.valid = 1;
    conf->passed_value.len = sizeof("passed") - 1;
    conf->passed_value.data = conf->passed.text;

    return NGX_CONF_OK;
}


/*
 * In "if" and "limit_except", a request keeps the content handler of the
 * location, or gets it here, but has the configuration of the block.
 */

static void
ngx_http_init_gate_merge_handler(ngx_conf_t *cf,
    ngx_http_gate_loc_conf_t *prev, ngx_http_gate_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (!clcf->noname) {
        conf->subpaths = !clcf->named;
#if (NGX_PCRE)
        conf->subpaths = conf->subpaths && clcf->regex == NULL;
#endif

        if (conf->handler && clcf->handler != conf->handler) {
            ngx_http_gate_warn_replaced(cf, conf);
        }

        return;
    }

    if (prev->handler == NULL || clcf->handler) {
        return;
    }

    conf->status_list = prev->status_list;
    conf->post = prev->post;
    conf->handler = prev->handler;
    conf->subpaths = prev->subpaths;
    conf->format = prev->format;
    conf->details = prev->details;

    clcf->handler = conf->handler;
}


/* the path names what is posted to; the size of a body has its own limit */

static char *
ngx_http_init_gate_merge_post(ngx_conf_t *cf, ngx_http_gate_post_conf_t *post)
{
    ngx_uint_t                 prefix;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    prefix = !clcf->named && !clcf->exact_match;
#if (NGX_PCRE)
    prefix = prefix && clcf->regex == NULL;
#endif

    if (!prefix) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" is allowed only in a location that is a prefix "
                      "of paths, as in \"location /%s/\" in %V:%ui",
                      post->directive,
                      post->directive + sizeof("init_") - 1, &post->file,
                      post->line);
        return NGX_CONF_ERROR;
    }

    clcf->client_max_body_size = 0;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_init_gate_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_init_gate_module);

    return gmcf->used ? ngx_http_init_gate_add_handler(cf) : NGX_OK;
}


/*
 * The handlers of a phase run from the last to the first.  This one is
 * inserted at the beginning, so that limit_conn counts a request before it is
 * held, independently of the order of modules.
 */

static ngx_int_t
ngx_http_init_gate_add_handler(ngx_conf_t *cf)
{
    ngx_array_t                *handlers;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    handlers = &cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers;

    if (ngx_array_push(handlers) == NULL) {
        return NGX_ERROR;
    }

    h = handlers->elts;

    ngx_memmove(&h[1], &h[0],
                (handlers->nelts - 1) * sizeof(ngx_http_handler_pt));

    h[0] = ngx_http_gate_handler;

    return NGX_OK;
}


ngx_int_t
ngx_http_init_gate_bind(ngx_conf_t *cf, ngx_init_gate_conf_t *igcf)
{
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_http_cycle_get_module_main_conf(cf->cycle,
                                               ngx_http_init_gate_module);

    if (gmcf == NULL) {
        ngx_http_gate_warn_no_http(cf, igcf);
        return ngx_http_gate_upstream_bind(cf, igcf, NULL);
    }

    if (ngx_http_gate_conf_resolve(cf, gmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_gate_warn(cf, gmcf);

    if (ngx_http_gate_upstream_bind(cf, igcf, gmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_gate_upstream_warn(cf, gmcf);

    igcf->controlled = ngx_http_gate_conf_has_post(gmcf, "init_control");

    return NGX_OK;
}


void
ngx_http_init_gate_commit(ngx_cycle_t *cycle)
{
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_init_gate_module);

    if (gmcf) {
        ngx_http_gate_upstream_commit(gmcf, (ngx_cycle_t *) ngx_cycle,
                                      cycle->log);
    }
}


void
ngx_http_init_gate_init_process(ngx_cycle_t *cycle)
{
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_init_gate_module);

    if (gmcf == NULL) {
        return;
    }

    ngx_http_gate_hold_init(gmcf, cycle->log);
    ngx_http_gate_await_init(gmcf, cycle->log);

    if (ngx_worker == 0) {
        ngx_http_init_gate_test_tokens(gmcf, cycle->log);
    }
}


/* as the user of the workers, who reads them later */

static void
ngx_http_init_gate_test_tokens(ngx_http_gate_main_conf_t *gmcf,
    ngx_log_t *log)
{
    ngx_uint_t                   i;
    ngx_http_gate_post_conf_t  **post;

    post = gmcf->posts.elts;

    for (i = 0; i < gmcf->posts.nelts; i++) {

        if (ngx_gate_token_file_test(&post[i]->token_file, log) != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "\"%s\" refuses all requests until its token file "
                          "can be read in %V:%ui", post[i]->directive,
                          &post[i]->file, post[i]->line);
        }
    }
}


void
ngx_http_init_gate_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_init_gate_module);

    if (gmcf == NULL) {
        return;
    }

    ngx_http_gate_await_exit(gmcf);

    /* without a master, the process does not wait for requests to end */

    if (gmcf->core->process && ngx_process == NGX_PROCESS_SINGLE) {
        ngx_http_gate_hold_end_all(gmcf);
    }
}
