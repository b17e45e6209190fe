
/*
 * The request path in front of a closed gate: hold, refuse, or let go on what
 * has been decided about before.
 */


#include <ngx_http_gate.h>


static void ngx_http_gate_refuse(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf, ngx_http_gate_ctx_t *ctx);
static ngx_http_gate_ctx_t *ngx_http_gate_create_ctx(ngx_http_request_t *r);
static void ngx_http_gate_forget(void *data);


static ngx_http_variable_value_t  ngx_http_gate_held_passed =
    ngx_http_variable("held_passed");
static ngx_http_variable_value_t  ngx_http_gate_held_refused =
    ngx_http_variable("held_refused");
static ngx_http_variable_value_t  ngx_http_gate_refused =
    ngx_http_variable("refused");
static ngx_http_variable_value_t  ngx_http_gate_gone =
    ngx_http_variable("gone");


ngx_gate_t *
ngx_http_gate_closed(ngx_gate_t **gates)
{
    for ( /* void */ ; *gates; gates++) {
        if (!(*gates)->shared->open) {
            return *gates;
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_gate_stop(ngx_http_request_t *r, ngx_http_gate_loc_conf_t *glcf,
    ngx_gate_t *gate)
{
    ngx_int_t             rc;
    ngx_gate_state_e      state;
    ngx_msec_int_t        patience;
    ngx_http_gate_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_init_gate_module);

    if (ctx == NULL && (r->internal || r->filter_finalize)) {
        ctx = ngx_http_gate_get_ctx(r);
    }

    if (ctx == NULL) {
        ctx = ngx_http_gate_create_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    /* the page of error_page for our own 503, or a gate that closed again */

    if (ctx->refused || ctx->passed == glcf) {
        return NGX_DECLINED;
    }

    state = ngx_gate_zone_published(gate->shared)->latch.state;

    if (ngx_gate_state_is_open(gate, state)) {
        /* it has opened just now */
        return ngx_http_gate_handler(r);
    }

    ctx->gate = gate;

    if (gate->trigger && !gate->shared->requested) {
        gate->shared->requested = 1;
    }

    if (glcf->hold || state == NGX_GATE_STATE_STARTING) {

        patience = ngx_http_gate_patience(r, ctx, gate);

        if (patience > 0) {
            rc = ngx_http_gate_hold(r, ctx, (ngx_msec_t) patience);

            if (rc != NGX_DECLINED) {
                return rc;
            }
        }
    }

    ngx_http_gate_refuse(r, glcf, ctx);

    return NGX_DONE;
}


/* a request that was held goes on through the phases, or is refused */

void
ngx_http_gate_resume(ngx_http_gate_ctx_t *ctx)
{
    ngx_gate_t                 *closed;
    ngx_gate_t                **gate;
    ngx_http_request_t         *r;
    ngx_http_gate_loc_conf_t   *glcf;

    r = ctx->request;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    closed = ngx_http_gate_closed(glcf->gates);

    if (closed) {
        ctx->gate = closed;
        ngx_http_gate_refuse(r, glcf, ctx);
        return;
    }

    ctx->passed = glcf;

    r->variables[glcf->decision] = ngx_http_gate_held_passed;

    for (gate = glcf->gates; *gate; gate++) {
        (void) ngx_atomic_fetch_add(*gate == ctx->gate
                                    ? &(*gate)->counters->held_passed
                                    : &(*gate)->counters->passed, 1);
    }

    ngx_http_core_run_phases(r);
}


static void
ngx_http_gate_refuse(ngx_http_request_t *r, ngx_http_gate_loc_conf_t *glcf,
    ngx_http_gate_ctx_t *ctx)
{
    ctx->refused = 1;

    if (ctx->waited) {
        r->variables[glcf->decision] = ngx_http_gate_held_refused;
        (void) ngx_atomic_fetch_add(&ctx->gate->counters->held_refused, 1);

    } else {
        r->variables[glcf->decision] = ngx_http_gate_refused;
        (void) ngx_atomic_fetch_add(&ctx->gate->counters->refused, 1);
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "init gate \"%V\" refuses after %M ms",
                   &ctx->gate->name, ctx->held);

    /* an error page that leads here must not lend us its status */

    r->err_status = 0;

    ngx_http_finalize_request(r, ngx_http_gate_response_refuse(r, ctx));
}


ngx_http_gate_ctx_t *
ngx_http_gate_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t   *cln;
    ngx_http_gate_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_init_gate_module);

    if (ctx || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    /* an internal redirect clears the context, but not the pool's cleanup */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_gate_forget) {
            ctx = cln->data;
            ngx_http_set_ctx(r, ctx, ngx_http_init_gate_module);
            break;
        }
    }

    return ctx;
}


static ngx_http_gate_ctx_t *
ngx_http_gate_create_ctx(ngx_http_request_t *r)
{
    ngx_http_gate_ctx_t  *ctx;

    ctx = ngx_palloc(r->pool, sizeof(ngx_http_gate_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    /* member by member: a refusal is to be as cheap as nginx's own */

    ctx->request = r;
    ctx->gate = NULL;
    ctx->passed = NULL;
    ctx->wait = NULL;
    ctx->since = ngx_current_msec;
    ctx->held = 0;
    ctx->waiting = 0;
    ctx->waited = 0;
    ctx->refused = 0;
    ctx->kept = 0;

    ngx_http_set_ctx(r, ctx, ngx_http_init_gate_module);

    return ctx;
}


/* needed where the request goes on, and may be redirected */

ngx_int_t
ngx_http_gate_keep_ctx(ngx_http_request_t *r, ngx_http_gate_ctx_t *ctx)
{
    ngx_pool_cleanup_t  *cln;

    if (ctx->kept) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_gate_forget;
    cln->data = ctx;

    ctx->kept = 1;

    return NGX_OK;
}


/* there is nothing to clean up: the handler marks where the context is */

static void
ngx_http_gate_forget(void *data)
{
}


/* the client of a request that waits has gone; runs before it is logged */

void
ngx_http_gate_leave(void *data)
{
    ngx_http_gate_ctx_t *ctx = data;

    ngx_http_request_t        *r;
    ngx_http_gate_loc_conf_t  *glcf;

    if (!ctx->waiting) {
        return;
    }

    r = ctx->request;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    ngx_http_gate_release(ctx);

    r->variables[glcf->decision] = ngx_http_gate_gone;

    (void) ngx_atomic_fetch_add(&ctx->gate->counters->gone, 1);
}
