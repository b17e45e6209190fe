"use strict";

/* the dashboard of real gates, with two hundred checks and hostile texts */

const { act, args, audit, fits, is, main, ok, until, visit }
  = require("./browser.js");


const names = (page) => page.$$eval("#rows tr:not([hidden]) th button",
  (all) => all.map((el) => el.textContent));
const cells = (page, id) => page.$$eval("#rows tr:not([hidden]) td.c-" + id,
  (all) => all.map((el) => el.textContent));
const gate = (page, name) => page.locator("#gates article",
  { has: page.getByRole("button", { name, exact: true }) });


main(async (browser) => {
  const page = await visit(browser, args.url + "/init");
  const rows = page.locator("#rows tr:not([hidden])");

  await until(async () => await rows.count() == 205, "all checks: shown");

  /* gates */

  is(await page.textContent("h1"), "3 of 4 gates closed",
      "heading: closed gates");
  ok(/^3 of 4 gates closed/.test(await page.title()), "title: closed gates");
  is(await gate(page, "many").locator(".state").textContent(), "initializing",
     "gate: state");
  is(await gate(page, "many").locator(".far").textContent(), "50 %",
     "gate: progress");
  ok(await gate(page, "open").locator("progress").isHidden(),
     "open gate: no progress");
  ok(/^starting [\d.]+ m?s/.test(
       (await gate(page, "open").locator(".line").textContent()).trim()),
     "history: begins with starting");
  ok(/ready/.test(await gate(page, "open").locator(".line").textContent()),
     "history: ends with ready");
  ok(/prober \d+/.test(await gate(page, "open").textContent()),
     "gate: prober");

  /* decisions */

  const refused = () => gate(page, "many").locator("dl div",
    { hasText: /^refused/ }).locator("dd span").textContent().then(Number);
  const before = await refused();

  await act("refuse", "7");
  await until(async () => await refused() == before + 7, "decisions: counted");

  /* a check changes */

  const one = page.locator("#rows tr", { hasText: "many-007" });

  await until(async () => /waiting/.test(await one.textContent()),
              "check: waiting");
  ok(/missing/.test(await one.locator(".c-text").textContent()),
      "check: reason");
  ok(/^in |^now/.test(await one.locator(".c-next").textContent()),
     "check: next probe");
  ok(await one.locator("svg[role=img]").getAttribute("aria-label")
       .then((s) => /\d+ waiting/.test(s)), "check: recent verdicts");
  await act("pass", "007");
  await until(async () => /passed/.test(await one.textContent()),
              "check: passes without a reload");

  /* hostile texts stay texts */

  const bad = page.locator("#rows tr", { hasText: "hostile" }).first();

  ok(/<\/script><img src=x onerror=/.test(
       await bad.locator(".c-text").textContent()),
           "hostile message: shown as text");
  is(await page.locator("main img").count(), 0, "hostile message: no elements");
  ok(!await page.evaluate(() => window.hurt), "hostile message: no scripts");

  await bad.locator("th button").click();
  ok(/<\/script><img src=x/.test(await page.textContent(".more .msg")),
     "unfolded check: whole message");
  is(await bad.locator("th button").getAttribute("aria-expanded"), "true",
     "unfolded check: aria-expanded");
  await fits(page, "long message");
  await bad.locator("th button").press("Enter");
  is(await page.locator(".more").count(), 0, "Enter: folded again");

  /* sorting */

  const head = (name) => page.getByRole("columnheader", { name });
  const sorted = (list, less) => list.every((x, i) => !i || !less(x, list[i - 1]));
  const order = await names(page);

  await head("Check").getByRole("button").click();
  is(await head("Check").getAttribute("aria-sort"), "ascending",
      "sorted by name: aria-sort");
  ok(sorted(await names(page), (a, b) => a.localeCompare(b, "en",
     { numeric: true }) < 0), "sorted by name: order");
  await head("Check").getByRole("button").press("Enter");
  is(await head("Check").getAttribute("aria-sort"), "descending",
     "sorted by name, descending: aria-sort");
  ok(sorted(await names(page), (a, b) => a.localeCompare(b, "en",
     { numeric: true }) > 0), "sorted by name, descending: order");
  await head("Check").getByRole("button").press("Enter");
  is((await names(page)).join(), order.join(),
      "not sorted: order as before");

  await head("Verdict").getByRole("button").click();
  is((await cells(page, "verdict"))[0], "failed",
      "sorted by verdict: failed first");
  is((await cells(page, "verdict")).pop(), "passed",
      "sorted by verdict: passed last");

  /* filtering */

  await page.fill("#q", "MANY-01");
  await until(async () => await rows.count() == 10, "filter: by name");
  is(await page.textContent("#count"), "10 of 205 checks",
      "filter: number of checks");
  await page.fill("#q", "onerror");
  await until(async () => (await names(page)).join() == "hostile",
              "filter: by message");
  await page.fill("#q", "no such thing");
  ok(await page.isVisible("#none"), "filter: nothing found");
  await page.fill("#q", "");
  await page.getByRole("button", { name: /\d+ passed/ }).click();
  ok((await cells(page, "verdict")).every((v) => v == "passed"),
     "filter: by verdict");
  ok(/verdict=passed/.test(page.url()), "filter: in the address");
  await page.getByRole("button", { name: /\d+ passed/ }).click();
  await gate(page, "open").getByRole("button").click();
  ok((await cells(page, "gate")).every((g) => g == "open"),
     "filter: by gate");

  const again = await visit(browser, page.url());
  await until(async () => (await again.locator("#rows tr:not([hidden])")
    .count()) == 1, "bookmark: same view");
  await again.context().close();

  await gate(page, "open").getByRole("button").click();
  await until(async () => await rows.count() == 205, "no filter: all checks");

  /* other clients */

  const dark = await visit(browser, args.url + "/init",
    { colorScheme: "dark", viewport: { width: 375, height: 800 } });
  await until(async () => await dark.locator("#rows tr").count() == 205,
              "phone: all checks");
  await fits(dark, "phone");

  const brief = await visit(browser, args.url + "/brief");
  await until(async () => await brief.locator("#rows tr").count() == 205,
              "details=off: all checks");
  is((await brief.locator("thead th:visible").allTextContents()).join(),
     "Check,Gate,Verdict,Reason", "details=off: columns");
  ok(!/onerror/.test(await brief.content().then(
       (s) => s.slice(s.indexOf("<table"), s.indexOf("</table")))),
     "details=off: no messages");
  await brief.context().close();

  const hashed = await visit(browser, args.url + "/hashed");
  await until(async () => await hashed.locator("#rows tr").count() == 205,
              "content security policy with hashes: all checks");
  await hashed.context().close();

  const still = await visit(browser, args.url + "/init",
                            { javaScriptEnabled: false });
  ok(await still.isVisible("text=The live view requires JavaScript"),
     "scripts off: links to other formats");
  await still.context().close();

  /* pausing */

  let polls = 0;

  page.on("request", () => polls++);
  await page.getByRole("button", { name: "Pause" }).click();
  ok(/^paused/.test(await page.textContent("#live")), "paused: shown");
  polls = 0;
  await page.waitForTimeout(1500);
  is(polls, 0, "paused: no requests");
  await page.getByRole("button", { name: "Resume" }).click();
  await until(() => polls > 0, "resumed: requests");

  let held;
  const status = /[?&]format=json/;

  await page.route(status, (route) => { held = route; });
  await until(() => held, "a pending request");
  await page.getByRole("button", { name: "Pause" }).click();
  polls = 0;
  await held.continue();
  await page.waitForTimeout(1500);
  is(polls, 0, "paused during a request: no further requests");
  await page.unroute(status);
  await page.getByRole("button", { name: "Resume" }).click();
  await until(() => polls > 0, "resumed again: requests");

  /* nginx is stopped and started again */

  await act("stop");
  await until(() => page.isVisible("#lost"), "nginx stopped: message");
  ok(/^No connection\. Trying again/.test(await page.textContent("#lost")),
     "nginx stopped: text");
  is(await page.textContent("#live"), "not live", "nginx stopped: not live");
  await act("start");
  await until(async () => await page.textContent("#live") == "live",
              "nginx started: live", 20);
  ok(await page.isHidden("#lost"), "nginx started: no message");

  /* a gate and its checks are removed by a reload */

  await act("shrink");
  await until(async () => await page.locator("#gates article").count() == 3
    && await page.locator("#rows tr").count() == 5,
    "gate removed: not shown", 15);
  is(await page.locator("#only option").count(), 4,
      "gate removed: not in the selection");

  for (const p of [page, dark]) {
    await until(async () => await p.locator("#rows tr").count() == 5,
                "gate removed: five checks");
    await p.locator("#rows th button").first().click();
    await p.getByRole("button", { name: /1 failed/ }).click();
    await audit(p, p == page ? "light" : "dark, phone");
    await fits(p, "unfolded message");
  }

  await dark.context().close();

  is(page.faults.join(), "", "page: no errors");
  await page.context().close();

  /* a status that is hostile in every field */

  const evil = (n) => "\"'></b></script><img src=x onerror=window.hurt=1>\u202e"
    + "\u0007&amp;<svg onload=window.hurt=1>" + n;
  const at = new Date().toISOString();
  const odd = await browser.newPage();

  await odd.route("**/init?format=json", (route) => route.fulfill({
    json: { ready: false, gates: [0, 1].map((n) => ({
      gate: evil(n), state: evil(n), ready: false, progress: 0.5, eta_ms: 1,
      retry_after: 1, started_at: evil(n), opened_at: evil(n),
      deadline_at: evil(n), latched: true, carried_over: true,
      history: [{ state: evil(n), at: at }, { state: evil(n), at: evil(n) }],
      held: 0, passed: 0, held_passed: 0, held_refused: 0, refused: 0,
      gone: 0, prober: { pid: evil(n), heartbeat: evil(n) },
      trigger: { state: evil(n), attempts: 2, message: evil(n) },
      checks: [{ name: evil(n), verdict: evil(n), reason: evil(n),
        type: evil(n), required: false, message: evil(n), observed: 1,
        expected: 2, attempts: 1, consecutive: 1, last_checked: evil(n),
        next_check: evil(n), passed_at: evil(n), duration_ms: 1,
        carried_over: true, recent: [[evil(n), 1], ["passed", 2]] }]
    })) }
  }));

  odd.faults = [];
  odd.on("pageerror", (e) => odd.faults.push(e.message));
  await odd.goto(args.url + "/init");
  await until(async () => await odd.locator("#rows tr").count() == 2,
              "hostile status: shown");
  await odd.locator("#rows th button").first().click();
  await odd.locator("#gates h2 button").first().click();
  await odd.reload();
  await until(async () => await odd.locator("#rows tr").count() == 2,
              "hostile status, bookmark: shown");
  is(await odd.locator("main img, main svg[onload]").count(), 0,
     "hostile status: no elements");
  ok(!await odd.evaluate(() => window.hurt), "hostile status: no scripts");
  is(odd.faults.join(), "", "hostile status: no errors");
  await odd.close();

  /* a long time: the page with a clock that is fifty times as fast */

  const wall = await browser.newContext();

  await wall.addInitScript(() => {
    const slow = window.setTimeout;

    window.setTimeout = (what, ms) => slow(what, ms == 1000 ? 20 : ms);
  });

  const long = await wall.newPage();
  const devtools = await wall.newCDPSession(long);
  let asked = 0;

  const size = async (polls) => {
    await until(() => asked >= polls, polls + " polls", 20);
    await devtools.send("HeapProfiler.collectGarbage");

    const heap = await devtools.send("Runtime.getHeapUsage");
    const dom = await devtools.send("Memory.getDOMCounters");

    return { heap: heap.usedSize, nodes: dom.nodes,
             listeners: dom.jsEventListeners };
  };

  long.on("requestfinished", () => asked++);
  await long.goto(args.url + "/init");

  const early = await size(60);
  const late = await size(300);

  console.log("# " + JSON.stringify(early) + " " + JSON.stringify(late));
  ok(late.heap - early.heap < 200000, "many polls: memory");
  ok(late.nodes - early.nodes < 50, "many polls: nodes of the document");
  is(late.listeners, early.listeners, "many polls: event listeners");
});
