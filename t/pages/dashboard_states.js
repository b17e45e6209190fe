"use strict";

/* the dashboard over states that are made up */

const { args, audit, fits, is, main, ok, until, visit }
  = require("./browser.js");

const phone = { viewport: { width: 390, height: 800 } };
const looks = [["light", {}], ["dark", { colorScheme: "dark" }],
               ["forced colors", { forcedColors: "active" }]];
const start = Date.now();
const long = "n".repeat(30) + "-" + "m".repeat(33);


function at(seconds) {
  return new Date(start + seconds * 1000).toISOString();
}


function check(name, verdict, more) {
  return Object.assign({ name, verdict, type: "postgres", required: true,
    label: null, message: null, observed: null, expected: null, attempts: 42,
    consecutive: 3, last_checked: at(-1), next_check: at(600),
    passed_at: null, duration_ms: 1.2, carried_over: false,
    recent: [["waiting", 1], [verdict, 2]] }, more);
}


function gate(name, state, checks, more) {
  const ready = state == "ready" || state == "degraded";

  return Object.assign({ gate: name, state, ready,
    progress: ready ? 1 : null, eta_ms: ready ? 0 : null, retry_after: 5,
    started_at: at(-300), opened_at: ready ? at(-200) : null,
    deadline_at: null, latched: ready, carried_over: false,
    history: [{ state: "starting", at: at(-300) }, { state, at: at(-200) }],
    held: 1, passed: 123456, held_passed: 12, held_refused: 3, refused: 456,
    gone: 1, polled: 77, prober: { pid: 4711, heartbeat: at(600) },
    trigger: null, checks }, more);
}


const states = {
  problems: [
    gate("open", "ready", [check("there", "passed")]),
    gate("app", "initializing", [
      check("file", "passed"),
      check("warm", "pending"),
      check("schema", "waiting", { reason: "behind",
        message: "at 41, expected 42" }),
      check("extra", "error", { required: false, reason: "refused",
        message: "connection refused" }),
      check("images", "running", { reason: "too_few",
        message: "420 of 1000 files", observed: 420, expected: 1000 })
    ], { progress: .42, eta_ms: 16500 }),
    gate("shop", "failed", [
      check("other", "waiting", { reason: "missing" }),
      check("schema", "failed", { reason: "dirty",
        message: "migration 17 did not finish" })
    ]),
    gate("search", "initializing", [
      check("index", "error", { reason: "refused",
        message: "connect() failed (111: Connection refused)" })
    ]),
    gate("late", "overdue", [check("rows", "waiting", { reason: "too_few",
      message: "20 of 100 rows" })]),
    gate("fresh", "starting", [check("first", "pending")]),
    gate("partial", "degraded", [
      check("main", "passed"),
      check("side", "waiting", { required: false, reason: "missing",
        message: "not there: /data/side" })
    ]),
    gate("again", "initializing", [check("once", "passed")]),
    gate("barred", "ready", [check("own", "passed")], { ready: false,
      overrides: [{ action: "close", check: null, reason: "by hand",
        since: at(-10), until: at(7200) }] })
  ],

  long: [
    gate(long, "initializing", [
      check(long, "waiting", { reason: "too_many_connections",
        label: "label " + long, message: "x".repeat(300),
        observed: 123456789, expected: 987654321,
        servers: [
          { address: "10.0.0.1:8000", name: "app:8000", in: true,
            verdict: "passed", reason: null, message: null, since: at(-40),
            duration_ms: 1.5 },
          { address: "[2001:db8::1]:8000", name: long, in: false,
            verdict: "error", reason: "refused",
            message: "connect() failed (111: Connection refused)",
            since: at(-20), duration_ms: .3 }
        ] })
    ], { ready: true, overrides: [{ action: "open", check: null,
           reason: "release " + long, since: at(-10), until: at(7200) },
         { action: "ignore", check: "side", reason: "is being repaired",
           since: at(-10), until: at(7200) }] }),
    gate("other", "failed", [check("c", "failed", { reason: "reported",
      message: "boom" })])
  ],

  many: Array.from({ length: 14 }, (_, i) => gate("gate-" + i,
    ["ready", "initializing", "failed", "degraded"][i % 4],
    Array.from({ length: 5 }, (_, k) => check("c" + k,
      i % 4 && k == 0 ? ["", "waiting", "failed", "waiting"][i % 4] : "passed",
      i % 4 && k == 0 ? { reason: "missing", required: i % 4 != 3 } : {})))),

  brief: [{ gate: "app", state: "initializing", ready: false, progress: null,
    eta_ms: null, retry_after: 5, started_at: at(-30), checks: [
      { name: "a", verdict: "passed" },
      { name: "b", verdict: "waiting", reason: "missing" },
      { name: "o", verdict: "error", reason: "refused", required: false }] }],

  none: []
};


async function open(browser, name, options) {
  const page = await visit(browser, "about:blank", options);

  await page.route(/format=json/, (route) => page.lost ? route.abort()
    : route.fulfill({ headers: { Date: new Date().toUTCString() },
        json: { ready: false, gates: states[page.shown || name] } }));
  await page.goto(args.url + (name == "brief" ? "/brief" : "/init"));
  await until(async () => await page.locator("#gates article").count()
              == states[name].length, name + ": shown", 30);

  return page;
}


async function audited(page, name, list) {
  for (const [how, media] of list) {
    await page.emulateMedia({ colorScheme: "light", forcedColors: "none",
                              ...media });
    await audit(page, name + ", " + how);
  }
}


/* in every look, and away with it */

async function inspect(page, name, list) {
  await audited(page, name, list);
  is(page.faults.join(), "", name + ": no errors");
  await page.context().close();
}


main(async (browser) => {
  const card = (page, name) => page.locator("#gates article",
    { has: page.getByRole("button", { name, exact: true }) });
  const text = (page, name, css) => card(page, name).locator(css).textContent();

  /* what is wrong comes first, and says why */

  const page = await open(browser, "problems",
                          { viewport: { width: 1280, height: 900 } });

  is(await page.$$eval("#gates h2", (all) => all.map((el) => el.textContent)
     .join()), "shop,late,search,barred,app,again,fresh,partial,open",
     "gates: order");
  is(await text(page, "app", ".why"),
     "waiting for schema: at 41, expected 42 (+2)", "waiting gate: reason");
  is(await text(page, "shop", ".why"),
     "failed: schema: migration 17 did not finish (+1)", "failed gate: reason");
  is(await text(page, "search", ".why"), "cannot probe index: connect() failed "
     + "(111: Connection refused) ", "gate with an error: reason");
  is(await text(page, "partial", ".why"),
     "waiting for side: not there: /data/side ", "degraded gate: reason");
  is((await text(page, "fresh", ".why")).trim(), "waiting for first",
     "starting gate: reason");
  is((await text(page, "again", ".why")).trim(),
     "waiting for further passes in a row", "gate with rise: reason");
  ok(await card(page, "open").locator(".why").isHidden(),
     "open gate: no reason");

  is(await text(page, "app", ".door"), "closed", "closed gate: mark");
  is(await text(page, "app", ".state"), "initializing", "closed gate: state");
  is(await text(page, "partial", ".door"), "open", "open gate: mark");
  is(await text(page, "barred", ".far"), "", "gate closed by hand: no progress");
  ok(await card(page, "barred").locator("progress").isHidden(),
     "gate closed by hand: no bar");

  const color = (name) => card(page, name).locator(".state").evaluate(
    (el) => getComputedStyle(el).color);

  ok(await color("search") != await color("app"),
     "gate with an error: another color");
  is(await color("search"), await color("late"),
     "gate with an error: color of a warning");

  is(await page.$$eval("#rows th button", (all) => all.map((el) =>
     el.textContent).join()), "schema,index,extra,schema,other,rows,side,"
     + "images,warm,first,there,file,main,once,own",
     "checks: order");

  /* for those who hear it */

  ok(/behind at 41, expected 42/.test(await page.locator("#rows tr",
     { hasText: "at 41" }).locator(".c-text").evaluate((el) =>
     el.innerText.replace(/\s+/g, " "))),
         "check: space between reason and message");
  ok(/^extra postgres/.test(await page.locator("#rows tr",
     { hasText: "extra" }).locator("th").textContent()),
     "check: space between name and type");

  /* the words */

  ok(/a required check has not passed/.test(await card(page, "app")
     .locator(".state").getAttribute("title")), "state: tooltip");
  ok(/could not be completed/.test(await page.locator("#rows tr",
     { hasText: "index" }).locator(".c-verdict span").getAttribute("title")),
     "verdict: tooltip");
  ok(/waiting page/.test(await card(page, "app").locator("dl div",
     { hasText: "polled" }).getAttribute("title")), "counter: tooltip");
  is(await page.$$eval("#legend li[class]", (all) => all.map((el) =>
     el.textContent).filter((s) => s.length < 20).join()),
     "failed,overdue,initializing,starting,degraded,ready",
     "timelines: legend");
  await page.click("#words summary");
  ok(await page.isVisible("text=the gate has opened and stays open"),
     "foot: words");
  ok(await page.isVisible("footer >> text=JSON")
     && await page.isVisible("footer >> text=Metrics"), "foot: links");

  const small = await page.$$eval("button, summary", (all) => all.map((el) =>
    el.getBoundingClientRect()).filter((r) => r.height && (r.height < 24
      || r.width < 24)).length);

  is(small, 0, "buttons: at least 24 pixels");

  /* without a connection: a message at the top, and the clocks stop */

  const shown = () => page.textContent("main");

  page.lost = true;
  await until(() => page.isVisible("#lost"), "no connection: message", 30);
  ok(await page.evaluate(() => document.getElementById("lost")
       .compareDocumentPosition(document.querySelector("h1"))
       == Node.DOCUMENT_POSITION_FOLLOWING),
           "no connection: message at the top");
  ok(/^no connection /.test(await page.title()), "no connection: title");

  const before = await shown();
  let polls = 0;

  page.on("request", () => polls++);
  await until(() => polls > 2, "no connection: polls", 30);
  is(await shown(), before, "no connection: clocks");
  ok(await page.evaluate(() => [...document.querySelectorAll("main, main *")]
       .every((el) => getComputedStyle(el).opacity == 1
         || el.localName == "path")), "no connection: no dimmed text");
  await audit(page, "no connection");
  page.lost = false;
  await until(() => page.isHidden("#lost"), "connection again: no message", 30);

  /* a phone, and names of 64 characters */

  const narrow = await open(browser, "long", phone);

  await fits(narrow, "names of 64 characters");
  ok(/^forced open until .*: release n+-m+\nside is ignored until .*: is being/
     .test(await text(narrow, long, ".force")), "overrides: text");
  is(await text(narrow, long, ".door"), "open", "overrides: mark");
  await narrow.locator("#rows th button", { hasText: long }).click();
  is(await narrow.$$eval(".servers li", (all) => all.map((el) => el.textContent
     .replace(/since .*/, "since")).join("; ")),
     "in 10.0.0.1:8000 (app:8000) passed since; out [2001:db8::1]:8000 ("
     + long + ") error: connect() failed (111: Connection refused) since",
     "unfolded check: servers");
  await fits(narrow, "unfolded check");

  await inspect(narrow, "long names", looks);

  const many = await open(browser, "many", phone);
  await fits(many, "many gates");
  await inspect(many, "many gates", looks.slice(0, 1));

  const brief = await open(browser, "brief", phone);
  is((await text(brief, "app", ".why")), "waiting for b: missing ",
     "details=off: reason");
  await fits(brief, "brief");
  await inspect(brief, "brief", looks);

  const none = await open(browser, "none", phone);
  is(await none.textContent("h1"), "No gates", "no gates: heading");
  await inspect(none, "none", looks);

  /* forced colors keep what is drawn */

  await audited(page, "problems", looks);

  const drawn = await page.evaluate(() => {
    const style = (css, pseudo) => getComputedStyle(
      document.querySelector(css), pseudo);
    const paper = style("body").backgroundColor;

    return [style("h1", "::before").backgroundColor != paper,
            style("progress").borderTopColor != paper,
            style(".line li").borderTopColor != paper,
            style(".line .ready").backgroundColor != paper];
  });

  is(drawn.join(), "true,true,true,true",
     "forced colors: dot, bar and timeline");

  /* nothing moves under a pointer that is on it */

  await page.emulateMedia({ forcedColors: "none" });
  await page.hover("#gates article >> nth=0");
  states.turned = states.problems.map((g) => g.gate == "open"
    ? Object.assign({}, g, { state: "failed", ready: false }) : g);
  page.shown = "turned";
  await until(async () => await text(page, "open", ".state") == "failed",
              "gate under the pointer: fails", 30);
  is(await page.locator("#gates h2").last().textContent(), "open",
     "gate under the pointer: not moved");
  await page.mouse.move(0, 0);
  await until(async () => await page.locator("#gates h2").first().textContent()
              == "open", "gate without the pointer: moved", 30);

  is(page.faults.join(), "", "page: no errors");
});
