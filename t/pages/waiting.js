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

  is(await still.title(), "Getting ready", "scripts off: the title");
  is(await still.textContent("h1").then((t) => t.trim()), "Getting ready",
     "scripts off: the heading");
  is(await still.textContent(".far b"), "25 %", "scripts off: how far");
  is(await still.locator("li").count(), 2, "scripts off: the checks");
  is(await still.textContent("li.waiting span"), "waiting: missing",
     "scripts off: verdict and reason");
  is(await still.getAttribute("progress", "value"), "25.00",
     "scripts off: the bar");
  is(await still.getAttribute("meta[http-equiv=refresh]", "content"), "5",
     "scripts off: reloads");

  /* policies: nothing allowed, our hashes, our hashes without connections */

  const strict = await visit(browser, args.url + "/strict/");
  const hashed = await visit(browser, args.url + "/hashed/");
  const deaf = await visit(browser, args.url + "/deaf/");

  ok(await strict.isVisible("text=25 %"), "default-src 'none': readable");

  /* the others, as people have them */

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
     "own title, escaped");
  is(await own.textContent(".message").then((t) => t.trim()),
     "Back <i>soon</i> \u2713", "own message, escaped");
  ok(!await own.evaluate(() => window.hurt), "nothing of it runs");
  ok((await own.title()).endsWith("</title></h1><script>window.hurt = 1</script>"),
     "also in <title>");

  ok(await page.evaluate(
       () => !document.querySelector("meta[http-equiv=refresh]")),
     "with its script the page does not reload");

  /* it moves */

  await act("fill", "70");

  await until(async () => await page.textContent(".far b") == "35 %",
              "moves without reloading");
  is(await page.title(), "35 % \u00b7 Getting ready", "the title tells");
  is(await page.evaluate(() => document.querySelector("progress").value), 35,
     "the bar");
  ok(await page.getByRole("progressbar", { name: "Progress" }).isVisible(),
     "a progress bar to assistive technology");
  await until(async () => await hashed.textContent(".far b") == "35 %",
              "with hashes in the policy it moves as well");
  ok(/0 of 2 done/.test(await page.textContent("#say")),
     "is said to a screen reader");

  /* and stays where it is as long as nobody answers */

  await page.context().setOffline(true);
  await until(async () => /No connection/.test(await page.textContent("#foot")),
              "says so when the network is gone");
  await page.context().setOffline(false);
  await act("fill", "100");
  await until(async () => /50 %/.test(await page.textContent(".far b")),
              "and goes on when it is back");
  is(await page.textContent("#foot"), "", "and says no more of it");

  is(loads[args.url + "/?a=b//c"], undefined, "was never reloaded");
  ok(await page.evaluate(() => window.mark), "is still the same page");
  ok((loads[args.url + "/odd/"] || 0) < 2,
     "no loop where something else answers OPTIONS");

  /* a form sent while the gate is closed */

  const form = await visit(browser, args.url + "/form");
  await form.click("button");
  await form.waitForLoadState();

  is(await form.locator("progress").count(), 0,
     "a POST gets no page that could repeat it");

  /* the gate opens */

  await act("open");

  for (const [p, name] of [[page, "with scripts"], [one, "a one-time link"],
      [own, "own words"], [dark, "on a phone"], [hashed, "hashes"],
      [odd, "OPTIONS answered elsewhere"], [still, "scripts off"],
      [strict, "default-src 'none'"], [deaf, "no connect-src"]]) {
    await until(() => app(p).catch(() => false), "goes to the application: "
                + name, 15);
  }

  is(page.url(), args.url + "/?a=b//c#there", "at its own address");
  is(loads[args.url + "/?a=b//c"], 1, "by one load");
  is(await page.evaluate(() => history.length), past,
     "without a step in the history");
  is([...page.faults, ...hashed.faults, ...own.faults].join(), "",
     "no errors in the pages");
});
