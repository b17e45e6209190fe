"use strict";

/* the pictures of the documentation, taken during a start */

const { act, args, main, visit } = require("./browser.js");


main(async (browser) => {
  const waiting = await visit(browser, args.url + "/",
    { viewport: { width: 960, height: 600 }, deviceScaleFactor: 1.5 });
  const dashboard = await visit(browser, args.url + "/init",
    { viewport: { width: 1280, height: 790 }, deviceScaleFactor: 1.5 });

  for (let files = 390; files <= 640; files += 10) {
    await act("fill", files);
    await act("ask");
    await dashboard.waitForTimeout(700);

    if (files == 500) {
      await act("sql", "update schema_migrations set version = 42");
    }

    if (files > 500) {
      await act("cache", 60);
    }

    if (files > 600) {
      await act("hold");
    }
  }

  await waiting.screenshot({ path: args.pictures + "/waiting.png" });
  await dashboard.screenshot({ path: args.pictures + "/dashboard.png" });
});
