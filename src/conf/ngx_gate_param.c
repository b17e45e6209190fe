
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The words of a check after its target: common parameters, and those of its
 * type, by tables of the same kind.
 */


#include <ngx_gate_param.h>
#include <ngx_gate_conf.h>
#include <ngx_gate_state.h>
#include <ngx_gate_mistake.h>
#include <ngx_gate_match.h>
#include <ngx_gate_word.h>
#include <ngx_md5.h>


/* far below the maximum of a time, for sums and products */

#define NGX_GATE_PARAM_TIME_MAX   (NGX_MAX_INT_T_VALUE / 64)
#define NGX_GATE_PARAM_TIME_TEXT  "a time above 0, as in 500ms, 5s, 2m or 1h"

#define NGX_GATE_PARAM_NAME_TEXT                                              \
    "letters, digits, \"_\", \"-\" and \".\" are allowed"

#define NGX_GATE_PARAM_LIST_MAX   512
#define NGX_GATE_PARAM_ERROR_MAX  768


static char *ngx_gate_param_parse(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_str_t *words, ngx_uint_t n, ngx_uint_t first);
static char *ngx_gate_param_parse_word(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *words, ngx_uint_t i);
static ngx_gate_param_t *ngx_gate_param_find_in(ngx_gate_param_t *param,
    ngx_str_t *name);
static ngx_uint_t ngx_gate_param_is_word(ngx_str_t *word);
static char *ngx_gate_param_unknown(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_str_t *name, ngx_str_t *value);
static void ngx_gate_param_nearest(ngx_gate_word_t *w,
    ngx_gate_check_t *check, ngx_gate_param_t *param);
static u_char *ngx_gate_param_list(u_char *p, u_char *last,
    ngx_gate_check_t *check, ngx_gate_param_t *param);
static void ngx_gate_param_log(ngx_conf_t *cf, ngx_uint_t level,
    ngx_gate_check_t *check, const char *fmt, va_list args);
static void ngx_gate_param_warn_path(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_param_t *param, ngx_str_t *path);

static char *ngx_gate_param_set_name(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value);
static char *ngx_gate_param_set_label(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value);
static char *ngx_gate_param_set_after(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value);
static char *ngx_gate_param_set_period(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_param_t *param, ngx_str_t *value);
static char *ngx_gate_param_set_optional(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_param_t *param, ngx_str_t *value);

static char *ngx_gate_param_time(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value, ngx_msec_t *msec);
static char *ngx_gate_param_bad_value(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value, const char *allowed);

static void ngx_gate_param_digest(ngx_gate_check_t *check, const char *role,
    ngx_str_t *word);


/*
 * Common parameters; the offsets are those of ngx_gate_check_t.  They do not
 * identify a check: the digest contains only the name, which is added
 * separately because of its default.
 */

static ngx_gate_param_t  ngx_gate_param_common[] = {

    { ngx_string("name"),
      NGX_GATE_PARAM_CHECK,
      ngx_gate_param_set_name,
      0,
      "a name of letters, digits, \"_\", \"-\" and \".\","
      " 64 characters at most" },

    { ngx_string("label"),
      NGX_GATE_PARAM_CHECK,
      ngx_gate_param_set_label,
      offsetof(ngx_gate_check_t, label),
      "one line of UTF-8 without control characters and double spaces,"
      " 128 bytes at most" },

    { ngx_string("interval"),
      NGX_GATE_PARAM_CHECK,
      ngx_gate_param_set_period,
      offsetof(ngx_gate_check_t, interval),
      NGX_GATE_PARAM_TIME_TEXT },

    { ngx_string("timeout"),
      0,
      ngx_gate_param_set_period,
      offsetof(ngx_gate_check_t, timeout),
      NGX_GATE_PARAM_TIME_TEXT },

    { ngx_string("optional"),
      NGX_GATE_PARAM_FLAG|NGX_GATE_PARAM_CHECK,
      ngx_gate_param_set_optional,
      0,
      NULL },

    { ngx_string("after"),
      NGX_GATE_PARAM_CHECK,
      ngx_gate_param_set_after,
      0,
      "the name of another check of this gate, or several with commas" },

      ngx_gate_param_end
};


char *
ngx_gate_param_parse_all(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_str_t *words, ngx_uint_t n)
{
    ngx_str_t   name, value;
    ngx_uint_t  i;

    /* the initializer has to know a notify check by its name */

    check->name = (check->type == &ngx_gate_check_notify) ? check->target
                                                          : check->type->name;

    if (ngx_gate_param_parse(cf, check, words, n, NGX_GATE_PARAM_FIRST)
        != NGX_CONF_OK
        || ngx_gate_param_parse(cf, check, words, n, 0) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    /* the digest does not depend on the order of the words */

    ngx_memzero(check->digest, sizeof(check->digest));

    ngx_gate_param_digest(check, "type", &check->type->name);
    ngx_gate_param_digest(check, "name", &check->name);
    ngx_gate_param_digest(check, "target", &check->target);

    for (i = 0; i < n; i++) {
        ngx_gate_param_split(&words[i], &name, &value);

        if (ngx_gate_param_find_in(ngx_gate_param_common, &name) == NULL) {
            ngx_gate_param_digest(check, "param", &words[i]);
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_gate_param_parse(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_str_t *words, ngx_uint_t n, ngx_uint_t first)
{
    ngx_str_t          name, value;
    ngx_uint_t         i;
    ngx_gate_param_t  *param;

    for (i = 0; i < n; i++) {
        ngx_gate_param_split(&words[i], &name, &value);

        param = ngx_gate_param_find(check, &name);

        if (first != (param ? param->flags & NGX_GATE_PARAM_FIRST : 0)) {
            continue;
        }

        if (ngx_gate_mistake_find(cf, check, words, n, i) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }

        if (param == NULL) {
            return ngx_gate_param_unknown(cf, check, &name, &value);
        }

        if (ngx_gate_param_parse_word(cf, check, param, words, i)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_gate_param_parse_word(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *words, ngx_uint_t i)
{
    ngx_str_t   name, value, other, unused;
    ngx_uint_t  j;

    ngx_gate_param_split(&words[i], &name, &value);

    if (check->trigger && (param->flags & NGX_GATE_PARAM_CHECK)) {
        return ngx_gate_param_error(cf, check, "parameter \"%V\" is not "
                                    "allowed in a trigger", &name);
    }

    for (j = 0; j < i && !(param->flags & NGX_GATE_PARAM_MULTI); j++) {
        ngx_gate_param_split(&words[j], &other, &unused);

        if (ngx_gate_str_eq(&other, &name)) {
            return ngx_gate_param_error(cf, check,
                                        "duplicate parameter \"%V\"", &name);
        }
    }

    if (param->flags & NGX_GATE_PARAM_FLAG) {

        if (value.data) {
            return ngx_gate_param_error(cf, check,
                                        "parameter \"%V\" takes no value",
                                        &name);
        }

    } else if (value.data ? value.len == 0
                            && !(param->flags & NGX_GATE_PARAM_EMPTY)
                          : !(param->flags & NGX_GATE_PARAM_MAYBE))
    {
        return ngx_gate_param_error(cf, check,
                                    "parameter \"%V\" needs a value: \"%V=\""
                                    " and %s", &name, &name,
                                    param->values ? param->values : "a text");
    }

    /* a parameter of the inner check */

    if (check->inner
        && ngx_gate_param_find_in(check->inner->type->params, &name) == param)
    {
        check = check->inner;
    }

    return param->set(cf, check, param, &value);
}


ngx_gate_param_t *
ngx_gate_param_find(ngx_gate_check_t *check, ngx_str_t *name)
{
    ngx_gate_param_t  *param;

    param = ngx_gate_param_find_in(ngx_gate_param_common, name);

    if (param == NULL) {
        param = ngx_gate_param_find_in(check->type->params, name);
    }

    if (param == NULL && check->inner) {
        param = ngx_gate_param_find_in(check->inner->type->params, name);
    }

    return param;
}


static ngx_gate_param_t *
ngx_gate_param_find_in(ngx_gate_param_t *param, ngx_str_t *name)
{
    for ( /* void */ ; param && param->name.len; param++) {

        if (ngx_gate_str_eq(&param->name, name)) {
            return param;
        }
    }

    return NULL;
}


void
ngx_gate_param_split(ngx_str_t *word, ngx_str_t *name, ngx_str_t *value)
{
    u_char  *p;

    *name = *word;
    ngx_str_null(value);

    p = ngx_strlchr(word->data, word->data + word->len, '=');

    if (p) {
        name->len = p - word->data;
        value->data = p + 1;
        value->len = word->len - name->len - 1;
    }
}


static char *
ngx_gate_param_unknown(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_str_t *name, ngx_str_t *value)
{
    u_char            *p, *last;
    u_char             list[NGX_GATE_PARAM_LIST_MAX];
    ngx_str_t          word;
    const char        *hint;
    ngx_gate_word_t    w;
    ngx_gate_param_t  *inner;

    word = *name;
    hint = "";
    inner = check->inner ? check->inner->type->params : NULL;

    if (ngx_gate_conf_is_directive(name)) {
        return ngx_gate_param_error(cf, check, "unknown parameter \"%V\" (it "
                                    "is a directive of init_checks)", name);
    }

    ngx_gate_word_init(&w, name);
    ngx_gate_param_nearest(&w, check, check->type->params);
    ngx_gate_param_nearest(&w, check, inner);
    ngx_gate_param_nearest(&w, check, ngx_gate_param_common);

    if (w.nearest) {
        return ngx_gate_param_error(cf, check, "unknown parameter \"%V\" "
                                    "(did you mean \"%V\"?)", name,
                                    w.nearest);
    }

    if (value->data && ngx_gate_mistake_is_keyword(&check->target)
        && ngx_gate_param_is_word(name))
    {
        return ngx_gate_param_error(cf, check, "unknown parameter \"%V\": a "
                                    "connection string with spaces is quoted "
                                    "whole, as in \"host=db dbname=app\"",
                                    name);
    }

    if (!ngx_gate_param_is_word(name)
        && (value->data == NULL || ngx_gate_param_check_name(name) != NULL))
    {
        /* an argument with missing quotes may be part of a password */

        ngx_str_set(&word, "...");
        hint = " (an argument with spaces is quoted whole, as in"
               " \"name=a b\")";
    }

    last = list + NGX_GATE_PARAM_LIST_MAX;

    p = ngx_gate_param_list(list, last, check, check->type->params);
    p = ngx_gate_param_list(p, last, check, inner);
    p = ngx_gate_param_list(p, last, check, ngx_gate_param_common);

    return ngx_gate_param_error(cf, check,
                                "unknown parameter \"%V\"%s, allowed are"
                                "%*s%s", &word, hint, (size_t) (p - list),
                                list, check->trigger ? " on=" : "");
}


static void
ngx_gate_param_nearest(ngx_gate_word_t *w, ngx_gate_check_t *check,
    ngx_gate_param_t *param)
{
    for ( /* void */ ; param && param->name.len; param++) {

        if (!check->trigger || !(param->flags & NGX_GATE_PARAM_CHECK)) {
            ngx_gate_word_try(w, &param->name);
        }
    }
}


/* whether a word may be a misspelled name */

static ngx_uint_t
ngx_gate_param_is_word(ngx_str_t *word)
{
    size_t  i;

    for (i = 0; i < word->len; i++) {
        if ((word->data[i] < 'a' || word->data[i] > 'z')
            && word->data[i] != '_')
        {
            return 0;
        }
    }

    return 1;
}


static u_char *
ngx_gate_param_list(u_char *p, u_char *last, ngx_gate_check_t *check,
    ngx_gate_param_t *param)
{
    for ( /* void */ ; param && param->name.len; param++) {

        if (check->trigger && (param->flags & NGX_GATE_PARAM_CHECK)) {
            continue;
        }

        /* the inner check has some of the same names */

        if (ngx_gate_param_find(check, &param->name) != param) {
            continue;
        }

        p = ngx_slprintf(p, last, " %V%s", &param->name,
                         (param->flags & NGX_GATE_PARAM_FLAG) ? "" : "=");
    }

    return p;
}


char * ngx_cdecl
ngx_gate_param_error(ngx_conf_t *cf, ngx_gate_check_t *check,
    const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    ngx_gate_param_log(cf, NGX_LOG_EMERG, check, fmt, args);
    va_end(args);

    return NGX_CONF_ERROR;
}


void ngx_cdecl
ngx_gate_param_warn(ngx_conf_t *cf, ngx_gate_check_t *check,
    const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    ngx_gate_param_log(cf, NGX_LOG_WARN, check, fmt, args);
    va_end(args);
}


static void
ngx_gate_param_log(ngx_conf_t *cf, ngx_uint_t level, ngx_gate_check_t *check,
    const char *fmt, va_list args)
{
    u_char     buf[NGX_GATE_PARAM_ERROR_MAX];
    ngx_str_t  text;

    text.data = buf;
    text.len = ngx_vslprintf(buf, buf + NGX_GATE_PARAM_ERROR_MAX, fmt, args)
               - buf;

    if (check->trigger) {
        ngx_conf_log_error(level, cf, 0,
                           "%V in \"trigger\" directive in init_checks "
                           "\"%V\"", &text, &check->gate->name);
        return;
    }

    if (check->outer) {
        check = check->outer;
    }

    ngx_conf_log_error(level, cf, 0,
                       "%V in check \"%V\" of type \"%V\" in init_checks "
                       "\"%V\"", &text, &check->name, &check->type->name,
                       &check->gate->name);
}


void
ngx_gate_param_warn_missing(ngx_conf_t *cf, ngx_gate_check_t *check,
    const char *param, ngx_str_t *path)
{
    ngx_file_info_t  fi;

    if (path->len && ngx_file_info(path->data, &fi) == NGX_FILE_ERROR
        && ngx_errno == NGX_ENOENT)
    {
        ngx_gate_param_warn(cf, check, "\"%s=%V\": there is no such file",
                            param, path);
    }
}


static char *
ngx_gate_param_bad_value(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value, const char *allowed)
{
    if (param->values) {
        allowed = param->values;
    }

    return ngx_gate_param_error(cf, check,
                                "invalid value \"%V\" of parameter \"%V\","
                                " it must be %s",
                                value, &param->name, allowed);
}


static char *
ngx_gate_param_set_name(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    const char  *error;

    error = ngx_gate_param_check_name(value);

    if (error) {
        return ngx_gate_param_error(cf, check, "invalid value \"%V\" of "
                                    "parameter \"name\", %s", value, error);
    }

    check->name = *value;

    return NGX_CONF_OK;
}


static char *
ngx_gate_param_set_label(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    u_char     text[NGX_GATE_MESSAGE_MAX];
    ngx_str_t  folded;

    folded.data = text;
    folded.len = ngx_gate_fold_message(text, value->data, value->len);

    if (value->len > NGX_GATE_LABEL_MAX || !ngx_gate_str_eq(value, &folded)) {
        return ngx_gate_param_bad_value(cf, check, param, value, NULL);
    }

    check->label = *value;

    return NGX_CONF_OK;
}


static char *
ngx_gate_param_set_after(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    u_char     *p, *last;
    ngx_str_t  *name;

    check->after_names = ngx_array_create(cf->pool, 1, sizeof(ngx_str_t));
    if (check->after_names == NULL) {
        return NGX_CONF_ERROR;
    }

    last = value->data + value->len;
    p = value->data;

    for ( ;; ) {
        name = ngx_array_push(check->after_names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        name->data = p;

        p = ngx_strlchr(p, last, ',');

        name->len = (p ? p : last) - name->data;

        if (ngx_gate_param_check_name(name) != NULL) {
            return ngx_gate_param_bad_value(cf, check, param, value, NULL);
        }

        if (p++ == NULL) {
            return NGX_CONF_OK;
        }
    }
}


static char *
ngx_gate_param_set_period(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    ngx_msec_t  *msec;

    msec = (ngx_msec_t *) ((char *) check + param->offset);

    return ngx_gate_param_time(cf, check, param, value, msec);
}


static char *
ngx_gate_param_set_optional(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    check->optional = 1;

    return NGX_CONF_OK;
}


char *
ngx_gate_param_set_flag(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    ngx_uint_t  *flag;

    flag = (ngx_uint_t *) ((char *) check->conf + param->offset);

    *flag = 1;

    return NGX_CONF_OK;
}


char *
ngx_gate_param_set_str(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    ngx_str_t  *str;

    str = (ngx_str_t *) ((char *) check->conf + param->offset);

    *str = *value;

    return NGX_CONF_OK;
}


char *
ngx_gate_param_set_count(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    off_t     n;
    int64_t  *count;

    n = ngx_atoof(value->data, value->len);

    if (n == NGX_ERROR || n == 0) {
        return ngx_gate_param_bad_value(cf, check, param, value,
                                        "a number, 1 or more");
    }

    count = (int64_t *) ((char *) check->conf + param->offset);

    *count = n;

    return NGX_CONF_OK;
}


char *
ngx_gate_param_set_size(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    off_t  n, *size;

    n = ngx_parse_offset(value);

    if (n == NGX_ERROR || n == 0) {
        return ngx_gate_param_bad_value(cf, check, param, value,
                                        "a size above 0, as in 100, 64k, 1m"
                                        " or 2g");
    }

    size = (off_t *) ((char *) check->conf + param->offset);

    *size = n;

    return NGX_CONF_OK;
}


char *
ngx_gate_param_set_time(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    ngx_msec_t  *msec;

    msec = (ngx_msec_t *) ((char *) check->conf + param->offset);

    return ngx_gate_param_time(cf, check, param, value, msec);
}


static char *
ngx_gate_param_time(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value, ngx_msec_t *msec)
{
    ngx_int_t  n;

    n = ngx_parse_time(value, 0);

    if (n == NGX_ERROR || n == 0 || n > NGX_GATE_PARAM_TIME_MAX) {
        return ngx_gate_param_bad_value(cf, check, param, value,
                                        NGX_GATE_PARAM_TIME_TEXT);
    }

    *msec = n;

    return NGX_CONF_OK;
}


char *
ngx_gate_param_set_path(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    ngx_str_t  *path;

    if (ngx_strlchr(value->data, value->data + value->len, '\0')) {
        return ngx_gate_param_bad_value(cf, check, param, value,
                                        "a path without a zero byte");
    }

    ngx_gate_param_warn_path(cf, check, param, value);

    path = (ngx_str_t *) ((char *) check->conf + param->offset);

    *path = *value;

    if (ngx_conf_full_name(cf->cycle, path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* neither "~" nor variables are expanded in a path */

static void
ngx_gate_param_warn_path(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *path)
{
    u_char  *p;

    if (path->data[0] == '~') {
        ngx_gate_param_warn(cf, check, "\"~\" is literal in the %V \"%V\"",
                            &param->name, path);
        return;
    }

    for (p = path->data; p + 1 < path->data + path->len; p++) {

        if (*p == '$'
            && (p[1] == '{' || p[1] == '_'
                || (ngx_tolower(p[1]) >= 'a' && ngx_tolower(p[1]) <= 'z')))
        {
            ngx_gate_param_warn(cf, check, "\"$\" is literal in the %V "
                                "\"%V\"", &param->name, path);
            return;
        }
    }
}


char *
ngx_gate_param_set_regex(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
#if (NGX_PCRE)
    u_char                errstr[NGX_MAX_CONF_ERRSTR];
    ngx_regex_t         **regex;
    ngx_regex_compile_t   rc;

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    rc.pattern = *value;
    rc.err.len = NGX_MAX_CONF_ERRSTR;
    rc.err.data = errstr;

    if (ngx_gate_match_compile(cf, &rc) != NGX_OK) {
        return ngx_gate_param_error(cf, check,
                                    "invalid value of parameter \"%V\": %V",
                                    &param->name, &rc.err);
    }

    regex = (ngx_regex_t **) ((char *) check->conf + param->offset);

    *regex = rc.regex;

    return NGX_CONF_OK;

#else

    return ngx_gate_param_error(cf, check,
                                "parameter \"%V\" needs nginx to be built"
                                " with PCRE", &param->name);
#endif
}


const char *
ngx_gate_param_check_name(ngx_str_t *name)
{
    u_char      ch;
    ngx_uint_t  i;

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if ((ch >= '0' && ch <= '9')
            || (ch >= 'A' && ch <= 'Z')
            || (ch >= 'a' && ch <= 'z')
            || ch == '_' || ch == '-' || ch == '.')
        {
            continue;
        }

        return NGX_GATE_PARAM_NAME_TEXT;
    }

    if (name->len == 0) {
        return NGX_GATE_PARAM_NAME_TEXT;
    }

    if (name->len > NGX_GATE_NAME_MAX) {
        return "it is longer than 64 characters";
    }

    return NULL;
}


/* a sum, since that does not depend on the order */

static void
ngx_gate_param_digest(ngx_gate_check_t *check, const char *role,
    ngx_str_t *word)
{
    u_char      md5[16];
    ngx_md5_t   ctx;
    ngx_uint_t  i, sum;

    ngx_md5_init(&ctx);
    ngx_md5_update(&ctx, role, ngx_strlen(role) + 1);
    ngx_md5_update(&ctx, word->data, word->len);
    ngx_md5_final(md5, &ctx);

    sum = 0;

    for (i = 0; i < sizeof(md5); i++) {
        sum = (sum >> 8) + check->digest[i] + md5[i];
        check->digest[i] = (u_char) sum;
    }
}
