"use strict";

/* the waiting page in every state */

const { args, audit, fits, is, main, ok, until, visit }
  = require("./browser.js");

const phone = { viewport: { width: 390, height: 800 } };
const looks = [["light", {}], ["dark", { colorScheme: "dark" }],
               ["forced colors", { forcedColors: "active" }]];


/* of two colors, as WCAG 2 defines it */

function contrast(a, b) {
  const light = (color) => {
    const [r, g, b] = color.map((v) => {
      v /= 255;
      return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    });

    return .2126 * r + .7152 * g + .0722 * b;
  };

  const [x, y] = [light(a), light(b)].sort((m, n) => n - m);

  return (x + .05) / (y + .05);
}


/* as bytes, whatever way a color is written */

function colors(page, names) {
  return page.evaluate((names) => {
    const canvas = document.createElement("canvas").getContext("2d",
      { willReadFrequently: true });
    const probe = document.body.appendChild(document.createElement("i"));

    return names.map((name) => {
      probe.style.color = "var(" + name + ")";
      canvas.fillStyle = getComputedStyle(probe).color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    });
  }, names);
}


main(async (browser) => {
  const text = (page, css) => page.textContent(css).then((s) => s.trim());

  /* what each says */

  const alone = await visit(browser, args.url + "/alone/", phone);

  ok(/^(just started|started \d+ s ago)$/.test(await text(alone, ".far")),
     "no progress: time since the start");
  ok(await alone.evaluate(() => document.querySelector("progress").position < 0
     && getComputedStyle(document.querySelector("progress")).animationName
        == "drift"), "no progress: animated bar");
  is(await alone.title(), "Getting ready", "no progress: title");
  ok(!/%/.test(await text(alone, "main")), "no progress: no percentage");
  await until(async () => /^started \d+ s ago$/.test(await text(alone, ".far")),
              "no progress: updated", 30);

  const steps = await visit(browser, args.url + "/steps/", phone);
  is(await text(steps, ".far b"), "1 of 3 steps done", "steps: text");
  is(await steps.title(), "1/3 \u00b7 Getting ready", "steps: title");

  const zero = await visit(browser, args.url + "/zero/", phone);
  ok(!/%/.test(await text(zero, "main")), "0 of 100: no percentage");

  const broken = await visit(browser, args.url + "/broken/", phone);
  is(await text(broken, "h1"), "This did not start correctly",
     "failed: heading");
  is(await broken.title(), "This did not start correctly", "failed: title");
  is(await broken.locator("progress").count(), 0, "failed: no bar");
  ok(!/%|ago|left|opens/.test(await text(broken, "main")),
     "failed: no percentage, time or promise");
  ok(!/import|disk|reported/.test(await text(broken, "main")),
     "failed: no names, reasons and messages");

  const own = await visit(browser, args.url + "/own/", phone);
  is(await text(own, "h1"), "Closed <today>", "failed_title");
  is(await text(own, ".message"), "Call us.", "failed_message");

  const late = await visit(browser, args.url + "/late/", phone);
  is(await text(late, ".note"), "This is taking longer than expected.",
     "overdue: note");

  /* the list */

  const listed = await visit(browser, args.url + "/listed/", phone);
  const items = await listed.$$eval("li", (all) => all.map((el) =>
    el.className + ": " + el.textContent.trim()));

  is(items[0], "passed: Sch\u00e4ma <b>&\" done", "list: label, passed");
  is(items[1], "waiting: " + "n".repeat(64) + " waiting: missing",
     "list: name, waiting");
  is(items[2], "error: index unavailable: refused", "list: error");
  is(items[3], "waiting: extra optional waiting: missing", "list: optional");
  is(items[4], "running: <busy> now in progress", "list: in progress");

  const arabic = await visit(browser, args.url + "/listed/?lang=ar", phone);
  is(await arabic.locator("li b").last().evaluate((el) =>
     getComputedStyle(el).direction), "ltr",
     "list: direction of a label in another language");

  const many = await visit(browser, args.url + "/many/?details=on", phone);
  const shown = () => many.$$eval("ul.list > li b", (all) => all.map((el) =>
    el.textContent));

  is((await shown()).join(), "many-10,many-11,many-12,many-13,many-14,many-15,"
     + "many-16,many-17", "long list: unfinished checks first");
  is(await text(many, "summary"), "13 more", "long list: folded");
  is(await text(many, ".count"), "9 of 20 steps done", "long list: count");
  is(await many.locator("li").count(), 21, "long list: all checks");

  await many.click("summary");
  await until(() => many.evaluate(() => performance
    .getEntriesByType("resource").length > 1),
        "long list, unfolded: polls", 30);
  ok(await many.evaluate(() => document.querySelector("details").open),
     "long list, unfolded: stays so");

  const off = await visit(browser, args.url + "/many/", phone);
  is(await off.locator("li").count(), 0, "details=off: no list");
  await off.context().close();

  /* languages */

  const words = {
    "de-AT,de;q=0.9": ["de", "ltr", "Der Laden \u00f6ffnet",
                       "1 von 3 Schritten fertig", "wartet: missing"],
    "zh-CN,zh": ["zh", "ltr", "\u5546\u5e97",
                 "\u5df2\u5b8c\u6210 1 \u6b65\uff0c\u5171 3 \u6b65",
                 "\u7b49\u5f85\u4e2d: missing"],
    "ar": ["ar", "rtl",
           "\u062c\u0627\u0631\u064d \u0627\u0644\u062a\u062d\u0636\u064a\u0631",
           "\u0627\u0643\u062a\u0645\u0644 1 \u0645\u0646 3",
           "\u0641\u064a \u0627\u0644\u0627\u0646\u062a\u0638\u0627\u0631"
             + ": missing"],
    "fi": ["en", "ltr", "Opening 127.0.0.1", "1 of 3 steps done",
           "waiting: missing"]
  };

  const translated = [];

  for (const [accept, expected] of Object.entries(words)) {
    const page = await visit(browser, args.url + "/words/",
      { ...phone, extraHTTPHeaders: { "Accept-Language": accept } });
    const [lang, dir, title, reached, item] = expected;

    is(await page.getAttribute("html", "lang"), lang, lang + ": lang");
    is(await page.evaluate(() => getComputedStyle(document.body).direction),
       dir, lang + ": direction");
    is(await text(page, "h1"), title, lang + ": title");
    is(await text(page, ".far b"), reached, lang + ": steps");
    is(await text(page, "li.waiting span"), item, lang + ": verdict");
    await page.evaluate(() => {
      document.getElementById("lost").hidden = false;
    });
    translated.push([lang, page]);
  }

  const agent = await visit(browser, args.url + "/agent/",
    { ...phone, extraHTTPHeaders: { "Accept-Language": "pt-BR,pt;q=0.9" } });
  is(await agent.getAttribute("html", "lang"), "pt-BR",
     "lang=$http_accept_language: tag");
  is(await text(agent, "h1"), "A preparar tudo",
     "lang=$http_accept_language: words");

  /* looks */

  const look = await visit(browser, args.url + "/look/", phone);
  is(await look.evaluate(() => document.querySelector(".logo").naturalWidth),
     90, "logo");
  is(await look.evaluate(() => getComputedStyle(document.documentElement)
     .getPropertyValue("--accent").trim()), "#00ff00",
     "color, with a policy");

  for (const [p, name] of [[alone, "no progress"], [steps, "steps"],
      [broken, "failed"], [late, "overdue"], [listed, "list"],
      [many, "long list"], [look, "logo"], ...translated.map((x) =>
        [x[1], x[0]])]) {
    for (const [how, media] of looks) {
      await p.emulateMedia({ colorScheme: "light", forcedColors: "none",
                             ...media });
      await audit(p, name + ", " + how);
    }

    await fits(p, name);
  }

  for (const [how, media] of looks.slice(0, 2)) {
    await look.emulateMedia({ colorScheme: "light", forcedColors: "none",
                              ...media });

    const [paper, ring, go, line] = await colors(look,
      ["--paper", "--ring", "--go", "--line"]);

    ok(contrast(paper, ring) >= 3, how + ": contrast of rings, "
       + contrast(paper, ring).toFixed(1) + ":1");
    ok(contrast(line, go) >= 3, how + ": contrast of the bar, "
       + contrast(line, go).toFixed(1) + ":1");
  }

  await look.emulateMedia({ colorScheme: "light", forcedColors: "active" });
  ok(await look.evaluate(() => getComputedStyle(document.querySelector(
    "progress")).borderTopColor != getComputedStyle(document.body)
    .backgroundColor), "forced colors: outline of the bar");

  is([alone, steps, broken, many, listed, look].map((p) => p.faults.join())
    .join(""), "", "pages: no errors");
});
