
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The context of a request that met a closed gate.  It is allocated from the
 * request's pool and freed with it.
 */


#include <ngx_http_gate.h>


static void ngx_http_gate_ctx_marker(void *data);


ngx_http_gate_ctx_t *
ngx_http_gate_ctx_get(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t   *cln;
    ngx_http_gate_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_init_gate_module);

    if (ctx || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    /* an internal redirect clears the context, but not the cleanup handlers */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_gate_ctx_marker) {
            ctx = cln->data;
            ngx_http_set_ctx(r, ctx, ngx_http_init_gate_module);
            break;
        }
    }

    return ctx;
}


ngx_http_gate_ctx_t *
ngx_http_gate_ctx_create(ngx_http_request_t *r)
{
    ngx_http_gate_ctx_t  *ctx;

    ctx = ngx_palloc(r->pool, sizeof(ngx_http_gate_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    /*
     * set member by member: a refusal must be as cheap as one by nginx itself
     */

    ctx->request = r;
    ctx->gate = NULL;
    ctx->passed_conf = NULL;
    ctx->entry = NULL;
    ctx->counted = NULL;
    ctx->start_msec = ngx_current_msec;
    ctx->held_msec = 0;
    ctx->queued = 0;
    ctx->was_held = 0;
    ctx->refused = 0;
    ctx->saved = 0;

    ngx_http_set_ctx(r, ctx, ngx_http_init_gate_module);

    return ctx;
}


/* call before the request continues, since it may be redirected */

ngx_int_t
ngx_http_gate_ctx_save(ngx_http_request_t *r, ngx_http_gate_ctx_t *ctx)
{
    ngx_pool_cleanup_t  *cln;

    if (ctx->saved) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_gate_ctx_marker;
    cln->data = ctx;

    ctx->saved = 1;

    return NGX_OK;
}


/* does nothing: ngx_http_gate_ctx_get() finds the context by this handler */

static void
ngx_http_gate_ctx_marker(void *data)
{
}
