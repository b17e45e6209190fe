
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Verdicts from the row that a tool's query returns.
 */


#include <ngx_gate_check_migrations.h>


static ngx_uint_t ngx_gate_check_migrations_is_running(ngx_str_t *row,
    ngx_msec_t held);
static ngx_uint_t ngx_gate_check_migrations_has_state(ngx_str_t *row,
    const char *state);
static ngx_uint_t ngx_gate_check_migrations_has_lock(ngx_str_t *locks,
    uint32_t id);
static uint32_t ngx_gate_check_migrations_lock_id(u_char *data, size_t len);
static ngx_uint_t ngx_gate_check_migrations_is_true(ngx_str_t *value);

static void ngx_cdecl ngx_gate_check_migrations_result(
    ngx_gate_check_migrations_result_t *result, ngx_gate_verdict_e verdict,
    ngx_gate_reason_e reason, const char *fmt, ...);


void
ngx_gate_check_migrations_evaluate(ngx_gate_check_migrations_conf_t *conf,
    ngx_str_t *row, ngx_msec_t held,
    ngx_gate_check_migrations_result_t *result)
{
    ngx_str_t   *newest, *subject;
    ngx_uint_t   reached, ahead;

    newest = &row[NGX_GATE_CHECK_MIGRATIONS_NEWEST];
    subject = &row[NGX_GATE_CHECK_MIGRATIONS_SUBJECT];
    reached = ngx_gate_check_migrations_is_true(
                                      &row[NGX_GATE_CHECK_MIGRATIONS_REACHED]);
    ahead = ngx_gate_check_migrations_is_true(
                                        &row[NGX_GATE_CHECK_MIGRATIONS_AHEAD]);

    if (ngx_gate_check_migrations_is_running(row, held)) {

        ngx_gate_check_migrations_result(result, NGX_GATE_RUNNING,
                                         NGX_GATE_IN_PROGRESS,
                                         "migration%s%V is running%s%V",
                                         subject->len ? " " : "", subject,
                                         conf->version.len ? ", expected " : "",
                                         &conf->version);
        return;
    }

    if (ngx_gate_check_migrations_has_state(row, "ambiguous")) {

        ngx_gate_check_migrations_result(result, NGX_GATE_ERROR,
                                         NGX_GATE_QUERY,
                                         "several changesets have the id "
                                         "\"%V\", author:id or "
                                         "path::author:id is needed",
                                         &conf->version);
        return;
    }

    if (row[NGX_GATE_CHECK_MIGRATIONS_STATE].len) {

        ngx_gate_check_migrations_result(result, NGX_GATE_FAILED,
                                         NGX_GATE_DIRTY,
                                         "migration%s%V did not finish%s%V",
                                         subject->len ? " " : "", subject,
                                         conf->version.len ? ", expected " : "",
                                         &conf->version);
        return;
    }

    if (newest->len == 0) {
        ngx_gate_check_migrations_none(conf, result);
        return;
    }

    if (conf->version.len == 0) {
        ngx_gate_check_migrations_result(result, NGX_GATE_PASSED, NGX_GATE_OK,
                                         "at %V", newest);
        return;
    }

    if (!reached && conf->tool->ordered) {
        ngx_gate_check_migrations_result(result, NGX_GATE_WAITING,
                                         NGX_GATE_BEHIND,
                                         ahead ? "at %V, but %V is missing"
                                               : "at %V, expected %V",
                                         newest, &conf->version);
        return;
    }

    if (!reached) {
        ngx_gate_check_migrations_result(result, NGX_GATE_WAITING,
                                         NGX_GATE_OTHER_REVISION,
                                         "at %V, expected %V", newest,
                                         &conf->version);
        return;
    }

    if (ahead && conf->exact) {
        ngx_gate_check_migrations_result(result, NGX_GATE_WAITING,
                                         NGX_GATE_AHEAD,
                                         "at %V, expected exactly %V",
                                         newest, &conf->version);
        return;
    }

    ngx_gate_check_migrations_result(result, NGX_GATE_PASSED, NGX_GATE_OK,
                                     "at %V, expected %V", newest,
                                     &conf->version);
}


void
ngx_gate_check_migrations_none(ngx_gate_check_migrations_conf_t *conf,
    ngx_gate_check_migrations_result_t *result)
{
    ngx_gate_check_migrations_result(result, NGX_GATE_WAITING,
                                     NGX_GATE_UNINITIALIZED,
                                     "no migration of %V has run%s%V",
                                     &conf->tool->name,
                                     conf->version.len ? ", expected " : "",
                                     &conf->version);
}


void
ngx_gate_check_migrations_locked(ngx_gate_check_migrations_conf_t *conf,
    ngx_str_t *row, ngx_msec_t held,
    ngx_gate_check_migrations_result_t *result)
{
    ngx_str_t   *holder, *since;
    ngx_uint_t   stale;
    const char  *quote;

    quote = (*conf->lock_table == '"') ? "" : "\"";
    holder = &row[NGX_GATE_CHECK_MIGRATIONS_HOLDER];
    since = &row[NGX_GATE_CHECK_MIGRATIONS_SINCE];

    /*
     * The time in the lock may be in another time zone, so only a long
     * difference is meaningful.
     */

    stale = ngx_gate_check_migrations_is_true(
                                           &row[NGX_GATE_CHECK_MIGRATIONS_OLD])
            || held >= NGX_GATE_CHECK_MIGRATIONS_STALE;

    ngx_gate_check_migrations_result(result,
                                     stale ? NGX_GATE_FAILED : NGX_GATE_RUNNING,
                                     stale ? NGX_GATE_STALE_LOCK
                                           : NGX_GATE_IN_PROGRESS,
                                     "%s%s%s is locked%s%V%s%V%s",
                                     quote, conf->lock_table, quote,
                                     holder->len ? " by " : "", holder,
                                     since->len ? " since " : "", since,
                                     stale ? ", for too long" : "");
}


static ngx_uint_t
ngx_gate_check_migrations_is_running(ngx_str_t *row, ngx_msec_t held)
{
    size_t       len;
    u_char      *p, buf[NGX_MAX_ERROR_STR];
    uint32_t     id;
    ngx_str_t   *schema, *table, *locks, *database;

    if (ngx_gate_check_migrations_has_state(row, "running")) {
        return 1;
    }

    if (ngx_gate_check_migrations_has_state(row, "unclear")
        && held < NGX_GATE_CHECK_MIGRATIONS_STALE)
    {
        return 1;
    }

    locks = &row[NGX_GATE_CHECK_MIGRATIONS_LOCKS];

    if (locks->len == 0) {
        return 0;
    }

    if (row[NGX_GATE_CHECK_MIGRATIONS_STATE].len == 0
        && ngx_gate_check_migrations_is_true(
                                      &row[NGX_GATE_CHECK_MIGRATIONS_REACHED]))
    {
        return 0;
    }

    /*
     * golang-migrate computes the number of its lock from names, depending on
     * its version: "schema", "table", "database"; "schema", "database";
     * "database".
     */

    schema = &row[NGX_GATE_CHECK_MIGRATIONS_SCHEMA];
    table = &row[NGX_GATE_CHECK_MIGRATIONS_TABLE];
    database = &row[NGX_GATE_CHECK_MIGRATIONS_DATABASE];

    p = ngx_slprintf(buf, buf + sizeof(buf), "%V%Z%V%Z%V",
                     schema, table, database);
    len = p - buf;
    id = ngx_gate_check_migrations_lock_id(buf, len);

    if (ngx_gate_check_migrations_has_lock(locks, id)) {
        return 1;
    }

    p = ngx_slprintf(buf, buf + sizeof(buf), "%V%Z%V", schema, database);
    len = p - buf;
    id = ngx_gate_check_migrations_lock_id(buf, len);

    if (ngx_gate_check_migrations_has_lock(locks, id)) {
        return 1;
    }

    return ngx_gate_check_migrations_has_lock(locks,
                        ngx_gate_check_migrations_lock_id(database->data,
                                                          database->len));
}


static ngx_uint_t
ngx_gate_check_migrations_has_state(ngx_str_t *row, const char *state)
{
    ngx_str_t  *value;

    value = &row[NGX_GATE_CHECK_MIGRATIONS_STATE];

    return value->len == ngx_strlen(state)
           && ngx_strncmp(value->data, state, value->len) == 0;
}


static uint32_t
ngx_gate_check_migrations_lock_id(u_char *data, size_t len)
{
    return ngx_crc32_long(data, len) * 1486364155u;
}


static ngx_uint_t
ngx_gate_check_migrations_has_lock(ngx_str_t *locks, uint32_t id)
{
    size_t   len;
    u_char  *p, *last, *end, text[NGX_INT32_LEN];

    len = ngx_sprintf(text, "%uD", id) - text;

    p = locks->data;
    last = locks->data + locks->len;

    while (p < last) {
        end = ngx_strlchr(p, last, ' ');

        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) == len && ngx_strncmp(p, text, len) == 0) {
            return 1;
        }

        p = end + 1;
    }

    return 0;
}


static ngx_uint_t
ngx_gate_check_migrations_is_true(ngx_str_t *value)
{
    return value->len == 1 && value->data[0] == 't';
}


static void ngx_cdecl
ngx_gate_check_migrations_result(ngx_gate_check_migrations_result_t *result,
    ngx_gate_verdict_e verdict, ngx_gate_reason_e reason, const char *fmt,
    ...)
{
    u_char   *last;
    va_list   args;

    result->verdict = verdict;
    result->reason = reason;

    va_start(args, fmt);
    last = ngx_vslprintf(result->message.data,
                         result->message.data + result->message.len, fmt, args);
    va_end(args);

    result->message.len = last - result->message.data;
}
