"use strict";

/*
* Shared by the scripts: Chromium, TAP on stdout, and calls of subs of the
 * Perl test that started the script.
 */

const fs = require("fs");
const readline = require("readline");
const { chromium } = require("playwright-core");

const args = JSON.parse(process.argv[2] || "{}");
const patience = args.patience || 1;
const input = readline.createInterface({ input: process.stdin });
const replies = input[Symbol.asyncIterator]();

let tests = 0, failed = 0;


function ok(value, name) {
  tests++;

  if (!value) {
    failed++;
  }

  console.log((value ? "ok " : "not ok ") + tests + " - " + name);

  return value;
}


function is(got, expected, name) {
  if (!ok(got === expected, name)) {
    console.log("#      got: " + JSON.stringify(got));
    console.log("# expected: " + JSON.stringify(expected));
  }
}


/* runs a sub of the Perl test, and waits until it has returned */

async function act(name, text) {
  console.log("act " + name + (text === undefined ? "" : " " + text));
  await replies.next();
}


/* waits until the function returns a true value */

async function until(what, name, seconds) {
  const end = Date.now() + (seconds || 10) * 1000 * patience;

  while (Date.now() < end) {
    const value = await what();

    if (value) {
      return ok(value, name);
    }

    await new Promise((wake) => setTimeout(wake, 50));
  }

  return ok(false, name);
}


/* the findings of axe-core, as one line each */

async function audit(page, name) {
  if (!await page.evaluate(() => !!window.axe)) {
    await page.evaluate(
      fs.readFileSync(require.resolve("axe-core"), "utf8"));
  }

  const report = await page.evaluate(() => window.axe.run());

  for (const v of report.violations) {
    console.log("# " + v.id + ": " + v.nodes.map((n) => n.html).join(" "));
  }

  is(report.violations.length, 0, name + ": axe has no findings");
}


/* neither wider than the window, nor cut off */

async function fits(page, name) {
  const width = await page.evaluate(
    () => document.documentElement.scrollWidth - window.innerWidth);

  ok(width <= 0, name + ": fits its width");
}


/* a page that reports what goes wrong in it */

async function visit(browser, url, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();

  page.faults = [];
  page.setDefaultTimeout(10000 * patience);
  page.on("pageerror", (e) => page.faults.push(e.message));
  await page.goto(url);

  return page;
}


async function main(script) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM
                    || "/usr/bin/chromium-headless-shell",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
           "--disable-dev-shm-usage"]
  });

  try {
    await script(browser, args);
    console.log("1.." + tests);

  } catch (e) {
    console.log("# " + String(e.stack).replace(/\n/g, "\n# "));
    failed++;
  }

  await browser.close();
  input.close();
  process.exit(failed ? 1 : 0);
}


module.exports = { act, args, audit, fits, is, main, ok, patience, until,
                   visit };
