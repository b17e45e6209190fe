
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The check type "postgres": its configuration, and the SQL statements,
 * shared by its two files.
 */


#ifndef _NGX_GATE_CHECK_POSTGRES_H_INCLUDED_
#define _NGX_GATE_CHECK_POSTGRES_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_param.h>
#include <ngx_gate_pq.h>
#include <ngx_gate_check_sql.h>
#include <ngx_gate_check_migrations.h>


typedef struct {
    /* as configured */
    ngx_gate_pq_conf_t                pq;
    ngx_str_t                         tables;
    ngx_str_t                         schema;
    ngx_str_t                         rows;
    ngx_str_t                         tool;
    ngx_str_t                         tool_table;
    ngx_str_t                         version;
    ngx_uint_t                        exact;
    ngx_msec_t                        settle;
    ngx_str_t                         query;
    ngx_str_t                         expect;
    int64_t                           min;
    ngx_str_t                         listen;

    const char                       *search_path;
    ngx_gate_check_sql_name_t        *names;  /* of "tables" */
    ngx_uint_t                        nnames;
    ngx_gate_check_sql_name_t        *table;  /* of "rows" */
    int64_t                           limit;
    const char                       *wanted; /* the version */
    const char                       *tool_params[2][2];
    ngx_gate_check_migrations_conf_t  migration;

    /*
     * The lookup contains "tables", followed by the table of "rows", the one
     * or two tables of the migration tool, and its lock table.
     */
    ngx_gate_pq_statement_t           lookup;
    ngx_uint_t                        rows_index;
    ngx_uint_t                        tool_index;
    ngx_uint_t                        ntool;
    ngx_uint_t                        lock_index;

    ngx_gate_pq_statement_t           lock;
    ngx_gate_pq_statement_t           migrations[2];
    ngx_gate_pq_statement_t           changed[2];
    ngx_gate_pq_statement_t           count;
    ngx_gate_pq_statement_t           select; /* the query */
} ngx_gate_check_postgres_conf_t;


extern ngx_gate_param_t  ngx_gate_check_postgres_conf_params[];

char *ngx_gate_check_postgres_conf_parse(ngx_conf_t *cf,
    ngx_gate_check_t *check);


#endif /* _NGX_GATE_CHECK_POSTGRES_H_INCLUDED_ */
