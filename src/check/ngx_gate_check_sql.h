
/*
 * Names of tables and schemas as a user writes them in SQL: a, s.b, "S"."b".
 */


#ifndef _NGX_GATE_CHECK_SQL_H_INCLUDED_
#define _NGX_GATE_CHECK_SQL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_str_t                 text;      /* as it was written */
    char                     *quoted;    /* every part in quotes */
} ngx_gate_check_sql_name_t;


/*
 * A list with commas, of names with so many parts at most.  What is quoted
 * here can be nothing but a name in SQL.  NULL, or what is wrong.
 */

char *ngx_gate_check_sql_names(ngx_pool_t *pool, ngx_str_t *list,
    ngx_uint_t parts, ngx_array_t **names);


#endif /* _NGX_GATE_CHECK_SQL_H_INCLUDED_ */
