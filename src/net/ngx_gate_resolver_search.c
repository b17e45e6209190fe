
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The search list of /etc/resolv.conf; see ngx_gate_resolver_search.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_gate_endpoint.h>
#include <ngx_gate_resolver_search.h>


#define NGX_GATE_RESOLVER_NDOTS_MAX  15


static size_t ngx_gate_resolver_search_file(const char *path, u_char *text,
    size_t size);
static ngx_int_t ngx_gate_resolver_search_word(u_char **pos, u_char *last,
    ngx_str_t *word);
static ngx_uint_t ngx_gate_resolver_search_is(ngx_str_t *word,
    const char *text);
static void ngx_gate_resolver_search_domains(
    ngx_gate_resolver_search_t *search, u_char *p, u_char *last,
    ngx_uint_t max);
static void ngx_gate_resolver_search_options(
    ngx_gate_resolver_search_t *search, u_char *p, u_char *last);
static void ngx_gate_resolver_search_host(ngx_gate_resolver_search_t *search);


void
ngx_gate_resolver_search_read(ngx_gate_resolver_search_t *search,
    const char *path)
{
    size_t  len;

    len = ngx_gate_resolver_search_file(path, search->text,
                                        sizeof(search->text));

    ngx_gate_resolver_search_parse(search, len);

    if (search->ndomains == 0) {
        ngx_gate_resolver_search_host(search);
    }
}


static size_t
ngx_gate_resolver_search_file(const char *path, u_char *text, size_t size)
{
    size_t    len;
    ssize_t   n;
    ngx_fd_t  fd;

    fd = ngx_open_file((u_char *) path, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    for (len = 0; len < size; len += n) {
        n = ngx_read_fd(fd, text + len, size - len);

        if (n <= 0) {
            break;
        }
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      ngx_close_file_n " \"%s\" failed", path);
    }

    return len;
}


void
ngx_gate_resolver_search_parse(ngx_gate_resolver_search_t *search, size_t len)
{
    u_char     *p, *last, *line;
    ngx_str_t   word;

    search->ndomains = 0;
    search->ndots = 1;
    search->nservers = 0;

    last = search->text + len;

    for (line = search->text; line < last; line = p + 1) {

        p = ngx_strlchr(line, last, LF);

        if (p == NULL) {
            p = last;
        }

        /* a keyword is at the beginning of its line */

        if (*line == ' ' || *line == '\t'
            || ngx_gate_resolver_search_word(&line, p, &word) != NGX_OK)
        {
            continue;
        }

        if (ngx_gate_resolver_search_is(&word, "search")) {
            ngx_gate_resolver_search_domains(search, line, p,
                                             NGX_GATE_RESOLVER_SEARCH_MAX);

        } else if (ngx_gate_resolver_search_is(&word, "domain")) {
            ngx_gate_resolver_search_domains(search, line, p, 1);

        } else if (ngx_gate_resolver_search_is(&word, "options")) {
            ngx_gate_resolver_search_options(search, line, p);

        } else if (ngx_gate_resolver_search_is(&word, "nameserver")) {
            search->nservers++;
        }
    }
}


static ngx_int_t
ngx_gate_resolver_search_word(u_char **pos, u_char *last, ngx_str_t *word)
{
    u_char  *p;

    p = *pos;

    while (p < last && (*p == ' ' || *p == '\t' || *p == CR)) {
        p++;
    }

    word->data = p;

    while (p < last && *p != ' ' && *p != '\t' && *p != CR) {
        p++;
    }

    word->len = p - word->data;
    *pos = p;

    return word->len ? NGX_OK : NGX_DONE;
}


static ngx_uint_t
ngx_gate_resolver_search_is(ngx_str_t *word, const char *text)
{
    size_t  len;

    len = ngx_strlen(text);

    return word->len == len && ngx_strncmp(word->data, text, len) == 0;
}


/* the last such line is used */

static void
ngx_gate_resolver_search_domains(ngx_gate_resolver_search_t *search,
    u_char *p, u_char *last, ngx_uint_t max)
{
    ngx_str_t  word;

    search->ndomains = 0;

    while (search->ndomains < max
           && ngx_gate_resolver_search_word(&p, last, &word) == NGX_OK)
    {
        if (word.data[0] == '.') {
            word.data++;
            word.len--;
        }

        if (word.len && word.data[word.len - 1] == '.') {
            word.len--;
        }

        if (word.len && word.len <= NGX_GATE_ENDPOINT_HOST_MAX) {
            search->domains[search->ndomains++] = word;
        }
    }
}


static void
ngx_gate_resolver_search_options(ngx_gate_resolver_search_t *search,
    u_char *p, u_char *last)
{
    u_char      *digit;
    ngx_str_t    word;
    ngx_uint_t   n;

    while (ngx_gate_resolver_search_word(&p, last, &word) == NGX_OK) {

        if (word.len <= 6 || ngx_strncmp(word.data, "ndots:", 6) != 0) {
            continue;
        }

        n = 0;

        for (digit = word.data + 6; digit < p; digit++) {

            if (*digit < '0' || *digit > '9') {
                break;
            }

            n = ngx_min(n * 10 + (*digit - '0'), NGX_GATE_RESOLVER_NDOTS_MAX);
        }

        search->ndots = n;
    }
}


static void
ngx_gate_resolver_search_host(ngx_gate_resolver_search_t *search)
{
    u_char     *p, *last;
    ngx_str_t  *host;

    host = &((ngx_cycle_t *) ngx_cycle)->hostname;
    last = host->data + host->len;

    p = host->len ? ngx_strlchr(host->data, last, '.') : NULL;

    if (p && p + 1 < last) {
        ngx_gate_resolver_search_domains(search, p + 1, last, 1);
    }
}


/* the name itself comes first if it has at least ndots dots, else last */

ngx_int_t
ngx_gate_resolver_search_name(ngx_gate_resolver_search_t *search,
    ngx_str_t *name, ngx_uint_t n, u_char *buf)
{
    size_t       i, len;
    u_char      *p;
    ngx_str_t   *domain;
    ngx_uint_t   dots, ndomains, itself;

    len = name->len;
    ndomains = search->ndomains;

    if (name->data[len - 1] == '.') {
        len--;
        ndomains = 0;
    }

    dots = 0;

    for (i = 0; i < len; i++) {
        if (name->data[i] == '.') {
            dots++;
        }
    }

    itself = (dots >= search->ndots) ? 0 : ndomains;

    if (n > ndomains) {
        return NGX_DONE;
    }

    p = ngx_cpymem(buf, name->data, len);

    if (n != itself) {
        domain = &search->domains[n > itself ? n - 1 : n];

        if (len + 1 + domain->len > NGX_GATE_ENDPOINT_HOST_MAX) {
            return NGX_DECLINED;
        }

        *p++ = '.';
        p = ngx_cpymem(p, domain->data, domain->len);
    }

    *p++ = '.';
    *p = '\0';

    return NGX_OK;
}
