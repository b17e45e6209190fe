
/*
 * The waiting page: its words in every language, what it shows of gates, and
 * that it is never larger than its computed size.
 */


#include <unit.h>
#include <ngx_gate_html.h>


#define UNIT_CHECKS  20
#define UNIT_TEXT    65536


static void unit_times(void);
static void unit_progress(void);
static void unit_states(void);
static void unit_own_words(void);
static void unit_list(void);
static void unit_long_list(void);
static void unit_gates(void);
static void unit_languages(void);
static void unit_every_word(const ngx_gate_html_words_t *words);
static void unit_lang(void);
static void unit_fits(void);
static ngx_uint_t unit_says(const char *text);
static ngx_uint_t unit_title(const char *text);
static void unit_render(void);
static void unit_begin(void);


static ngx_gate_check_t       unit_check[UNIT_CHECKS];
static ngx_gate_html_item_t   unit_item[UNIT_CHECKS];
static ngx_gate_html_page_t   unit_page;
static ngx_gate_html_parts_t  unit_parts;
static u_char                 unit_text[UNIT_TEXT];

static struct {
    int64_t      eta;
    ngx_msec_t   elapsed;
    const char  *text;
} unit_time[] = {
    { -1,         0,          "<span>just started</span>" },
    { -1,         4999,       "<span>just started</span>" },
    { -1,         5000,       "<span>started 5 s ago</span>" },
    { -1,         59999,      "<span>started 55 s ago</span>" },
    { -1,         60000,      "<span>started 1 min ago</span>" },
    { -1,         150000,     "<span>started 2 min ago</span>" },
    { -1,         5399999,    "<span>started 89 min ago</span>" },
    { -1,         5400000,    "<span>started 1 h ago</span>" },
    { -1,         172799999,  "<span>started 47 h ago</span>" },
    { -1,         172800000,  "<span>started 2 d ago</span>" },
    { 0,          150000,     "<span>a few seconds left</span>" },
    { 4000,       150000,     "<span>a few seconds left</span>" },
    { 4001,       150000,     "<span>about 5 s left</span>" },
    { 5001,       150000,     "<span>about 10 s left</span>" },
    { 16500,      150000,     "<span>about 20 s left</span>" },
    { 59000,      150000,     "<span>about 60 s left</span>" },
    { 60000,      150000,     "<span>about 1 min left</span>" },
    { 89000,      150000,     "<span>about 1 min left</span>" },
    { 90000,      150000,     "<span>about 2 min left</span>" },
    { 3600000,    150000,     "<span>about 60 min left</span>" },
    { 5400000,    150000,     "<span>about 2 h left</span>" },
    { 86400000,   150000,     "<span>about 24 h left</span>" },
    { 259200000,  150000,     "<span>about 3 d left</span>" },
    { 0, 0, NULL }
};


static void
unit(void)
{
    unit_times();
    unit_progress();
    unit_states();
    unit_own_words();
    unit_list();
    unit_long_list();
    unit_gates();
    unit_languages();
    unit_lang();
    unit_fits();
}


static void
unit_times(void)
{
    ngx_uint_t  i;

    unit_begin();

    for (i = 0; unit_time[i].text; i++) {
        unit_page.eta = unit_time[i].eta;
        unit_page.elapsed = unit_time[i].elapsed;

        ok(unit_says(unit_time[i].text), "%ld ms left, %lu gone: %s",
           (long) unit_page.eta, (unsigned long) unit_page.elapsed,
           unit_time[i].text);
    }

    unit_page.eta = 16500;
    ok(unit_says(" data-left=\"16500\""), "time left: also for the script");

    unit_page.eta = -1;
    ok(!unit_says("data-left"), "unknown time: not for the script");
}


static void
unit_progress(void)
{
    unit_begin();

    unit_page.progress.ratio = -1;
    ok(unit_says("<b></b>")
       && unit_says("<progress max=\"100\" aria-label=\"Progress\">")
       && unit_title("Getting ready"), "unknown progress: no number");

    unit_page.progress.ratio = 0;
    ok(unit_says("<b></b>")
       && unit_says("<progress max=\"100\" aria-label=\"Progress\">")
       && unit_title("Getting ready"), "progress 0: no number");

    unit_page.progress.ratio = 3333;
    ok(unit_says("<b>1 of 3 steps done</b>") && unit_says(" value=\"33.33\"")
       && unit_title("1/3 \xc2\xb7 Getting ready"),
       "no check that counts: steps");

    unit_page.progress.counting = 1;
    ok(unit_says("<b>33 %</b>") && unit_title("33 % \xc2\xb7 Getting ready"),
       "a check that counts: per cent");

    unit_page.progress.ratio = 4209;
    ok(unit_says("<b>42 %</b>") && unit_says(" value=\"42.09\""),
       "per cent: rounded down");

    unit_page.progress.ratio = 9999;
    ok(unit_says("<b>99 %</b>"), "99.99 %%: shown as 99 %%");

    unit_page.progress.ratio = 10000;
    ok(unit_says("<b>100 %</b>"), "all passed: 100 %%");
}


static void
unit_states(void)
{
    unit_begin();

    unit_page.progress.ratio = 4200;
    unit_page.progress.counting = 1;

    ok(unit_says("<div id=\"page\" class=\"initializing\" "
                 "data-step=\"initializing 1\">")
       && !unit_says("class=\"note\""), "initializing: no note");

    unit_page.state = NGX_GATE_STATE_OVERDUE;
    ok(unit_says("class=\"overdue\"") && unit_says("42 %")
       && unit_says("<p class=\"note\">This is taking longer than expected."),
       "overdue");

    unit_page.state = NGX_GATE_STATE_FAILED;
    unit_page.eta = 5000;
    ok(unit_says("class=\"failed\"")
       && unit_says("<h1>This did not start correctly</h1>")
       && unit_says("<p class=\"message\">Please try again later.</p>")
       && unit_title("This did not start correctly"), "failed: title");
    ok(!unit_says("%") && !unit_says("<progress") && !unit_says("ago")
       && !unit_says("left") && !unit_says("opens by itself"),
       "failed: no progress and no time");
}


static void
unit_own_words(void)
{
    unit_begin();

    ngx_str_set(&unit_page.title, "Shop <b> & \"x\"");
    ngx_str_set(&unit_page.failed_title, "Sorry <i>");
    ngx_str_set(&unit_page.message, "Back <soon>");
    ngx_str_set(&unit_page.failed_message, "Call & ask");
    ngx_str_set(&unit_page.logo, "/a.svg?b\"&c");

    ok(unit_says("<h1>Shop &lt;b&gt; &amp; &quot;x&quot;</h1>")
       && unit_title("Shop &lt;b&gt; &amp; &quot;x&quot;")
       && unit_says("<p class=\"message\">Back &lt;soon&gt;</p>"),
       "title and message of init_page: escaped");
    ok(unit_says("<img class=\"logo\" src=\"/a.svg?b&quot;&amp;c\" alt=\"\">"),
       "a logo");

    unit_page.state = NGX_GATE_STATE_FAILED;
    ok(unit_says("<h1>Sorry &lt;i&gt;</h1>")
       && unit_says("<p class=\"message\">Call &amp; ask</p>")
       && unit_title("Sorry &lt;i&gt;"),
       "failed_title and failed_message: shown");

    unit_begin();
    unit_render();
    ok(ngx_strstr(unit_parts.html.data, "<html lang=\"en\">\n") != NULL,
       "without color=");

    ngx_str_set(&unit_page.color, "#0b5fff");
    unit_render();
    ok(ngx_strstr(unit_parts.html.data, "<html lang=\"en\""
                  " style=\"--accent: #0b5fff\" data-color=\"#0b5fff\">\n")
       != NULL, "a color");
}


static void
unit_list(void)
{
    unit_begin();

    ok(!unit_says("<ul"), "no list");

    unit_page.items = unit_item;
    unit_page.nitems = 7;

    ok(unit_says("<li class=\"passed\"><b dir=\"auto\">Sch&amp;ma</b> "
                 "<span>done</span></li>\n"), "passed check: label, done");
    ok(unit_says("<li class=\"waiting\"><b dir=\"auto\">c1</b> "
                 "<span>waiting: too few</span></li>\n"),
       "waiting check: name, reason");
    ok(unit_says("<li class=\"running\"><b dir=\"auto\">c2</b> "
                 "<span>in progress</span></li>\n"),
       "running check: in progress");
    ok(unit_says("<li class=\"error\"><b dir=\"auto\">c3</b> "
                 "<span>unavailable: too many connections</span></li>\n"),
       "error: unavailable, reason in words");
    ok(unit_says("<li class=\"error\"><b dir=\"auto\">c4</b> "
                 "<span>unavailable: reported</span></li>\n"),
       "failed check: reason");
    ok(unit_says("<li class=\"waiting\"><b dir=\"auto\">c5</b> "
                 "<span>waiting</span></li>\n"), "pending check: waiting");
    ok(unit_says("<li class=\"waiting\"><b dir=\"auto\">c6</b> "
                 "<small>optional</small> "
                 "<span>waiting: missing</span></li>\n"),
       "optional check: marked");
    ok(!unit_says("<details"), "few checks: not folded");
}


static void
unit_long_list(void)
{
    u_char      *p;
    ngx_uint_t   i, n;

    unit_begin();

    unit_page.items = unit_item;
    unit_page.nitems = UNIT_CHECKS;

    for (i = 0; i < UNIT_CHECKS; i++) {
        unit_item[i].verdict = NGX_GATE_PASSED;
        unit_item[i].reason = NGX_GATE_OK;
    }

    unit_item[12].verdict = NGX_GATE_ERROR;
    unit_item[12].reason = NGX_GATE_REFUSED;

    ok(unit_says("<ul class=\"list\">\n"
                 "<li class=\"error\"><b dir=\"auto\">c12</b>"),
       "many checks: the unfinished one first");
    ok(unit_says("</ul>\n<details><summary>12 more</summary><ul>\n"),
       "many checks: the rest folded");
    ok(!unit_says("class=\"count\""), "many checks: steps once");

    p = unit_text;

    for (n = 0; (p = (u_char *) strstr((char *) p, "<li")) != NULL; n++) {
        p++;
    }

    ok(n == UNIT_CHECKS, "many checks: all %d", (int) n);

    unit_page.progress.ratio = 4200;
    unit_page.progress.counting = 1;
    ok(unit_says("<p class=\"count\">1 of 3 steps done</p>"),
       "per cent: steps, too");
}


/* numbers over several gates */

static void
unit_gates(void)
{
    ngx_gate_record_t  record;

    ngx_memzero(&unit_page, sizeof(unit_page));
    ngx_memzero(&record, sizeof(record));

    record.latch.state = NGX_GATE_STATE_INITIALIZING;
    record.shut_msec = 1000;
    record.eta = 5000;
    record.progress.ratio = -1;
    record.progress.required = 1;

    ngx_gate_html_page_add(&unit_page, &record, 0, 3000);

    ok(unit_page.state == NGX_GATE_STATE_INITIALIZING
       && unit_page.elapsed == 2000 && unit_page.eta == 5000
       && unit_page.progress.ratio == -1, "one gate: its numbers");

    record.latch.state = NGX_GATE_STATE_OVERDUE;
    record.shut_msec = 2000;
    record.eta = 9000;
    record.progress.ratio = 5000;
    record.progress.required = 3;
    record.progress.passed = 1;
    record.progress.counting = 1;

    ngx_gate_html_page_add(&unit_page, &record, 0, 3000);

    ok(unit_page.state == NGX_GATE_STATE_OVERDUE
       && unit_page.elapsed == 2000 && unit_page.eta == 9000
       && unit_page.progress.ratio == 3750
       && unit_page.progress.required == 4 && unit_page.progress.passed == 1
       && unit_page.progress.counting,
       "two gates: the longest times, the mean");

    record.latch.state = NGX_GATE_STATE_READY;
    record.shut_msec = 500;
    record.eta = 0;
    record.progress.ratio = 10000;
    record.progress.required = 1;

    ngx_gate_html_page_add(&unit_page, &record, 1, 3000);

    ok(unit_page.state == NGX_GATE_STATE_OVERDUE
       && unit_page.elapsed == 2000 && unit_page.eta == 9000
       && unit_page.progress.ratio == 5000
       && unit_page.progress.required == 5 && unit_page.progress.passed == 2,
       "with an open gate: its checks count as passed");

    record.latch.state = NGX_GATE_STATE_FAILED;
    record.eta = -1;

    ngx_gate_html_page_add(&unit_page, &record, 0, 3000);

    ok(unit_page.state == NGX_GATE_STATE_FAILED && unit_page.eta == -1,
       "with a failed gate: failed");

    ngx_memzero(&unit_page, sizeof(unit_page));

    record.latch.state = NGX_GATE_STATE_READY;
    record.shut_msec = 2500;

    ngx_gate_html_page_add(&unit_page, &record, 0, 3000);

    ok(unit_page.state == NGX_GATE_STATE_INITIALIZING
       && unit_page.elapsed == 500 && unit_page.progress.ratio == -1
       && unit_page.progress.passed == 0 && !unit_page.progress.counting,
       "closed by an operator: initializing, without progress");
}


static void
unit_languages(void)
{
    ngx_uint_t    i;
    ngx_str_t     lang;
    const char  **tag;

    static const char  *tags[] = {
        "en", "ar", "de", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru",
        "tr", "zh", "zh-Hant", NULL
    };

    for (tag = tags; *tag; tag++) {
        lang.data = (u_char *) *tag;
        lang.len = ngx_strlen(*tag);

        i = tag - tags;

        ok((ngx_gate_html_words(&lang) != ngx_gate_html_words(&(ngx_str_t)
                                                     ngx_string("en")))
           == (i > 0), "%s has words", *tag);

        unit_every_word(ngx_gate_html_words(&lang));
    }
}


/* all words exist, and need no escaping */

static void
unit_every_word(const ngx_gate_html_words_t *words)
{
    size_t            i;
    ngx_uint_t        bad;
    const ngx_str_t  *word, *last;

    bad = 0;

    last = &words->stuck;

    for (word = &words->title; word <= last; word++) {

        bad += (word->len == 0);

        for (i = 0; i < word->len; i++) {
            bad += (strchr("<>&\"\\", word->data[i]) != NULL);
        }
    }

    bad += (ngx_strstr(words->started.data, "$1") == NULL)
           + (ngx_strstr(words->left.data, "$1") == NULL)
           + (ngx_strstr(words->seconds.data, "$1") == NULL)
           + (ngx_strstr(words->minutes.data, "$1") == NULL)
           + (ngx_strstr(words->hours.data, "$1") == NULL)
           + (ngx_strstr(words->days.data, "$1") == NULL)
           + (ngx_strstr(words->more.data, "$1") == NULL)
           + (ngx_strstr(words->steps.data, "$1") == NULL)
           + (ngx_strstr(words->steps.data, "$2") == NULL);

    ok(bad == 0, "all words of \"%s\"", words->tags);
}


static void
unit_lang(void)
{
    ngx_uint_t  i;
    ngx_str_t   value, lang;

    static struct {
        const char  *value;
        const char  *title;
        const char  *html;
        const char  *heading;
    } table[] = {
        { "", "", "<html lang=\"en\">", "Getting ready" },
        { "de", "", "<html lang=\"de\">", "Gleich ist alles bereit" },
        { "DE-at", "", "<html lang=\"DE-at\">", "Gleich ist alles bereit" },
        { "de-AT,de;q=0.9,en", "", "<html lang=\"de-AT\">",
          "Gleich ist alles bereit" },
        { "zh-CN", "", "<html lang=\"zh-CN\">", "\u6b63\u5728\u51c6\u5907" },
        { "zh-TW", "", "<html lang=\"zh-TW\">", "\u6b63\u5728\u6e96\u5099" },
        { "ar", "", "<html lang=\"ar\" dir=\"rtl\">", "\u062c\u0627\u0631" },
        { "he", "x", "<html lang=\"he\" dir=\"rtl\">", "x" },
        { "he", "", "<html lang=\"en\">", "Getting ready" },
        { "den", "", "<html lang=\"en\">", "Getting ready" },
        { "d", "", "<html lang=\"en\">", "Getting ready" },
        { "\"><b dir=\"auto\">", "", "<html lang=\"en\">", "Getting ready" },
        { "*", "x", "<html lang=\"en\">", "x" },
        { "a123456789b123456789c123456789d12345", "x", "<html lang=\"en\">",
          "x" },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        unit_begin();

        unit_page.lang.data = (u_char *) table[i].value;
        unit_page.lang.len = ngx_strlen(table[i].value);
        unit_page.title.data = (u_char *) table[i].title;
        unit_page.title.len = ngx_strlen(table[i].title);

        unit_render();
        ok(ngx_strncmp(unit_text, table[i].html, ngx_strlen(table[i].html))
           == 0 && unit_says(table[i].heading), "lang=%s: %s, %s",
           table[i].value, table[i].html, table[i].heading);
    }

    ngx_str_set(&value, "pt-BR;q=1");
    lang = ngx_gate_html_lang(&value);
    ok(lang.len == 5 && ngx_gate_html_is_rtl(&value) == 0,
       "first language of the list");
}


/* the longest texts in every place */

static void
unit_fits(void)
{
    u_char                       text[NGX_GATE_LABEL_MAX];
    size_t                       size, len;
    ngx_str_t                    tag;
    ngx_uint_t                   i, state, reason, verdict, worst;
    const ngx_gate_html_words_t  *words;

    static const char  *tags[] = { "en", "ja", "ru", "zh-Hant" };

    unit_begin();
    ngx_memset(text, '"', sizeof(text));

    unit_page.title.data = text;
    unit_page.title.len = sizeof(text);
    unit_page.message = unit_page.title;
    unit_page.failed_title = unit_page.title;
    unit_page.failed_message = unit_page.title;
    unit_page.logo = unit_page.title;
    unit_page.color = unit_page.title;

    unit_page.items = unit_item;
    unit_page.nitems = UNIT_CHECKS;
    unit_page.progress.ratio = 9999;
    unit_page.progress.counting = 1;
    unit_page.progress.passed = (ngx_uint_t) -1;
    unit_page.progress.required = (ngx_uint_t) -1;
    unit_page.eta = 0x7fffffffffffffff - 999;

    for (i = 0; i < UNIT_CHECKS; i++) {
        unit_check[i].label = unit_page.title;
        unit_check[i].optional = 1;
    }

    for (worst = 0; worst < 4; worst++) {

        tag.data = (u_char *) tags[worst];
        tag.len = ngx_strlen(tags[worst]);

        unit_page.lang = tag;
        words = ngx_gate_html_words(&tag);

        size = ngx_gate_html_page_size(&unit_page);
        len = 0;

        for (state = 0; state < NGX_GATE_STATES; state++) {
            unit_page.state = state;

            for (verdict = 0; verdict < NGX_GATE_VERDICTS; verdict++) {
                for (reason = 0; reason < NGX_GATE_REASONS; reason++) {

                    for (i = 0; i < UNIT_CHECKS; i++) {
                        unit_item[i].verdict = verdict;
                        unit_item[i].reason = reason;
                    }

                    unit_render();
                    len = ngx_max(len, unit_parts.html.len
                                       + unit_parts.title.len
                                       + unit_parts.main.len);
                }
            }
        }

        ok(len < size && size < UNIT_TEXT, "%s: the longest, %d bytes, is "
           "within %d", words->tags, (int) len, (int) size);

        /* a smaller buffer is not exceeded */

        ngx_memset(unit_text, 'x', UNIT_TEXT);
        ngx_gate_html_page(&unit_page, &unit_parts, unit_text,
                           unit_text + 1000);
        ok(unit_text[1000] == 'x', "%s: no write beyond the end",
           words->tags);
    }
}


static ngx_uint_t
unit_says(const char *text)
{
    unit_render();

    return ngx_strstr(unit_parts.main.data, text) != NULL;
}


static ngx_uint_t
unit_title(const char *text)
{
    unit_render();

    return unit_parts.title.len == ngx_strlen(text) + 1
           && ngx_strncmp(unit_parts.title.data, text, ngx_strlen(text)) == 0;
}


static void
unit_render(void)
{
    ngx_gate_html_page(&unit_page, &unit_parts, unit_text,
                       unit_text + UNIT_TEXT - 1);

    unit_parts.main.data[unit_parts.main.len] = '\0';
}


static void
unit_begin(void)
{
    ngx_uint_t   i;
    static u_char  names[UNIT_CHECKS][4];

    ngx_memzero(&unit_page, sizeof(unit_page));
    ngx_memzero(unit_item, sizeof(unit_item));
    ngx_memzero(unit_check, sizeof(unit_check));

    for (i = 0; i < UNIT_CHECKS; i++) {
        unit_item[i].check = &unit_check[i];
        unit_check[i].name.data = names[i];
        unit_check[i].name.len = ngx_sprintf(names[i], "c%ui", i) - names[i];
    }

    ngx_str_set(&unit_check[0].label, "Sch&ma");
    unit_check[6].optional = 1;

    unit_item[0].verdict = NGX_GATE_PASSED;
    unit_item[1].verdict = NGX_GATE_WAITING;
    unit_item[1].reason = NGX_GATE_TOO_FEW;
    unit_item[2].verdict = NGX_GATE_RUNNING;
    unit_item[2].reason = NGX_GATE_IN_PROGRESS;
    unit_item[3].verdict = NGX_GATE_ERROR;
    unit_item[3].reason = NGX_GATE_TOO_MANY_CONNECTIONS;
    unit_item[4].verdict = NGX_GATE_FAILED;
    unit_item[4].reason = NGX_GATE_REPORTED;
    unit_item[6].verdict = NGX_GATE_WAITING;
    unit_item[6].reason = NGX_GATE_MISSING;

    unit_page.state = NGX_GATE_STATE_INITIALIZING;
    unit_page.eta = -1;
    unit_page.progress.required = 3;
    unit_page.progress.passed = 1;
}
