
/*
 * Variables for logs and pages.  A request that met a closed gate remembers
 * which; any other speaks of the first closed one, or of the first.
 */


#include <ngx_http_gate.h>
#include <ngx_gate_json.h>


static ngx_gate_t *ngx_http_gate_of(ngx_http_request_t *r);
static ngx_int_t ngx_http_gate_variable_name(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gate_variable_state(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gate_variable_progress(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gate_variable_retry_after(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gate_variable_waiting(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gate_variable_held(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gate_variable_decision(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gate_variable_set(ngx_http_variable_value_t *v,
    u_char *data, size_t len);


static ngx_http_variable_t  ngx_http_gate_variables[] = {

    { ngx_string("init_gate"), NULL, ngx_http_gate_variable_name, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("init_gate_state"), NULL, ngx_http_gate_variable_state, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("init_gate_progress"), NULL,
      ngx_http_gate_variable_progress, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("init_gate_retry_after"), NULL,
      ngx_http_gate_variable_retry_after, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("init_gate_waiting"), NULL,
      ngx_http_gate_variable_waiting, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("init_gate_held"), NULL, ngx_http_gate_variable_held, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    /* set by the handler, see there */

    { ngx_string("init_gate_decision"), NULL,
      ngx_http_gate_variable_decision, 0, 0, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_gate_add_variables(ngx_conf_t *cf)
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
ngx_http_gate_of(ngx_http_request_t *r)
{
    ngx_gate_t                *gate;
    ngx_http_gate_ctx_t       *ctx;
    ngx_http_gate_loc_conf_t  *glcf;

    ctx = ngx_http_gate_get_ctx(r->main);

    if (ctx && ctx->gate) {
        return ctx->gate;
    }

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    if (glcf->gates == NULL) {
        return NULL;
    }

    gate = ngx_http_gate_closed(glcf->gates);

    return gate ? gate : glcf->gates[0];
}


static ngx_int_t
ngx_http_gate_variable_name(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_gate_t  *gate;

    gate = ngx_http_gate_of(r);

    if (gate == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_gate_variable_set(v, gate->name.data, gate->name.len);
}


static ngx_int_t
ngx_http_gate_variable_state(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t          *name;
    ngx_gate_t         *gate;
    ngx_gate_record_t   record;

    gate = ngx_http_gate_of(r);

    if (gate == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_gate_read(gate->shared, &record);

    name = &ngx_gate_state_names[record.memory.state];

    return ngx_http_gate_variable_set(v, name->data, name->len);
}


/* empty while it is unknown */

static ngx_int_t
ngx_http_gate_variable_progress(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char             *p;
    ngx_gate_t         *gate;
    ngx_gate_record_t   record;

    gate = ngx_http_gate_of(r);

    if (gate == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_gate_read(gate->shared, &record);

    p = ngx_pnalloc(r->pool, sizeof("0.0000"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_gate_variable_set(v, p,
                               ngx_gate_progress_text(p, record.progress) - p);
}


static ngx_int_t
ngx_http_gate_variable_retry_after(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char             *p;
    ngx_gate_t         *gate;
    ngx_gate_record_t   record;

    gate = ngx_http_gate_of(r);

    if (gate == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_gate_read(gate->shared, &record);

    return ngx_http_gate_variable_set(v, p,
                                 ngx_sprintf(p, "%ui", record.retry_after) - p);
}


/* the names of the required checks that have not passed */

static ngx_int_t
ngx_http_gate_variable_waiting(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                   *p, *start;
    size_t                    size;
    ngx_uint_t                i;
    ngx_gate_t               *gate;
    ngx_gate_check_t         *check;
    ngx_gate_check_record_t   record;

    gate = ngx_http_gate_of(r);

    if (gate == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    size = 1;

    for (i = 0; i < gate->checks.nelts; i++) {
        size += ngx_gate_check_at(gate, i)->name.len + 2;
    }

    start = ngx_pnalloc(r->pool, size);
    if (start == NULL) {
        return NGX_ERROR;
    }

    p = start;

    for (i = 0; i < gate->checks.nelts; i++) {
        check = ngx_gate_check_at(gate, i);

        if (check->optional) {
            continue;
        }

        ngx_gate_check_read(&gate->shared->checks[i], &record);

        if (!record.standing.counts) {
            p = ngx_sprintf(p, "%s%V", p == start ? "" : ", ", &check->name);
        }
    }

    return ngx_http_gate_variable_set(v, start, p - start);
}


/* seconds with milliseconds, as $request_time */

static ngx_int_t
ngx_http_gate_variable_held(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char               *p;
    ngx_msec_t            ms;
    ngx_http_gate_ctx_t  *ctx;

    ctx = ngx_http_gate_get_ctx(r->main);

    if (ctx == NULL || !ctx->waited) {
        v->not_found = 1;
        return NGX_OK;
    }

    ms = ctx->waiting ? ngx_current_msec - ctx->since : ctx->held;

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + 4);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_gate_variable_set(v, p,
                   ngx_sprintf(p, "%M.%03M", ms / 1000, ms % 1000) - p);
}


static ngx_int_t
ngx_http_gate_variable_decision(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    v->not_found = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gate_variable_set(ngx_http_variable_value_t *v, u_char *data,
    size_t len)
{
    v->data = data;
    v->len = len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
