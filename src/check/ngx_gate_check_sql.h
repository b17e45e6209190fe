
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Parsing of names of tables and schemas as in SQL: a, s.b, "S"."b".
 */


#ifndef _NGX_GATE_CHECK_SQL_H_INCLUDED_
#define _NGX_GATE_CHECK_SQL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_str_t                 text;      /* as written */
    char                     *quoted;    /* every part quoted */
} ngx_gate_check_sql_name_t;


/*
 * A comma-separated list of names with at most this number of parts.  The
 * quoted result is always a name in SQL. Returns NULL or the error.
 */

char *ngx_gate_check_sql_names(ngx_pool_t *pool, ngx_str_t *list,
    ngx_uint_t parts, ngx_array_t **names);


#endif /* _NGX_GATE_CHECK_SQL_H_INCLUDED_ */
