
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Warnings about configurations of gates that are valid, but probably
 * mistakes.
 */


#include <ngx_http_gate.h>
#include <ngx_gate_check_http.h>


static void ngx_http_gate_warn_unused(ngx_conf_t *cf,
    ngx_http_gate_main_conf_t *gmcf, ngx_gate_t *gate);
static void ngx_http_gate_warn_holds(ngx_conf_t *cf,
    ngx_http_gate_main_conf_t *gmcf);
static void ngx_http_gate_warn_tokens(ngx_conf_t *cf,
    ngx_http_gate_main_conf_t *gmcf);
static void ngx_http_gate_warn_upstream(ngx_conf_t *cf,
    ngx_gate_check_t *check);
static const char *ngx_http_gate_warn_directive(
    ngx_http_gate_loc_conf_t *glcf);
static void ngx_http_gate_warn_notify(ngx_conf_t *cf,
    ngx_http_gate_main_conf_t *gmcf, ngx_gate_check_t *check);


void
ngx_http_gate_warn(ngx_conf_t *cf, ngx_http_gate_main_conf_t *gmcf)
{
    ngx_uint_t         i, n;
    ngx_gate_t        *gate;
    ngx_gate_check_t  *check;

    gate = gmcf->core->conf.gates.elts;

    for (i = 0; i < gmcf->core->conf.gates.nelts; i++) {
        ngx_http_gate_warn_unused(cf, gmcf, &gate[i]);

        for (n = 0; n < gate[i].checks.nelts; n++) {
            check = ngx_gate_check_at(&gate[i], n);

            if (check->type == &ngx_gate_check_http) {
                ngx_http_gate_warn_upstream(cf, check);
            }

            if (check->type == &ngx_gate_check_notify) {
                ngx_http_gate_warn_notify(cf, gmcf, check);
            }
        }
    }

    ngx_http_gate_warn_holds(cf, gmcf);
    ngx_http_gate_warn_tokens(cf, gmcf);
}


void
ngx_http_gate_warn_no_http(ngx_conf_t *cf, ngx_init_gate_conf_t *igcf)
{
    ngx_uint_t   i;
    ngx_gate_t  *gate;

    gate = igcf->conf.gates.elts;

    for (i = 0; i < igcf->conf.gates.nelts; i++) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "init_checks \"%V\" has no effect but log messages, "
                      "since there is no \"http\" block in %V:%ui",
                      &gate[i].name, &gate[i].file, gate[i].line);
    }
}


/* a status of all gates does not use a gate */

static void
ngx_http_gate_warn_unused(ngx_conf_t *cf, ngx_http_gate_main_conf_t *gmcf,
    ngx_gate_t *gate)
{
    ngx_uint_t              i;
    const char             *effect;
    ngx_gate_t            **g;
    ngx_http_gate_list_t  **list;

    list = gmcf->lists.elts;

    for (i = 0; i < gmcf->lists.nelts; i++) {

        if (list[i]->shows && list[i]->names->nelts == 0) {
            continue;
        }

        for (g = list[i]->gates; g && *g; g++) {
            if (*g == gate) {
                return;
            }
        }
    }

    effect = "has no effect";

    for (i = 0; i < gate->checks.nelts; i++) {
        if (ngx_gate_check_at(gate, i)->servers) {
            effect = "only keeps servers out of upstreams";
        }
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "init_checks \"%V\" %s, since no location has "
                  "\"init_gate %V\" or \"init_ready %V\" in %V:%ui",
                  &gate->name, effect, &gate->name, &gate->name, &gate->file,
                  gate->line);
}


static void
ngx_http_gate_warn_holds(ngx_conf_t *cf, ngx_http_gate_main_conf_t *gmcf)
{
    ngx_uint_t              i;
    ngx_http_gate_mark_t  **mark;

    mark = gmcf->holds.elts;

    for (i = 0; i < gmcf->holds.nelts; i++) {

        if (!mark[i]->used) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"init_hold\" has no effect, since there is no "
                          "\"init_gate\" for its requests in %V:%ui",
                          &mark[i]->file, mark[i]->line);
        }
    }
}


static void
ngx_http_gate_warn_tokens(ngx_conf_t *cf, ngx_http_gate_main_conf_t *gmcf)
{
    ngx_uint_t                   i;
    const char                  *error;
    ngx_file_info_t              fi;
    ngx_http_gate_post_conf_t  **post;

    post = gmcf->posts.elts;

    for (i = 0; i < gmcf->posts.nelts; i++) {

        if (ngx_file_info(post[i]->token_file.data, &fi) == NGX_FILE_ERROR) {
            error = (ngx_errno == NGX_ENOENT) ? "there is no such file" : NULL;

        } else {
            error = ngx_is_dir(&fi) ? "it is a directory" : NULL;
        }

        if (error) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"token_file=%V\" of \"%s\": %s in %V:%ui",
                          &post[i]->token_file, post[i]->directive, error,
                          &post[i]->file, post[i]->line);
        }
    }
}


static void
ngx_http_gate_warn_upstream(ngx_conf_t *cf, ngx_gate_check_t *check)
{
    ngx_str_t                       *host;
    ngx_uint_t                       i;
    ngx_gate_check_http_conf_t      *conf;
    ngx_http_upstream_srv_conf_t   **uscf;
    ngx_http_upstream_main_conf_t   *umcf;

    umcf = ngx_http_cycle_get_module_main_conf(cf->cycle,
                                               ngx_http_upstream_module);

    conf = check->conf;
    host = &conf->url.endpoint.host;
    uscf = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        /* skips the implicit upstreams of proxy_pass */

        if (!(uscf[i]->flags & NGX_HTTP_UPSTREAM_CREATE)
            || !ngx_gate_str_eq(&uscf[i]->host, host))
        {
            continue;
        }

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "host \"%V\" of check \"%V\" of init_checks \"%V\" is "
                      "resolved by name, the servers of the upstream \"%V\" "
                      "are not probed in %V:%ui", host, &check->name,
                      &check->gate->name, host, &check->file, check->line);
        return;
    }
}


static void
ngx_http_gate_warn_notify(ngx_conf_t *cf, ngx_http_gate_main_conf_t *gmcf,
    ngx_gate_check_t *check)
{
    if (ngx_http_gate_conf_has_post(gmcf, "init_notify")) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "no location has \"init_notify\", so that check \"%V\" of "
                  "init_checks \"%V\" gets no notices in %V:%ui",
                  &check->name, &check->gate->name, &check->file,
                  check->line);
}


void
ngx_http_gate_warn_beside(ngx_conf_t *cf, ngx_http_gate_loc_conf_t *glcf)
{
    if (glcf->gate_list->names->nelts == 0) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"init_gate\" has no effect beside \"%s\" in %V:%ui",
                  ngx_http_gate_warn_directive(glcf),
                  &glcf->gate_list->file, glcf->gate_list->line);
}


void
ngx_http_gate_warn_replaced(ngx_conf_t *cf, ngx_http_gate_loc_conf_t *glcf)
{
    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"%s\" has no effect, since another directive of its "
                  "location answers requests in %V:%ui",
                  ngx_http_gate_warn_directive(glcf),
                  glcf->post ? &glcf->post->file : &glcf->status_list->file,
                  glcf->post ? glcf->post->line : glcf->status_list->line);
}


static const char *
ngx_http_gate_warn_directive(ngx_http_gate_loc_conf_t *glcf)
{
    return glcf->post ? glcf->post->directive
           : glcf->status_list->shows ? "init_status" : "init_ready";
}
