"use strict";

/* a tab that stays open: two gates, a failure that is repaired, for hours */

const { act, args, is, main, ok, until, visit } = require("./browser.js");


main(async (browser) => {
  const text = (page, css) => page.textContent(css).then((s) => s.trim());
  const both = await visit(browser, args.url + "/both/");
  const broken = await visit(browser, args.url + "/broken/");

  is(await text(both, ".far b"), "35 %", "two closed gates: progress of both");
  is(await text(broken, "h1"), "This did not start correctly",
     "failed gate: heading");

  /* one after the other: both gates have to open */

  await act("one");
  await until(async () => await text(both, ".far b") == "49 %",
              "one of two gates open: progress", 40);
  ok(await both.isVisible("text=Getting ready"),
     "one of two gates open: waiting page");
  await act("both");
  await until(() => both.title().then((s) => s == "The application",
    () => false), "both gates open: application", 40);

  /* a failure is repaired */

  await act("repair");
  await until(() => broken.title().then((s) => s == "The application",
    () => false), "failed gate, repaired: application", 60);

  is(both.faults.join() + broken.faults.join(), "", "pages: no errors");

  /* an open tab whose requests may not wait, with its clock running fifty
     times as fast */

  const tab = await browser.newContext();

  await tab.addInitScript(() => {
    const slow = window.setTimeout, now = performance.now.bind(performance);

    window.pauses = [];

    window.setTimeout = (what, ms) => {
      if (ms < 2e4) {
        window.pauses.push(ms);
      }

      return slow(what, ms / 50);
    };

    performance.now = () => now() * 50;
  });

  const idle = await tab.newPage();

  await idle.route("**", (route, request) => {
    const headers = { ...request.headers() };

    delete headers.prefer;
    route.continue({ headers });
  });

  await idle.goto(args.url + "/alone/");
  await until(() => idle.evaluate(() => window.pauses.length > 30),
              "idle tab: polls", 60);

  const pauses = await idle.evaluate(() => window.pauses);

  ok(pauses.every((ms) => ms >= 1000 && ms <= 15000),
     "idle tab: between 1 and 15 seconds");
  ok(pauses.slice(-5).every((ms) => ms > 11000),
     "idle tab: every 11 to 15 seconds in the end");
  ok(pauses.filter((ms, i) => pauses.slice(0, i).reduce((a, b) => a + b, 0)
     < 6e4).length < 25, "idle tab: less than 25 polls in the first minute");

  await idle.close();

  /* one whose requests wait, an hour later */

  const old = await browser.newContext();

  await old.addInitScript(() => {
    const now = performance.now.bind(performance);

    performance.now = () => now() + 3.6e6;
  });

  const waits = await old.newPage();
  const sent = [];

  waits.on("request", (r) => sent.push(r.headers().prefer));
  await waits.goto(args.url + "/alone/");
  await until(() => sent.includes("wait=55"), "waiting tab: its request", 30);

  const before = sent.length;

  await waits.waitForTimeout(3000);
  is(sent.length, before, "waiting tab: no request without a change");

  await act("alone");
  await until(() => waits.title().then((s) => s == "The application",
    () => false), "waiting tab, gate opens: application", 5);
});
