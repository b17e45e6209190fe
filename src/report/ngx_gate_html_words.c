
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The languages of the waiting page; see words.txt.
 */


#include <ngx_gate_html.h>
#include <ngx_gate_pages.h>


#define NGX_GATE_HTML_LANG_MAX  35    /* RFC 5646, 4.4.1 */


static ngx_uint_t ngx_gate_html_lang_matches(ngx_str_t *lang,
    const char *tags);


static const ngx_gate_html_words_t  ngx_gate_html_languages[] = {
    NGX_GATE_PAGES_WORDS
};


/* scripts written from right to left */

static const char  ngx_gate_html_rtl[] =
    "ar arc ckb dv fa he iw ks ps sd ug ur yi";


const ngx_gate_html_words_t *
ngx_gate_html_words(ngx_str_t *lang)
{
    ngx_uint_t  i;

    for (i = 0; ngx_gate_html_languages[i].tags; i++) {
        if (ngx_gate_html_lang_matches(lang, ngx_gate_html_languages[i].tags))
        {
            return &ngx_gate_html_languages[i];
        }
    }

    return &ngx_gate_html_languages[0];
}


ngx_uint_t
ngx_gate_html_is_rtl(ngx_str_t *lang)
{
    return ngx_gate_html_lang_matches(lang, ngx_gate_html_rtl);
}


/* "zh" in the tags includes "zh-CN" */

static ngx_uint_t
ngx_gate_html_lang_matches(ngx_str_t *lang, const char *tags)
{
    size_t  len;

    for ( /* void */ ; *tags; tags += len + (tags[len] == ' ')) {

        len = strcspn(tags, " ");

        if (lang->len >= len
            && ngx_strncasecmp(lang->data, (u_char *) tags, len) == 0
            && (lang->len == len || lang->data[len] == '-'))
        {
            return 1;
        }
    }

    return 0;
}


ngx_str_t
ngx_gate_html_lang(ngx_str_t *value)
{
    u_char     ch;
    size_t     i;
    ngx_str_t  lang;

    for (i = 0; i < value->len; i++) {
        ch = value->data[i];

        if ((ch < 'a' || ch > 'z') && (ch < 'A' || ch > 'Z')
            && (ch < '0' || ch > '9') && ch != '-')
        {
            break;
        }
    }

    lang.data = value->data;
    lang.len = (i <= NGX_GATE_HTML_LANG_MAX) ? i : 0;

    return lang;
}
