
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The waiting page of a location: init_page, and the gates on the page.
 */


#include <ngx_http_gate.h>
#include <ngx_gate_record.h>
#include <ngx_gate_mistake.h>
#include <ngx_gate_param.h>
#include <ngx_gate_word.h>


#define NGX_HTTP_GATE_PAGE_COLOR_MAX  64


static char *ngx_http_gate_page_mistake(ngx_conf_t *cf, ngx_str_t *words,
    ngx_uint_t i);
static ngx_uint_t ngx_http_gate_page_find(ngx_str_t *word);
static char *ngx_http_gate_page_set(ngx_conf_t *cf,
    ngx_http_gate_loc_conf_t *glcf, ngx_uint_t param, ngx_str_t *value);
static const char *ngx_http_gate_page_check(ngx_uint_t param,
    ngx_str_t *value);
static ngx_uint_t ngx_http_gate_page_is_color(ngx_str_t *value);
static ngx_int_t ngx_http_gate_page_words(ngx_http_request_t *r,
    ngx_gate_html_page_t *page, ngx_uint_t *details);
static void ngx_http_gate_page_gates(ngx_http_request_t *r, ngx_gate_t *gate,
    ngx_gate_html_page_t *page);
static ngx_int_t ngx_http_gate_page_items(ngx_http_request_t *r,
    ngx_gate_t *gate, ngx_gate_html_page_t *page);
static ngx_uint_t ngx_http_gate_page_add_items(ngx_gate_t *gate,
    ngx_gate_html_item_t *items);


/* a gate that opens while the page is rendered is shown as closed */

#define ngx_http_gate_page_waits(gate, met)                                   \
    ((gate) == (met) || !ngx_gate_zone_is_open((gate)->shared))


static ngx_str_t  ngx_http_gate_page_params[] = {
    ngx_string("lang="),
    ngx_string("title="),
    ngx_string("message="),
    ngx_string("failed_title="),
    ngx_string("failed_message="),
    ngx_string("logo="),
    ngx_string("color="),
    ngx_string("details=")
};


char *
ngx_http_gate_page_init_page(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gate_loc_conf_t *glcf = conf;

    char        *rv;
    ngx_str_t   *word, value;
    ngx_uint_t   i, param;

    for (param = 0; param < NGX_HTTP_GATE_PAGE_PARAMS; param++) {
        if (glcf->page[param]) {
            return "is duplicate";
        }
    }

    word = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        param = ngx_http_gate_page_find(&word[i]);

        if (param == NGX_HTTP_GATE_PAGE_PARAMS
            && ngx_http_gate_page_mistake(cf, word, i) != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }

        if (param == NGX_HTTP_GATE_PAGE_PARAMS
            || glcf->page[param]
            || word[i].len == ngx_http_gate_page_params[param].len)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"init_page\" "
                               "directive: \"lang=TAG\", \"title=TEXT\", "
                               "\"message=TEXT\", \"failed_title=TEXT\", "
                               "\"failed_message=TEXT\", \"details=on|off\", "
                               "\"logo=URL\" and \"color=COLOR\" are "
                               "allowed, once each", &word[i]);
            return NGX_CONF_ERROR;
        }

        value.data = word[i].data + ngx_http_gate_page_params[param].len;
        value.len = word[i].len - ngx_http_gate_page_params[param].len;

        rv = ngx_http_gate_page_set(cf, glcf, param, &value);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


/* spaces and misspelled names */

static char *
ngx_http_gate_page_mistake(ngx_conf_t *cf, ngx_str_t *words, ngx_uint_t i)
{
    ngx_str_t        name, value, *next, known[NGX_HTTP_GATE_PAGE_PARAMS];
    ngx_uint_t       param;
    ngx_gate_word_t  w;

    next = (i + 1 < cf->args->nelts) ? &words[i + 1] : NULL;

    ngx_gate_param_split(&words[i], &name, &value);

    if (name.len == 0 || (value.data == NULL && next && next->data[0] == '='))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a parameter of \"init_page\" has no spaces around "
                           "\"=\": write \"title=TEXT\"");
        return NGX_CONF_ERROR;
    }

    if (value.data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"init_page\" "
                           "directive: an argument with spaces is quoted "
                           "whole, as in \"title=Back soon\"", &name);
        return NGX_CONF_ERROR;
    }

    ngx_gate_word_init(&w, &name);

    for (param = 0; param < NGX_HTTP_GATE_PAGE_PARAMS; param++) {
        known[param] = ngx_http_gate_page_params[param];
        known[param].len--;

        ngx_gate_word_try(&w, &known[param]);
    }

    if (w.nearest) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown parameter \"%V\" (did you mean \"%V\"?) in "
                           "\"init_page\" directive", &name, w.nearest);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_gate_page_find(ngx_str_t *word)
{
    ngx_str_t   *name;
    ngx_uint_t   param;

    for (param = 0; param < NGX_HTTP_GATE_PAGE_PARAMS; param++) {

        name = &ngx_http_gate_page_params[param];

        if (word->len >= name->len
            && ngx_strncmp(word->data, name->data, name->len) == 0)
        {
            break;
        }
    }

    return param;
}


static char *
ngx_http_gate_page_set(ngx_conf_t *cf, ngx_http_gate_loc_conf_t *glcf,
    ngx_uint_t param, ngx_str_t *value)
{
    const char                        *allowed;
    ngx_str_t                         *name;
    ngx_http_complex_value_t          *cv;
    ngx_http_compile_complex_value_t   ccv;

    name = &ngx_http_gate_page_params[param];

    if (ngx_gate_mistake_is_quoted(value)) {
        value->data++;
        value->len -= 2;

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter in \"init_page\" directive: "
                           "write \"%V%V\", not %V\"%V\"",
                           name, value, name, value);
        return NGX_CONF_ERROR;
    }

    cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (cv == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = cv;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    glcf->page[param] = cv;

    /* values with variables are known at run time only */

    allowed = cv->lengths ? NULL : ngx_http_gate_page_check(param, value);

    if (allowed) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V%V\" in \"init_page\" "
                           "directive: it must be %s", name, value, allowed);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* NULL, or the allowed values */

static const char *
ngx_http_gate_page_check(ngx_uint_t param, ngx_str_t *value)
{
    ngx_str_t  lang;

    switch (param) {

    case NGX_HTTP_GATE_PAGE_LANG:
        lang = ngx_gate_html_lang(value);

        return (lang.len == value->len)
               ? NULL : "the tag of a language, as in \"de\" or \"pt-BR\"";

    case NGX_HTTP_GATE_PAGE_COLOR:
        return ngx_http_gate_page_is_color(value)
               ? NULL : "a CSS color, as in \"#0b5fff\" or \"teal\"";

    case NGX_HTTP_GATE_PAGE_DETAILS:
        return (ngx_strcmp(value->data, "on") == 0
                || ngx_strcmp(value->data, "off") == 0)
               ? NULL : "\"on\" or \"off\"";

    default:
        return NULL;
    }
}


/* accepts only text that can be a single value in a style */

static ngx_uint_t
ngx_http_gate_page_is_color(ngx_str_t *value)
{
    u_char  ch;
    size_t  i;

    for (i = 0; i < value->len; i++) {
        ch = value->data[i];

        if ((ch < 'a' || ch > 'z') && (ch < 'A' || ch > 'Z')
            && (ch < '0' || ch > '9')
            && (ch == '\0' || strchr("#(),.% -", ch) == NULL))
        {
            return 0;
        }
    }

    return value->len <= NGX_HTTP_GATE_PAGE_COLOR_MAX;
}


/* each parameter is inherited separately */

void
ngx_http_gate_page_merge(ngx_http_gate_loc_conf_t *prev,
    ngx_http_gate_loc_conf_t *conf)
{
    ngx_uint_t  param;

    for (param = 0; param < NGX_HTTP_GATE_PAGE_PARAMS; param++) {
        if (conf->page[param] == NULL) {
            conf->page[param] = prev->page[param];
        }
    }
}


ngx_int_t
ngx_http_gate_page_render(ngx_http_request_t *r, ngx_http_gate_ctx_t *ctx,
    ngx_gate_html_parts_t *parts)
{
    u_char                *p;
    size_t                 size;
    ngx_uint_t             details;
    ngx_gate_html_page_t   page;

    ngx_memzero(&page, sizeof(ngx_gate_html_page_t));

    if (ngx_http_gate_page_words(r, &page, &details) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_gate_page_gates(r, ctx->gate, &page);

    if (details && ngx_http_gate_page_items(r, ctx->gate, &page) != NGX_OK) {
        return NGX_ERROR;
    }

    size = ngx_gate_html_page_size(&page);

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_gate_html_page(&page, parts, p, p + size);

    return NGX_OK;
}


static ngx_int_t
ngx_http_gate_page_words(ngx_http_request_t *r, ngx_gate_html_page_t *page,
    ngx_uint_t *details)
{
    ngx_str_t                  word[NGX_HTTP_GATE_PAGE_PARAMS];
    ngx_uint_t                 param;
    ngx_http_gate_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    for (param = 0; param < NGX_HTTP_GATE_PAGE_PARAMS; param++) {

        ngx_str_null(&word[param]);

        if (glcf->page[param]
            && ngx_http_complex_value(r, glcf->page[param], &word[param])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    page->lang = word[NGX_HTTP_GATE_PAGE_LANG];
    page->title = word[NGX_HTTP_GATE_PAGE_TITLE];
    page->message = word[NGX_HTTP_GATE_PAGE_MESSAGE];
    page->failed_title = word[NGX_HTTP_GATE_PAGE_FAILED_TITLE];
    page->failed_message = word[NGX_HTTP_GATE_PAGE_FAILED_MESSAGE];
    page->logo = word[NGX_HTTP_GATE_PAGE_LOGO];

    if (ngx_http_gate_page_is_color(&word[NGX_HTTP_GATE_PAGE_COLOR])) {
        page->color = word[NGX_HTTP_GATE_PAGE_COLOR];
    }

    *details = (word[NGX_HTTP_GATE_PAGE_DETAILS].len == 2
                && ngx_strncmp(word[NGX_HTTP_GATE_PAGE_DETAILS].data, "on", 2)
                   == 0);

    return NGX_OK;
}


/*
 * The page shows all closed gates as one.  A gate that has opened after the
 * others closed counts as completed; otherwise the progress would fall.
 */

static void
ngx_http_gate_page_gates(ngx_http_request_t *r, ngx_gate_t *gate,
    ngx_gate_html_page_t *page)
{
    int64_t                     begun;
    ngx_uint_t                  open;
    ngx_gate_t                **needed;
    ngx_gate_record_t           record;
    ngx_http_gate_loc_conf_t   *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    for (open = 0; open < 2; open++) {

        begun = ngx_gate_record_now() - (int64_t) page->elapsed;

        for (needed = glcf->gates; *needed; needed++) {

            if (ngx_http_gate_page_waits(*needed, gate) == open) {
                continue;
            }

            ngx_gate_zone_read((*needed)->shared, &record);

            if (!open || record.opened_at >= begun) {
                ngx_gate_html_page_add(page, &record, open, ngx_current_msec);
            }
        }
    }
}


static ngx_int_t
ngx_http_gate_page_items(ngx_http_request_t *r, ngx_gate_t *gate,
    ngx_gate_html_page_t *page)
{
    ngx_uint_t                  n;
    ngx_gate_t                **needed;
    ngx_http_gate_loc_conf_t   *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    n = 0;

    for (needed = glcf->gates; *needed; needed++) {
        n += (*needed)->checks.nelts;
    }

    page->items = ngx_palloc(r->pool, n * sizeof(ngx_gate_html_item_t));
    if (page->items == NULL) {
        return NGX_ERROR;
    }

    for (needed = glcf->gates; *needed; needed++) {

        if (ngx_http_gate_page_waits(*needed, gate)) {
            page->nitems += ngx_http_gate_page_add_items(*needed,
                                                 &page->items[page->nitems]);
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_gate_page_add_items(ngx_gate_t *gate, ngx_gate_html_item_t *items)
{
    ngx_uint_t               i;
    ngx_gate_check_record_t  record;

    for (i = 0; i < gate->checks.nelts; i++) {

        ngx_gate_zone_read_check(&gate->shared->checks[i].slots, &record);

        items[i].check = ngx_gate_check_at(gate, i);
        items[i].verdict = record.result.verdict;
        items[i].reason = record.result.reason;
    }

    return i;
}
