
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Variables for logs and pages.  They describe the closed gate that a request
 * met; for other requests, the first closed gate, or the first gate.
 */


#include <ngx_http_gate.h>
#include <ngx_gate_json.h>


/* writes a value of a gate or of its record; the room is sufficient */

typedef u_char *(*ngx_http_gate_variables_pt)(u_char *p, ngx_gate_t *gate,
    ngx_gate_record_t *record);


static ngx_gate_t *ngx_http_gate_variables_gate(ngx_http_request_t *r);
static ngx_int_t ngx_http_gate_variables_get(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static size_t ngx_http_gate_variables_size(ngx_gate_t *gate,
    ngx_http_gate_variables_pt value);
static u_char *ngx_http_gate_variables_name(u_char *p, ngx_gate_t *gate,
    ngx_gate_record_t *record);
static u_char *ngx_http_gate_variables_state(u_char *p, ngx_gate_t *gate,
    ngx_gate_record_t *record);
static u_char *ngx_http_gate_variables_progress(u_char *p, ngx_gate_t *gate,
    ngx_gate_record_t *record);
static u_char *ngx_http_gate_variables_retry_after(u_char *p, ngx_gate_t *gate,
    ngx_gate_record_t *record);
static u_char *ngx_http_gate_variables_waiting(u_char *p, ngx_gate_t *gate,
    ngx_gate_record_t *record);
static ngx_int_t ngx_http_gate_variables_held(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gate_variables_decision(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_http_variable_t  ngx_http_gate_variables[] = {

    { ngx_string("init_gate"), NULL, ngx_http_gate_variables_get,
      (uintptr_t) ngx_http_gate_variables_name, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("init_gate_state"), NULL, ngx_http_gate_variables_get,
      (uintptr_t) ngx_http_gate_variables_state, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("init_gate_progress"), NULL, ngx_http_gate_variables_get,
      (uintptr_t) ngx_http_gate_variables_progress, NGX_HTTP_VAR_NOCACHEABLE,
      0 },

    { ngx_string("init_gate_retry_after"), NULL, ngx_http_gate_variables_get,
      (uintptr_t) ngx_http_gate_variables_retry_after, NGX_HTTP_VAR_NOCACHEABLE,
      0 },

    { ngx_string("init_gate_waiting"), NULL, ngx_http_gate_variables_get,
      (uintptr_t) ngx_http_gate_variables_waiting, NGX_HTTP_VAR_NOCACHEABLE,
      0 },

    { ngx_string("init_gate_held"), NULL, ngx_http_gate_variables_held, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    /* set in ngx_http_gate_handler.c, _closed.c and _hold.c */

    { ngx_string("init_gate_decision"), NULL,
      ngx_http_gate_variables_decision, 0, 0, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_gate_variables_add(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_gate_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_gate_t *
ngx_http_gate_variables_gate(ngx_http_request_t *r)
{
    ngx_gate_t                *gate;
    ngx_http_gate_ctx_t       *ctx;
    ngx_http_gate_loc_conf_t  *glcf;

    ctx = ngx_http_gate_ctx_get(r->main);

    if (ctx && ctx->gate) {
        return ctx->gate;
    }

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    if (glcf->gates == NULL) {
        return NULL;
    }

    gate = ngx_http_gate_closed_find(glcf->gates);

    return gate ? gate : glcf->gates[0];
}


static ngx_int_t
ngx_http_gate_variables_get(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_gate_variables_pt value = (ngx_http_gate_variables_pt) data;

    u_char             *p;
    ngx_gate_t         *gate;
    ngx_gate_record_t   record;

    gate = ngx_http_gate_variables_gate(r);

    if (gate == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, ngx_http_gate_variables_size(gate, value));
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_gate_zone_read(gate->shared, &record);

    v->data = p;
    v->len = value(p, gate, &record) - p;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* maximum size: all names with ", ", or any other value */

static size_t
ngx_http_gate_variables_size(ngx_gate_t *gate,
    ngx_http_gate_variables_pt value)
{
    size_t      size;
    ngx_uint_t  i;

    if (value != ngx_http_gate_variables_waiting) {
        return NGX_INT_T_LEN + NGX_GATE_NAME_MAX;
    }

    size = 0;

    for (i = 0; i < gate->checks.nelts; i++) {
        size += ngx_gate_check_at(gate, i)->name.len + 2;
    }

    return size;
}


static u_char *
ngx_http_gate_variables_name(u_char *p, ngx_gate_t *gate,
    ngx_gate_record_t *record)
{
    return ngx_sprintf(p, "%V", &gate->name);
}


static u_char *
ngx_http_gate_variables_state(u_char *p, ngx_gate_t *gate,
    ngx_gate_record_t *record)
{
    return ngx_sprintf(p, "%V", &ngx_gate_state_names[record->latch.state]);
}


/* empty if unknown */

static u_char *
ngx_http_gate_variables_progress(u_char *p, ngx_gate_t *gate,
    ngx_gate_record_t *record)
{
    return ngx_gate_json_format_progress(p, record->progress.ratio);
}


static u_char *
ngx_http_gate_variables_retry_after(u_char *p, ngx_gate_t *gate,
    ngx_gate_record_t *record)
{
    return ngx_sprintf(p, "%ui", record->retry_after);
}


/* the names of the required checks that have not passed */

static u_char *
ngx_http_gate_variables_waiting(u_char *p, ngx_gate_t *gate,
    ngx_gate_record_t *record)
{
    u_char                   *start;
    ngx_uint_t                i;
    ngx_gate_check_t         *check;
    ngx_gate_check_record_t   state;

    start = p;

    for (i = 0; i < gate->checks.nelts; i++) {
        check = ngx_gate_check_at(gate, i);

        if (check->optional) {
            continue;
        }

        ngx_gate_zone_read_check(&gate->shared->checks[i].slots, &state);

        if (!state.status.up) {
            p = ngx_sprintf(p, "%s%V", p == start ? "" : ", ", &check->name);
        }
    }

    return p;
}


/* seconds with milliseconds, as $request_time */

static ngx_int_t
ngx_http_gate_variables_held(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char               *p;
    ngx_msec_t            ms;
    ngx_http_gate_ctx_t  *ctx;

    ctx = ngx_http_gate_ctx_get(r->main);

    if (ctx == NULL || !ctx->was_held) {
        v->not_found = 1;
        return NGX_OK;
    }

    ms = ctx->queued ? ngx_current_msec - ctx->start_msec : ctx->held_msec;

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + 4);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    v->len = ngx_sprintf(p, "%M.%03M", ms / 1000, ms % 1000) - p;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gate_variables_decision(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    v->not_found = 1;

    return NGX_OK;
}
