
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The parameters of a check ("name=value" or a bare word), by a table of each
 * check type, as ngx_command_t for directives.
 */


#ifndef _NGX_GATE_PARAM_H_INCLUDED_
#define _NGX_GATE_PARAM_H_INCLUDED_


#include <ngx_gate.h>


#define NGX_GATE_PARAM_FLAG   0x0001    /* a bare word without a value */
#define NGX_GATE_PARAM_MULTI  0x0002    /* may be given more than once */
#define NGX_GATE_PARAM_CHECK  0x0004    /* only for checks, not for a trigger */
#define NGX_GATE_PARAM_SECRET 0x0008    /* the value is not logged */
#define NGX_GATE_PARAM_QUOTED 0x0010    /* quotes are part of the value */
#define NGX_GATE_PARAM_EMPTY  0x0020    /* the value may be empty */
#define NGX_GATE_PARAM_MAYBE  0x0040    /* with or without a value */
#define NGX_GATE_PARAM_FIRST  0x0080    /* set before those without this */


/*
 * The setter gets the value after "=" (empty for a flag) and the parameter,
 * and writes to check->conf at param->offset.  It returns NGX_CONF_OK, or
 * logs an error by ngx_gate_param_error() and returns NGX_CONF_ERROR.
 */

struct ngx_gate_param_s {
    ngx_str_t                 name;
    ngx_uint_t                flags;
    char                   *(*set)(ngx_conf_t *cf, ngx_gate_check_t *check,
                                   ngx_gate_param_t *param, ngx_str_t *value);
    size_t                    offset;
    const char               *values;    /* allowed values, for messages */
};

#define ngx_gate_param_end  { ngx_null_string, 0, NULL, 0, NULL }


/* setters; if a parameter is not given, its field is zeroed: NULL, 0 */

char *ngx_gate_param_set_flag(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value);    /* ngx_uint_t: 1 */
char *ngx_gate_param_set_str(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value);    /* ngx_str_t, not empty */
char *ngx_gate_param_set_count(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value);    /* int64_t, at least 1 */
char *ngx_gate_param_set_size(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value);    /* off_t, at least 1 */
char *ngx_gate_param_set_time(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value);    /* ngx_msec_t, at least 1 */
char *ngx_gate_param_set_path(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value);    /* ngx_str_t, full path,
                                                      relative to the prefix */
char *ngx_gate_param_set_regex(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value);    /* ngx_regex_t *, for
                                                      ngx_gate_match_exec() */

/*
 * Logs at emerg, with file and line, followed by: in check "schema" of type
 * "postgres" in init_checks "app"; returns NGX_CONF_ERROR.
 */

char * ngx_cdecl ngx_gate_param_error(ngx_conf_t *cf, ngx_gate_check_t *check,
    const char *fmt, ...);

/* the same at warn: valid, but probably a mistake */

void ngx_cdecl ngx_gate_param_warn(ngx_conf_t *cf, ngx_gate_check_t *check,
    const char *fmt, ...);

/* warns if the file of a secret does not exist; an empty path is ignored */

void ngx_gate_param_warn_missing(ngx_conf_t *cf, ngx_gate_check_t *check,
    const char *param, ngx_str_t *path);

/*
 * For gates and checks: names are used in JSON, HTML and headers without
 * escaping.  Returns NULL or the error.
 */

const char *ngx_gate_param_check_name(ngx_str_t *name);

/* "name=value"; value.data is NULL if there is no "=" */

void ngx_gate_param_split(ngx_str_t *word, ngx_str_t *name,
    ngx_str_t *value);
ngx_gate_param_t *ngx_gate_param_find(ngx_gate_check_t *check,
    ngx_str_t *name);

/* parses all words of "check TYPE TARGET ..." after TARGET */

char *ngx_gate_param_parse_all(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_str_t *words, ngx_uint_t n);


#endif /* _NGX_GATE_PARAM_H_INCLUDED_ */
