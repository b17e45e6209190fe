
/*
 * The parsers of the postgres check: names in SQL, versions, rows of migration
 * tools, messages of servers, and connection strings, whose passwords must not
 * be shown.  The first byte selects one.
 */


#include "fuzz.h"
#include <ngx_gate_check_migrations.h>
#include <ngx_gate_param.h>
#include <ngx_gate_pq.h>
#include <ngx_gate_check_sql.h>


#define FUZZ_SECRET   "Zq7secret7qZ"
#define FUZZ_COLUMNS  (NGX_GATE_CHECK_MIGRATIONS_ROW_N + 1)


static void fuzz_names(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_quoted(char *name, ngx_uint_t parts);
static void fuzz_version(ngx_str_t *text);
static void fuzz_row(ngx_str_t *text);
static void fuzz_message(ngx_str_t *text);
static void fuzz_conninfo(ngx_conf_t *cf, ngx_str_t *text);
static void fuzz_log_writer(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len);


static const char  *fuzz_tools[] = {
    "golang-migrate", "goose", "flyway", "liquibase", "alembic", "django",
    "rails", "prisma", "efcore", "knex", "diesel", "atlas"
};

#define FUZZ_TOOLS  (sizeof(fuzz_tools) / sizeof(fuzz_tools[0]))


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    u_char      kind;
    ngx_str_t   text;
    ngx_conf_t  cf;

    if (size == 0 || fuzz_conf(&cf) != NGX_OK) {
        return 0;
    }

    kind = data[0];

    text.len = size - 1;
    text.data = malloc(text.len + 1);
    fuzz_assert(text.data != NULL);

    ngx_memcpy(text.data, data + 1, text.len);
    text.data[text.len] = '\0';

    switch (kind) {

    case 'n':
        fuzz_names(cf.pool, &text);
        break;

    case 'v':
        fuzz_version(&text);
        break;

    case 'r':
        fuzz_row(&text);
        break;

    case 'm':
        fuzz_message(&text);
        break;

    case 'c':
        fuzz_conninfo(&cf, &text);
        break;
    }

    free(text.data);
    ngx_destroy_pool(cf.pool);

    return 0;
}


static void
fuzz_names(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_uint_t                  i, parts;
    ngx_array_t                *names;
    ngx_gate_check_sql_name_t  *name;

    for (parts = 1; parts <= 2; parts++) {

        if (ngx_gate_check_sql_names(pool, text, parts, &names)) {
            continue;
        }

        name = names->elts;

        for (i = 0; i < names->nelts; i++) {
            fuzz_quoted(name[i].quoted, parts);

            fuzz_assert(name[i].text.data >= text->data
                        && name[i].text.data + name[i].text.len
                           <= text->data + text->len);
        }
    }
}


/* an SQL parser reads it as quoted names and nothing else */

static void
fuzz_quoted(char *name, ngx_uint_t parts)
{
    for ( ;; ) {
        fuzz_assert(*name == '"' && parts-- > 0);

        for (name++; *name != '"' || name[1] == '"'; name++) {
            fuzz_assert(*name != '\0');

            if (*name == '"') {
                name++;
            }
        }

        name++;

        if (*name == '\0') {
            return;
        }

        fuzz_assert(*name == '.');
        name++;
    }
}


static void
fuzz_version(ngx_str_t *text)
{
    ngx_str_t                          name, version;
    ngx_gate_check_migrations_tool_t  *tool;

    if (text->len == 0) {
        return;
    }

    name.data = (u_char *) fuzz_tools[text->data[0] % FUZZ_TOOLS];
    name.len = ngx_strlen(name.data);

    tool = ngx_gate_check_migrations_tools_find(&name);
    fuzz_assert(tool != NULL);

    version.data = text->data + 1;
    version.len = text->len - 1;

    if (tool->is_version(&version)) {
        fuzz_assert(version.len > 0 && version.data == text->data + 1
                    && version.len <= text->len - 1);
    }
}


/* a tool, the size of the message, a version and columns, with zeroes */

static void
fuzz_row(ngx_str_t *text)
{
    u_char                             *p, *last, message[256];
    ngx_str_t                           name, row[FUZZ_COLUMNS];
    ngx_uint_t                          i;
    ngx_gate_check_migrations_conf_t    want;
    ngx_gate_check_migrations_result_t  found;

    if (text->len < 2) {
        return;
    }

    name.data = (u_char *) fuzz_tools[text->data[0] % FUZZ_TOOLS];
    name.len = ngx_strlen(name.data);

    ngx_memzero(row, sizeof(row));

    p = text->data + 2;
    last = text->data + text->len;

    for (i = 0; i <= NGX_GATE_CHECK_MIGRATIONS_ROW_N && p < last; i++) {
        row[i].data = p;
        row[i].len = ngx_strnlen(p, last - p);
        p += row[i].len + 1;
    }

    want.tool = ngx_gate_check_migrations_tools_find(&name);
    want.lock_table = want.tool->lock_table;
    want.version = row[NGX_GATE_CHECK_MIGRATIONS_ROW_N];
    want.exact = text->data[1] & 1;

    for (i = 0; i < 3; i++) {
        found.message.data = message;
        found.message.len = text->data[1];

        if (i == 0) {
            ngx_gate_check_migrations_evaluate(&want, row, 0, &found);

        } else if (i == 1) {
            ngx_gate_check_migrations_none(&want, &found);

        } else if (want.tool->lock_table) {
            ngx_gate_check_migrations_locked(&want, row, 0, &found);
            fuzz_assert(found.verdict != NGX_GATE_PASSED);
        }

        fuzz_assert(found.message.len <= text->data[1]);
        fuzz_assert((found.verdict == NGX_GATE_PASSED)
                    == (found.reason == NGX_GATE_OK));
    }
}


static void
fuzz_message(ngx_str_t *text)
{
    ngx_gate_error_t  error;

    (void) ngx_gate_pq_error_set_text(&error, (char *) text->data);
    fuzz_assert(error.len <= sizeof(error.text));

    (void) ngx_gate_pq_error_sqlstate_reason((char *) text->data);
}


/* the input before and after the secret */

static void
fuzz_conninfo(ngx_conf_t *cf, ngx_str_t *text)
{
    u_char                *p;
    ngx_log_t              log;
    ngx_uint_t             i;
    ngx_gate_check_t       check;
    ngx_gate_pq_conf_t     pcf;
    ngx_gate_check_type_t  type;

    static const char  *forms[] = {
        "%s password=" FUZZ_SECRET "%s%Z",
        "password='" FUZZ_SECRET "%s' %s%Z",
        "postgresql://a:" FUZZ_SECRET "%s@%s%Z"
    };

    /* a text of the message itself is not a secret */

    if (ngx_strstr(text->data, "7se") || ngx_strstr(text->data, "ret7")) {
        return;
    }

    ngx_memzero(&check, sizeof(check));
    ngx_memzero(&type, sizeof(type));
    check.type = &type;

    log = *cf->log;
    log.log_level = NGX_LOG_DEBUG_ALL;
    log.writer = fuzz_log_writer;
    cf->log = &log;

    for (i = 0; i < 3; i++) {
        p = ngx_pnalloc(cf->pool, 2 * text->len + 64);
        fuzz_assert(p != NULL);

        ngx_memzero(&pcf, sizeof(pcf));
        pcf.conninfo.data = p;
        pcf.conninfo.len = ngx_sprintf(p, forms[i], text->data, text->data)
                           - p - 1;

        (void) ngx_gate_pq_conf_parse(cf, &check, &pcf);
    }
}


static void
fuzz_log_writer(ngx_log_t *log, ngx_uint_t level, u_char *buf, size_t len)
{
    buf[len - 1] = '\0';

    fuzz_assert(ngx_strstr(buf, "7se") == NULL
                && ngx_strstr(buf, "ret7") == NULL);
}
