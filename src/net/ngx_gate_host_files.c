
/*
 * /etc/hosts and /etc/resolv.conf, line by line, as the C library reads them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_gate_endpoint.h>
#include <ngx_gate_host_files.h>


#define NGX_GATE_NDOTS_MAX  15


static ngx_int_t ngx_gate_next_line(u_char **pos, u_char *last,
    ngx_str_t *line);
static ngx_int_t ngx_gate_next_word(ngx_str_t *line, ngx_str_t *word);
static ngx_uint_t ngx_gate_word_is(ngx_str_t *word, const char *text);
static ngx_uint_t ngx_gate_same_name(ngx_str_t *one, ngx_str_t *two);
static void ngx_gate_resolv_conf_server(ngx_gate_resolv_conf_t *conf,
    ngx_str_t *line);
static void ngx_gate_resolv_conf_search(ngx_gate_resolv_conf_t *conf,
    ngx_str_t *line, ngx_uint_t max);
static void ngx_gate_resolv_conf_options(ngx_gate_resolv_conf_t *conf,
    ngx_str_t *line);


void
ngx_gate_resolv_conf_parse(ngx_gate_resolv_conf_t *conf, u_char *data,
    size_t len)
{
    u_char     *last;
    ngx_str_t   line, word;

    ngx_memzero(conf, sizeof(ngx_gate_resolv_conf_t));

    conf->ndots = 1;
    last = data + len;

    while (ngx_gate_next_line(&data, last, &line) == NGX_OK) {

        /* a keyword stands at the very start of its line */

        if (line.len == 0 || line.data[0] == ' ' || line.data[0] == '\t'
            || line.data[0] == '#' || line.data[0] == ';')
        {
            continue;
        }

        if (ngx_gate_next_word(&line, &word) != NGX_OK) {
            continue;
        }

        if (ngx_gate_word_is(&word, "nameserver")) {
            ngx_gate_resolv_conf_server(conf, &line);

        } else if (ngx_gate_word_is(&word, "search")) {
            ngx_gate_resolv_conf_search(conf, &line, NGX_GATE_SEARCH_MAX);

        } else if (ngx_gate_word_is(&word, "domain")) {
            ngx_gate_resolv_conf_search(conf, &line, 1);

        } else if (ngx_gate_word_is(&word, "options")) {
            ngx_gate_resolv_conf_options(conf, &line);
        }
    }
}


static void
ngx_gate_resolv_conf_server(ngx_gate_resolv_conf_t *conf, ngx_str_t *line)
{
    ngx_str_t       word;
    socklen_t       socklen;
    ngx_sockaddr_t  sa;

    if (conf->nservers == NGX_GATE_SERVERS_MAX
        || ngx_gate_next_word(line, &word) != NGX_OK
        || ngx_gate_endpoint_parse_address(&word, 0, &sa, &socklen) != NGX_OK)
    {
        return;
    }

    conf->servers[conf->nservers++] = word;
}


static void
ngx_gate_resolv_conf_search(ngx_gate_resolv_conf_t *conf, ngx_str_t *line,
    ngx_uint_t max)
{
    ngx_str_t  word;

    /* the last of several such lines counts */

    conf->nsearch = 0;

    while (conf->nsearch < max && ngx_gate_next_word(line, &word) == NGX_OK) {

        if (word.data[0] == '.') {
            word.data++;
            word.len--;
        }

        if (word.len > 0 && word.data[word.len - 1] == '.') {
            word.len--;
        }

        if (word.len > 0 && word.len <= NGX_GATE_ENDPOINT_HOST_MAX) {
            conf->search[conf->nsearch++] = word;
        }
    }
}


static void
ngx_gate_resolv_conf_options(ngx_gate_resolv_conf_t *conf, ngx_str_t *line)
{
    u_char      *p, *last;
    ngx_str_t    word;
    ngx_uint_t   n;

    while (ngx_gate_next_word(line, &word) == NGX_OK) {

        if (word.len <= 6 || ngx_strncmp(word.data, "ndots:", 6) != 0) {
            continue;
        }

        p = word.data + 6;
        last = word.data + word.len;

        for (n = 0; p < last && *p >= '0' && *p <= '9'; p++) {
            n = ngx_min(n * 10 + (*p - '0'), NGX_GATE_NDOTS_MAX);
        }

        conf->ndots = n;
    }
}


ngx_uint_t
ngx_gate_hosts_find(u_char *data, size_t len, ngx_str_t *name,
    ngx_sockaddr_t *addrs, socklen_t *socklens, ngx_uint_t max)
{
    u_char      *last;
    ngx_str_t    line, address, word;
    ngx_uint_t   n;

    n = 0;
    last = data + len;

    while (n < max && ngx_gate_next_line(&data, last, &line) == NGX_OK) {

        if (ngx_gate_next_word(&line, &address) != NGX_OK
            || address.data[0] == '#')
        {
            continue;
        }

        while (ngx_gate_next_word(&line, &word) == NGX_OK
               && word.data[0] != '#')
        {
            if (!ngx_gate_same_name(&word, name)) {
                continue;
            }

            if (ngx_gate_endpoint_parse_address(&address, 0, &addrs[n],
                                                &socklens[n])
                == NGX_OK)
            {
                n++;
            }

            break;
        }
    }

    return n;
}


static ngx_int_t
ngx_gate_next_line(u_char **pos, u_char *last, ngx_str_t *line)
{
    u_char  *p;

    if (*pos == last) {
        return NGX_DONE;
    }

    p = ngx_strlchr(*pos, last, LF);

    line->data = *pos;
    line->len = (p ? p : last) - *pos;

    *pos = p ? p + 1 : last;

    return NGX_OK;
}


/* takes the next word off the line; a comment may follow one directly */

static ngx_int_t
ngx_gate_next_word(ngx_str_t *line, ngx_str_t *word)
{
    u_char  *p, *last;

    p = line->data;
    last = p + line->len;

    while (p < last && (*p == ' ' || *p == '\t' || *p == CR)) {
        p++;
    }

    word->data = p;

    while (p < last && *p != ' ' && *p != '\t' && *p != CR
           && (*p != '#' || p == word->data))
    {
        p++;
    }

    word->len = p - word->data;

    line->data = p;
    line->len = last - p;

    return word->len ? NGX_OK : NGX_DONE;
}


static ngx_uint_t
ngx_gate_word_is(ngx_str_t *word, const char *text)
{
    size_t  len;

    len = ngx_strlen(text);

    return word->len == len && ngx_strncmp(word->data, text, len) == 0;
}


/* without regard to case, and to a dot at the end */

static ngx_uint_t
ngx_gate_same_name(ngx_str_t *one, ngx_str_t *two)
{
    size_t  i, len1, len2;

    len1 = one->len;
    len2 = two->len;

    if (len1 > 0 && one->data[len1 - 1] == '.') {
        len1--;
    }

    if (len2 > 0 && two->data[len2 - 1] == '.') {
        len2--;
    }

    if (len1 != len2) {
        return 0;
    }

    for (i = 0; i < len1; i++) {
        if (ngx_tolower(one->data[i]) != ngx_tolower(two->data[i])) {
            return 0;
        }
    }

    return 1;
}
