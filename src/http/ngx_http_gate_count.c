
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Counting of requests with internal redirects: once at each gate, and as
 * passed only if no other gate refuses the request.
 */


#include <ngx_http_gate.h>


typedef struct {
    ngx_gate_t                 *gate;
    ngx_atomic_t               *counter;
} ngx_http_gate_counted_t;


static ngx_int_t ngx_http_gate_count_init(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx, ngx_http_variable_value_t *vv);
static ngx_int_t ngx_http_gate_count_add(ngx_http_gate_ctx_t *ctx,
    ngx_gate_t *gate, ngx_atomic_t *counter);
static ngx_uint_t ngx_http_gate_count_has(ngx_http_gate_ctx_t *ctx,
    ngx_gate_t *gate);


/*
 * The request has passed a gate before: an internal redirect keeps the value
 * of $init_gate_decision.
 */

ngx_int_t
ngx_http_gate_count_redirected(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf)
{
    ngx_http_gate_ctx_t        *ctx;
    ngx_http_variable_value_t  *vv;

    vv = &r->variables[glcf->decision];

    if (r->post_action || vv->data == glcf->passed.text) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_gate_ctx_get(r);

    if (ctx == NULL) {
        ctx = ngx_http_gate_ctx_create(r);
    }

    if (ctx == NULL || ngx_http_gate_ctx_save(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->refused) {
        return NGX_DECLINED;
    }

    if (ngx_http_gate_count_passed(r, ctx, glcf) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_gate_count_passed(ngx_http_request_t *r, ngx_http_gate_ctx_t *ctx,
    ngx_http_gate_loc_conf_t *glcf)
{
    ngx_gate_t    **gate;
    ngx_atomic_t   *counter;

    if (ngx_http_gate_count_init(r, ctx, &r->variables[glcf->decision])
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (gate = glcf->gates; *gate; gate++) {

        if (ngx_http_gate_count_has(ctx, *gate)) {
            continue;
        }

        counter = (*gate == ctx->gate && ctx->was_held)
                  ? &(*gate)->counters->held_passed
                  : &(*gate)->counters->passed;

        if (ngx_http_gate_count_add(ctx, *gate, counter) != NGX_OK) {
            return NGX_ERROR;
        }

        (void) ngx_atomic_fetch_add(counter, 1);
    }

    return NGX_OK;
}


/* another gate refuses the request, or the client has closed the connection */

void
ngx_http_gate_count_withdraw(ngx_http_request_t *r, ngx_http_gate_ctx_t *ctx,
    ngx_http_gate_loc_conf_t *glcf)
{
    ngx_uint_t                i;
    ngx_http_gate_counted_t  *counted;

    if (ngx_http_gate_count_init(r, ctx, &r->variables[glcf->decision])
        != NGX_OK)
    {
        return;
    }

    counted = ctx->counted->elts;

    for (i = 0; i < ctx->counted->nelts; i++) {
        (void) ngx_atomic_fetch_add(counted[i].counter, -1);
    }

    ctx->counted->nelts = 0;
}


/* a request that has met no closed gate has no context yet */

static ngx_int_t
ngx_http_gate_count_init(ngx_http_request_t *r, ngx_http_gate_ctx_t *ctx,
    ngx_http_variable_value_t *vv)
{
    ngx_gate_t              **gate;
    ngx_http_gate_passed_t   *passed;

    if (ctx->counted) {
        return NGX_OK;
    }

    ctx->counted = ngx_array_create(r->pool, 4,
                                    sizeof(ngx_http_gate_counted_t));
    if (ctx->counted == NULL) {
        return NGX_ERROR;
    }

    if (!vv->valid || vv->len != sizeof("passed") - 1) {
        return NGX_OK;
    }

    passed = (ngx_http_gate_passed_t *) vv->data;

    for (gate = passed->conf->gates; *gate; gate++) {
        if (ngx_http_gate_count_add(ctx, *gate, &(*gate)->counters->passed)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_gate_count_add(ngx_http_gate_ctx_t *ctx, ngx_gate_t *gate,
    ngx_atomic_t *counter)
{
    ngx_http_gate_counted_t  *counted;

    counted = ngx_array_push(ctx->counted);
    if (counted == NULL) {
        return NGX_ERROR;
    }

    counted->gate = gate;
    counted->counter = counter;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_gate_count_has(ngx_http_gate_ctx_t *ctx, ngx_gate_t *gate)
{
    ngx_uint_t                i;
    ngx_http_gate_counted_t  *counted;

    counted = ctx->counted->elts;

    for (i = 0; i < ctx->counted->nelts; i++) {
        if (counted[i].gate == gate) {
            return 1;
        }
    }

    return 0;
}
