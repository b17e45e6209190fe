"use strict";

/* conf-examples/own-page: a page of one's own, until the gate opens */

const { act, args, audit, main, ok, until, visit } = require("./browser.js");


main(async (browser) => {
  const page = await visit(browser, args.url + "/?a=b");
  const value = () => page.getAttribute("progress", "value");
  const past = await page.evaluate(() => history.length);

  ok(await page.isVisible("text=The shop opens soon"), "closed: the page");
  await audit(page, "closed");

  await act("progress");
  await until(async () => await value() == "0.42", "closed: the progress");

  await act("open");
  await until(async () => await page.title().catch(() => "")
              == "The application", "open: the application");
  ok(page.url() == args.url + "/?a=b", "open: the same address");
  ok(await page.evaluate(() => history.length) == past,
     "open: no entry in the history");
});
