"use strict";

/* the waiting page, before and while the gate opens */

const { act, args, audit, fits, is, main, ok, until, visit }
  = require("./browser.js");


main(async (browser) => {
  const phone = { viewport: { width: 360, height: 640 } };
  const app = (page) => page.title().then((t) => t == "The application");

  /* as it is sent, without a script */

  const still = await visit(browser, args.url + "/",
                            { javaScriptEnabled: false });

  is(await still.title(), "25 % \u00b7 Getting ready", "scripts off: title");
  is(await still.textContent("h1").then((t) => t.trim()), "Getting ready",
     "scripts off: heading");
  is(await still.textContent(".far b"), "25 %", "scripts off: percentage");
  ok(/^(just started|started \d+ s ago)$/.test(
       await still.textContent(".far span")), "scripts off: time since start");
  is(await still.locator("li").count(), 0, "scripts off: no checks");
  is(await still.getAttribute("progress", "value"), "25.00",
     "scripts off: progress bar");
  is(await still.getAttribute("meta[http-equiv=refresh]", "content"), "10",
     "scripts off: refresh");

  /* policies: nothing allowed, our hashes, our hashes without connections */

  const strict = await visit(browser, args.url + "/strict/");
  const hashed = await visit(browser, args.url + "/hashed/");
  const deaf = await visit(browser, args.url + "/deaf/");

  ok(await strict.isVisible("text=25 %"), "default-src 'none': readable");

  /* common clients */

  const page = await visit(browser, args.url + "/?a=b//c#there");
  const one = await visit(browser, args.url + "/link?token=1");
  const odd = await visit(browser, args.url + "/odd/");
  const own = await visit(browser, args.url + "/own/", phone);
  const dark = await visit(browser, args.url + "/",
                           { colorScheme: "dark", ...phone });
  const loads = {};

  for (const p of [page, odd, hashed]) {
    await p.evaluate(() => { window.mark = 1; });
    p.on("request", (r) => {
      if (r.isNavigationRequest()) {
        const url = r.url().split("#")[0];
        loads[url] = (loads[url] || 0) + 1;
      }
    });
  }

  const past = await page.evaluate(() => history.length);

  await audit(page, "light");
  await audit(dark, "dark, phone");
  await fits(dark, "dark, phone");
  await fits(own, "own words, phone");

  is(await own.textContent("h1").then((t) => t.trim()),
     "Shop <b>&\"' </title></h1><script>window.hurt = 1</script>",
     "init_page title: escaped");
  is(await own.textContent(".message").then((t) => t.trim()),
     "Back <i>soon</i> \u2713", "init_page message: escaped");
  ok(!await own.evaluate(() => window.hurt), "init_page: no scripts");
  ok((await own.title())
       .endsWith("</title></h1><script>window.hurt = 1</script>"),
     "init_page title: escaped in <title>");

  ok(await page.evaluate(
       () => !document.querySelector("meta[http-equiv=refresh]")),
     "scripts: no refresh");

  /* progress */

  await act("fill", "70");

  await until(async () => await page.textContent(".far b") == "35 %",
              "progress: percentage");
  is(await page.title(), "35 % \u00b7 Getting ready", "progress: title");
  is(await page.evaluate(() => document.querySelector("progress").value), 35,
     "progress: bar");
  ok(await page.getByRole("progressbar", { name: "Progress" }).isVisible(),
     "progress: role of the bar");
  await until(async () => await hashed.textContent(".far b") == "35 %",
              "content security policy with hashes: percentage");
  ok(/^\d+ % \u00b7 /.test(await page.textContent("#say")),
     "progress: text for a screen reader");

  /* without a network the page stays */

  await page.context().setOffline(true);
  await until(() => page.isVisible("#lost"), "offline: message", 30);
  is(await page.textContent("#lost"), "No connection. Trying again\u2026",
     "offline: text");
  ok(await page.evaluate(() => {
       const at = document.getElementById("lost").getBoundingClientRect();
       return at.top == 0 && at.width == document.documentElement.clientWidth;
     }), "offline: at the top");
  await audit(page, "offline");
  await page.context().setOffline(false);
  await act("fill", "100");
  await until(async () => /50 %/.test(await page.textContent(".far b")),
              "online again: percentage", 30);
  ok(await page.isHidden("#lost"), "online again: no message");

  is(loads[args.url + "/?a=b//c"], undefined, "progress: no reload");
  ok(await page.evaluate(() => window.mark), "progress: same document");
  ok((loads[args.url + "/odd/"] || 0) < 2,
     "204 for OPTIONS: no loop");

  /* a form sent while the gate is closed */

  const form = await visit(browser, args.url + "/form");
  await form.click("button");
  await form.waitForLoadState();

  is(await form.locator("progress").count(), 0,
     "POST: no waiting page");

  /* the gate opens */

  await act("open");

  for (const [p, name] of [[page, "scripts"], [one, "one-time link"],
      [own, "init_page"], [dark, "phone"], [hashed, "policy with hashes"],
      [odd, "204 for OPTIONS"], [still, "scripts off"],
      [strict, "default-src 'none'"], [deaf, "no connect-src"]]) {
    await until(() => app(p).catch(() => false),
                name + ": loads the application", 40);
  }

  is(page.url(), args.url + "/?a=b//c#there", "application: same address");
  is(loads[args.url + "/?a=b//c"], 1, "application: one load");
  is(await page.evaluate(() => history.length), past,
     "application: no entry in the history");
  is([...page.faults, ...hashed.faults, ...own.faults].join(), "",
     "pages: no errors");
});
