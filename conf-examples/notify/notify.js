#!/usr/bin/env node

// Notices from Node 18 or later, without packages.
//
//     const notify = require("./notify.js");
//     await notify("running", 420, 1000, "cloning the catalog");
//     await notify("passed");
//
// NOTIFY_URL is the address, as in http://gate:8081/notify/app/import, and
// NOTIFY_TOKEN_FILE the file with the token.  As a command:
//
//     notify.js VERDICT [OBSERVED [EXPECTED [MESSAGE]]]

const fs = require("fs");

async function notify(verdict, observed, expected, message) {
  const token = fs.readFileSync(process.env.NOTIFY_TOKEN_FILE, "utf8").trim();
  const form = { verdict, observed, expected, message };

  const response = await fetch(process.env.NOTIFY_URL, {
    method: "POST",
    headers: { Authorization: "Bearer " + token },
    body: new URLSearchParams(
      Object.entries(form).filter(([, value]) => value !== undefined)),
    signal: AbortSignal.timeout(10000),
  });

  if (!response.ok) {
    throw new Error(`notify: ${response.status} ${await response.text()}`);
  }
}

module.exports = notify;

if (require.main === module) {
  notify(...process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
