
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reasons of connection failures and refused queries.  Errors of the server
 * are recognized by their SQLSTATE; errors of libpq by their text, in
 * English, since nginx sets no locale.
 */


#include <ngx_gate_pq.h>


typedef struct {
    const char         *state;      /* or its prefix */
    ngx_gate_reason_e   reason;
} ngx_gate_pq_error_sqlstate_t;


typedef struct {
    const char         *text;       /* NULL: the system's text of "err" */
    ngx_err_t           err;
    ngx_gate_reason_e   reason;
} ngx_gate_pq_error_text_t;


static const char *ngx_gate_pq_error_find_sqlstate(const char *text);
static ngx_gate_reason_e ngx_gate_pq_error_find_text(const char *text);
static void ngx_gate_pq_error_set_line(ngx_gate_error_t *error,
    ngx_gate_reason_e reason, const char *text, const char *state);


static ngx_gate_pq_error_sqlstate_t  ngx_gate_pq_error_sqlstates[] = {
    { "28", NGX_GATE_AUTH },
    { "3D000", NGX_GATE_NO_DATABASE },
    { "42501", NGX_GATE_DENIED },
    { "53300", NGX_GATE_TOO_MANY_CONNECTIONS },
    { "55P03", NGX_GATE_LOCKED },
    { "57014", NGX_GATE_TIMEOUT },
    { "57P03", NGX_GATE_STARTING_UP },
    { "57P04", NGX_GATE_NO_DATABASE },
    { "57P", NGX_GATE_RESET },
    { "08", NGX_GATE_UNREACHABLE },
    { NULL, NGX_GATE_QUERY }
};


/*
 * Messages of libpq, and of PgBouncer, which uses 08P01 for all errors and
 * passes on the server's error as text.  The first match decides.
 */

static ngx_gate_pq_error_text_t  ngx_gate_pq_error_texts[] = {
    { "no such database", 0, NGX_GATE_NO_DATABASE },
    { "is disabled", 0, NGX_GATE_NO_DATABASE },
    { "permission denied for database", 0, NGX_GATE_DENIED },
    { "too many", 0, NGX_GATE_TOO_MANY_CONNECTIONS },
    { "no more connections allowed", 0, NGX_GATE_TOO_MANY_CONNECTIONS },
    { "connection slots", 0, NGX_GATE_TOO_MANY_CONNECTIONS },
    { "the database system is", 0, NGX_GATE_STARTING_UP },
    { "no such user", 0, NGX_GATE_AUTH },
    { "role \"", 0, NGX_GATE_AUTH },
    { "database \"", 0, NGX_GATE_NO_DATABASE },
    { "pg_hba.conf", 0, NGX_GATE_AUTH },
    { "login rejected", 0, NGX_GATE_AUTH },
    { "server login has been failing", 0, NGX_GATE_UNREACHABLE },
    { "server down", 0, NGX_GATE_UNREACHABLE },
    { "cannot connect", 0, NGX_GATE_UNREACHABLE },
    { "connect failed", 0, NGX_GATE_UNREACHABLE },
    { "query_wait_timeout", 0, NGX_GATE_UNREACHABLE },
    { "query_timeout", 0, NGX_GATE_TIMEOUT },

    { "certificate", 0, NGX_GATE_TLS },
    { "private key", 0, NGX_GATE_TLS },

    { "server closed the connection", 0, NGX_GATE_RESET },
    { "server conn crashed", 0, NGX_GATE_RESET },
    { "EOF detected", 0, NGX_GATE_RESET },
    { "unexpected eof", 0, NGX_GATE_RESET },
    { "connection not open", 0, NGX_GATE_RESET },
    { "no connection to the server", 0, NGX_GATE_RESET },

    { "invalid response", 0, NGX_GATE_PROTOCOL },
    { "expected authentication request", 0, NGX_GATE_PROTOCOL },
    { "invalid authentication request", 0, NGX_GATE_PROTOCOL },
    { "malformed", 0, NGX_GATE_PROTOCOL },

    { "no password supplied", 0, NGX_GATE_AUTH },
    { "authentication", 0, NGX_GATE_AUTH },
    { "SASL", 0, NGX_GATE_AUTH },
    { "SCRAM", 0, NGX_GATE_AUTH },
    { "channel binding", 0, NGX_GATE_AUTH },
    { "GSSAPI", 0, NGX_GATE_AUTH },
    { "peer user name", 0, NGX_GATE_AUTH },

    { NULL, NGX_ECONNREFUSED, NGX_GATE_REFUSED },
    { NULL, NGX_ENOENT, NGX_GATE_REFUSED },
    { NULL, NGX_EAGAIN, NGX_GATE_UNREACHABLE },
    { NULL, NGX_ECONNRESET, NGX_GATE_RESET },
    { NULL, NGX_EPIPE, NGX_GATE_RESET },
    { NULL, NGX_EHOSTUNREACH, NGX_GATE_UNREACHABLE },
    { NULL, NGX_ENETUNREACH, NGX_GATE_UNREACHABLE },
    { NULL, NGX_EHOSTDOWN, NGX_GATE_UNREACHABLE },
    { NULL, EADDRNOTAVAIL, NGX_GATE_UNREACHABLE },
    { NULL, NGX_ETIMEDOUT, NGX_GATE_TIMEOUT },
    { NULL, NGX_EACCES, NGX_GATE_DENIED },
    { NULL, NGX_EMFILE, NGX_GATE_NO_CONNECTIONS },
    { NULL, NGX_ENFILE, NGX_GATE_NO_CONNECTIONS },

    { "out of memory", 0, NGX_GATE_NO_MEMORY },
    { "SSL", 0, NGX_GATE_TLS },
    { NULL, 0, NGX_GATE_PROTOCOL }
};


ngx_gate_reason_e
ngx_gate_pq_error_sqlstate_reason(const char *sqlstate)
{
    ngx_gate_pq_error_sqlstate_t  *s;

    for (s = ngx_gate_pq_error_sqlstates; s->state; s++) {
        if (ngx_strncmp(sqlstate, s->state, ngx_strlen(s->state)) == 0) {
            break;
        }
    }

    return s->reason;
}


void
ngx_gate_pq_error_set_result(ngx_gate_error_t *error, PGresult *result)
{
    const char         *state, *text;
    ngx_gate_reason_e   reason;

    state = libpq.PQresultErrorField(result, PG_DIAG_SQLSTATE);
    text = libpq.PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (state == NULL || text == NULL) {
        (void) ngx_gate_pq_error_set_text(error,
                                          libpq.PQresultErrorMessage(result));
        return;
    }

    reason = ngx_strcmp(state, "08P01") == 0
             ? ngx_gate_pq_error_find_text(text)
             : ngx_gate_pq_error_sqlstate_reason(state);

    ngx_gate_pq_error_set_line(error, reason, text, state);
}


/*
 * A failed login returns a text but no result; with PQERRORS_VERBOSE it
 * contains the SQLSTATE.
 */

ngx_uint_t
ngx_gate_pq_error_set_text(ngx_gate_error_t *error, const char *text)
{
    const char         *state;
    ngx_gate_reason_e   reason;

    state = ngx_gate_pq_error_find_sqlstate(text);

    if (state == NULL) {
        ngx_gate_pq_error_set_line(error, ngx_gate_pq_error_find_text(text),
                                   text, NULL);
        return 0;
    }

    reason = ngx_strncmp(state, "08P01", 5) == 0
             ? ngx_gate_pq_error_find_text(state)
             : ngx_gate_pq_error_sqlstate_reason(state);

    ngx_gate_pq_error_set_line(error, reason, state + sizeof("00000: ") - 1,
                               state);
    return 1;
}


/* "FATAL: 28P01: password authentication failed ...", in any language */

static const char *
ngx_gate_pq_error_find_sqlstate(const char *text)
{
    u_char       ch;
    ngx_uint_t   i;
    const char  *p;

    for (p = strstr(text, ":  "); p; p = strstr(p, ":  ")) {
        p += 3;

        for (i = 0; i < 5; i++) {
            ch = p[i];

            if (!((ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z'))) {
                break;
            }
        }

        if (i == 5 && p[5] == ':' && p[6] == ' ') {
            return p;
        }
    }

    return NULL;
}


static ngx_gate_reason_e
ngx_gate_pq_error_find_text(const char *text)
{
    const char                *what;
    ngx_gate_pq_error_text_t  *t;

    for (t = ngx_gate_pq_error_texts; t->text || t->err; t++) {

        what = t->text ? t->text : strerror(t->err);

        if (strstr(text, what)) {
            break;
        }
    }

    return t->reason;
}


static void
ngx_gate_pq_error_set_line(ngx_gate_error_t *error, ngx_gate_reason_e reason,
    const char *text, const char *state)
{
    size_t  len;

    if (*text == '\0') {
        text = "unexpected reply";
    }

    for (len = 0; text[len] && text[len] != LF && text[len] != CR; len++) {
        /* void */
    }

    if (state) {
        ngx_gate_error_set(error, reason, "%*s (%*s)", len, text, (size_t) 5,
                           state);

    } else {
        ngx_gate_error_set(error, reason, "%*s", len, text);
    }
}
