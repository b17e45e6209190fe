
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The interpreter of PCRE takes seconds for "done.*ok" over 64 KiB of "done
 * done done ...", and for "(a+)+b" as long as its limit allows.  Expressions
 * are therefore always compiled by the JIT compiler, which needs a fraction
 * of a millisecond for the former, and the number of their steps is limited.
 * ngx_regex_compile() and ngx_regex_exec() leave both to the "pcre_jit"
 * directive, and use a JIT stack that is too small for "(.*\n)+ready" over
 * some hundred lines.
 */


#include <ngx_gate_match.h>


#if (NGX_PCRE)


/* allows for backtracking through the whole text once */

#define NGX_GATE_MATCH_STEPS  100000


#if (NGX_PCRE2)

#define NGX_GATE_MATCH_STACK_MIN  (32 * 1024)
#define NGX_GATE_MATCH_STACK_MAX  (1024 * 1024)


static ngx_int_t ngx_gate_match_init(void);
static void ngx_gate_match_done(void *data);
static void ngx_gate_match_cleanup(void *data);


/* shared by all matches, as in ngx_regex.c */

static pcre2_match_context  *ngx_gate_match_context;
static pcre2_match_data     *ngx_gate_match_data;
static pcre2_jit_stack      *ngx_gate_match_stack;


ngx_int_t
ngx_gate_match_compile(ngx_conf_t *cf, ngx_regex_compile_t *rc)
{
    int                  code;
    size_t               offset;
    u_char               errstr[128];
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_str_set(&rc->err, "no memory");
        return NGX_ERROR;
    }

    rc->regex = pcre2_compile(rc->pattern.data, rc->pattern.len, 0, &code,
                              &offset, NULL);

    if (rc->regex == NULL) {
        pcre2_get_error_message(code, errstr, sizeof(errstr));

        rc->err.len = ngx_snprintf(rc->err.data, rc->err.len,
                                   "%s in \"%V\" at offset %uz", errstr,
                                   &rc->pattern, offset)
                      - rc->err.data;

        return NGX_ERROR;
    }

    cln->handler = ngx_gate_match_cleanup;
    cln->data = rc->regex;

    /* on failure, the interpreter is used */

    (void) pcre2_jit_compile(rc->regex, PCRE2_JIT_COMPLETE);

    return NGX_OK;
}


static void
ngx_gate_match_cleanup(void *data)
{
    pcre2_code_free(data);
}


ngx_int_t
ngx_gate_match_exec(ngx_regex_t *regex, ngx_str_t *text)
{
    int  rc;

    if (ngx_gate_match_data == NULL && ngx_gate_match_init() != NGX_OK) {
        return NGX_ERROR;
    }

    rc = pcre2_match(regex, text->data, text->len, 0, 0, ngx_gate_match_data,
                     ngx_gate_match_context);

    if (rc >= 0) {
        return NGX_OK;
    }

    return (rc == PCRE2_ERROR_NOMATCH) ? NGX_DECLINED : NGX_ERROR;
}


static ngx_int_t
ngx_gate_match_init(void)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(ngx_cycle->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_gate_match_done;

    ngx_gate_match_context = pcre2_match_context_create(NULL);
    if (ngx_gate_match_context == NULL) {
        return NGX_ERROR;
    }

    pcre2_set_match_limit(ngx_gate_match_context, NGX_GATE_MATCH_STEPS);

    /* grows as needed; without it, the machine stack is used */

    ngx_gate_match_stack = pcre2_jit_stack_create(NGX_GATE_MATCH_STACK_MIN,
                                                  NGX_GATE_MATCH_STACK_MAX,
                                                  NULL);

    if (ngx_gate_match_stack) {
        pcre2_jit_stack_assign(ngx_gate_match_context, NULL,
                               ngx_gate_match_stack);
    }

    ngx_gate_match_data = pcre2_match_data_create(1, NULL);

    if (ngx_gate_match_data == NULL) {
        ngx_gate_match_done(NULL);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* cleanup of the first cycle, if a process has several */

static void
ngx_gate_match_done(void *data)
{
    pcre2_match_data_free(ngx_gate_match_data);
    pcre2_jit_stack_free(ngx_gate_match_stack);
    pcre2_match_context_free(ngx_gate_match_context);

    ngx_gate_match_data = NULL;
    ngx_gate_match_stack = NULL;
    ngx_gate_match_context = NULL;
}


#else /* the original PCRE: limited, but JIT depends on "pcre_jit" */


#define ngx_gate_match_value(v)   ngx_gate_match_string(v)
#define ngx_gate_match_string(v)  #v


ngx_int_t
ngx_gate_match_compile(ngx_conf_t *cf, ngx_regex_compile_t *rc)
{
    u_char     *p;
    ngx_str_t   limit = ngx_string("(*LIMIT_MATCH="
                             ngx_gate_match_value(NGX_GATE_MATCH_STEPS) ")");

    p = ngx_pnalloc(cf->pool, limit.len + rc->pattern.len + 1);
    if (p == NULL) {
        ngx_str_set(&rc->err, "no memory");
        return NGX_ERROR;
    }

    (void) ngx_sprintf(p, "%V%V%Z", &limit, &rc->pattern);

    rc->pattern.data = p;
    rc->pattern.len += limit.len;
    rc->pool = cf->pool;

    return ngx_regex_compile(rc);
}


ngx_int_t
ngx_gate_match_exec(ngx_regex_t *regex, ngx_str_t *text)
{
    ngx_int_t  rc;

    rc = ngx_regex_exec(regex, text, NULL, 0);

    if (rc >= 0) {
        return NGX_OK;
    }

    return (rc == NGX_REGEX_NO_MATCHED) ? NGX_DECLINED : NGX_ERROR;
}


#endif


#endif /* NGX_PCRE */
