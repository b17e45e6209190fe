
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The request path at a closed gate: a request is held or refused, or
 * continues if that was decided before.
 */


#include <ngx_http_gate_wait.h>


static ngx_int_t ngx_http_gate_closed_wait(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf, ngx_http_gate_ctx_t *ctx);
static ngx_uint_t ngx_http_gate_closed_wait_ends(ngx_http_gate_wait_t *wait);
static void ngx_http_gate_closed_wait_done(ngx_http_gate_wait_t *wait);
static void ngx_http_gate_closed_wait_gone(ngx_http_gate_wait_t *wait);
static void ngx_http_gate_closed_refuse(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf, ngx_http_gate_ctx_t *ctx);
static void ngx_http_gate_closed_refuse_poll(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf, ngx_http_gate_ctx_t *ctx);


static ngx_http_variable_value_t  ngx_http_gate_closed_held_passed =
    ngx_http_variable("held_passed");
static ngx_http_variable_value_t  ngx_http_gate_closed_held_refused =
    ngx_http_variable("held_refused");
static ngx_http_variable_value_t  ngx_http_gate_closed_refused =
    ngx_http_variable("refused");
static ngx_http_variable_value_t  ngx_http_gate_closed_polled =
    ngx_http_variable("polled");


ngx_gate_t *
ngx_http_gate_closed_find(ngx_gate_t **gates)
{
    for ( /* void */ ; *gates; gates++) {
        if (!ngx_gate_zone_is_open((*gates)->shared)) {
            return *gates;
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_gate_closed_handler(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf, ngx_gate_t *gate)
{
    ngx_int_t             rc;
    ngx_gate_state_e      state;
    ngx_gate_record_t    *record;
    ngx_msec_int_t        time_left;
    ngx_http_gate_ctx_t  *ctx;

    if (r->post_action) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_init_gate_module);

    if (ctx == NULL && (r->internal || r->filter_finalize)) {
        ctx = ngx_http_gate_ctx_get(r);
    }

    if (ctx == NULL) {
        ctx = ngx_http_gate_ctx_create(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    /* an error_page for this 503, or a gate that has closed again */

    if (ctx->refused || ctx->passed_conf == glcf) {
        return NGX_DECLINED;
    }

    for ( ;; ) {
        record = ngx_gate_zone_published(gate->shared);
        state = record->latch.state;

        if (!record->ready) {
            break;
        }

        /* the gate has just opened */

        gate = ngx_http_gate_closed_find(glcf->gates);
        if (gate == NULL) {
            return ngx_http_gate_handler_pass(r, glcf);
        }
    }

    ctx->gate = gate;

    if (gate->trigger && !gate->shared->requested) {
        gate->shared->requested = 1;

        if (gate->trigger_on_request) {
            ngx_gate_wake_send(r->connection->log);
        }
    }

    if ((glcf->hold || state == NGX_GATE_STATE_STARTING)
        && !ngx_http_gate_accept_is_poll(r))
    {

        time_left = ngx_http_gate_hold_time_left(r, ctx, gate);

        if (time_left > 0) {
            rc = ngx_http_gate_hold_request(r, ctx, (ngx_msec_t) time_left);

            if (rc != NGX_DECLINED) {
                return rc;
            }
        }
    }

    ngx_http_gate_closed_refuse(r, glcf, ctx);

    return NGX_DONE;
}


/* the waiting page waits at most once: its phases are run again afterwards */

static ngx_int_t
ngx_http_gate_closed_wait(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf, ngx_http_gate_ctx_t *ctx)
{
    if (ctx->wait) {
        ngx_http_gate_wait_set_tag(ctx->wait);
        return NGX_DECLINED;
    }

    ctx->wait = ngx_http_gate_wait_create(r, glcf->gates, 1);
    if (ctx->wait == NULL) {
        return NGX_ERROR;
    }

    ctx->wait->ends = ngx_http_gate_closed_wait_ends;
    ctx->wait->done = ngx_http_gate_closed_wait_done;
    ctx->wait->gone = ngx_http_gate_closed_wait_gone;

    return ngx_http_gate_wait_request(ctx->wait);
}


static ngx_uint_t
ngx_http_gate_closed_wait_ends(ngx_http_gate_wait_t *wait)
{
    ngx_gate_t  **gate;

    for (gate = wait->gates; *gate; gate++) {
        if (ngx_gate_zone_published((*gate)->shared)->latch.state
            == NGX_GATE_STATE_FAILED)
        {
            return 1;
        }
    }

    return ngx_http_gate_closed_find(wait->gates) == NULL;
}


static void
ngx_http_gate_closed_wait_done(ngx_http_gate_wait_t *wait)
{
    ngx_http_core_run_phases(wait->request);
}


static void
ngx_http_gate_closed_wait_gone(ngx_http_gate_wait_t *wait)
{
    ngx_http_request_t        *r;
    ngx_http_gate_ctx_t       *ctx;
    ngx_http_gate_loc_conf_t  *glcf;

    r = wait->request;

    ctx = ngx_http_get_module_ctx(r, ngx_http_init_gate_module);
    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    r->variables[glcf->decision] = ngx_http_gate_closed_polled;
    (void) ngx_atomic_fetch_add(&ctx->gate->counters->polled, 1);
}


/* a request that was held continues through the phases, or is refused */

void
ngx_http_gate_closed_resume(ngx_http_gate_ctx_t *ctx)
{
    ngx_gate_t                 *closed;
    ngx_http_request_t         *r;
    ngx_http_gate_loc_conf_t   *glcf;

    r = ctx->request;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    closed = ngx_http_gate_closed_find(glcf->gates);

    if (closed) {
        ctx->gate = closed;
        ngx_http_gate_closed_refuse(r, glcf, ctx);
        return;
    }

    if (ngx_http_gate_count_passed(r, ctx, glcf) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ctx->passed_conf = glcf;

    r->variables[glcf->decision] = ngx_http_gate_closed_held_passed;

    ngx_http_core_run_phases(r);
}


static void
ngx_http_gate_closed_refuse(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf, ngx_http_gate_ctx_t *ctx)
{
    if (ngx_http_gate_accept_is_poll(r)) {
        ngx_http_gate_closed_refuse_poll(r, glcf, ctx);
        return;
    }

    ctx->refused = 1;

    if (r->internal) {
        ngx_http_gate_count_withdraw(r, ctx, glcf);
    }

    if (ctx->was_held) {
        r->variables[glcf->decision] = ngx_http_gate_closed_held_refused;
        (void) ngx_atomic_fetch_add(&ctx->gate->counters->held_refused, 1);

    } else {
        r->variables[glcf->decision] = ngx_http_gate_closed_refused;
        (void) ngx_atomic_fetch_add(&ctx->gate->counters->refused, 1);
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "init gate \"%V\" refuses after %M ms",
                   &ctx->gate->name, ctx->held_msec);

    /* reset the status that an error_page redirect has set */

    r->err_status = 0;

    ngx_http_finalize_request(r, ngx_http_gate_response_refuse(r, ctx));
}


static void
ngx_http_gate_closed_refuse_poll(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf, ngx_http_gate_ctx_t *ctx)
{
    if (ngx_http_gate_closed_wait(r, glcf, ctx) == NGX_AGAIN) {
        return;
    }

    ctx->refused = 1;

    if (r->internal) {
        ngx_http_gate_count_withdraw(r, ctx, glcf);
    }

    r->variables[glcf->decision] = ngx_http_gate_closed_polled;
    (void) ngx_atomic_fetch_add(&ctx->gate->counters->polled, 1);

    r->err_status = 0;

    ngx_http_finalize_request(r, ngx_http_gate_response_refuse(r, ctx));
}
