// Sends every example delivery of @octokit/webhooks-examples to the intake script, as GitHub would: some hundred real-shaped payloads.
//
//   PICLOUD_URL   http://127.0.0.1:8080 by default
//   PICLOUD_KEY   the key that `picloud up` printed
import { createHash } from "node:crypto";
import { createRequire } from "node:module";

const events = createRequire(import.meta.url)("@octokit/webhooks-examples");
const url = `${process.env.PICLOUD_URL ?? "http://127.0.0.1:8080"}/run/github-triage/intake`;
const key = process.env.PICLOUD_KEY;
if (!key) {
  console.error("PICLOUD_KEY is not set: give it the key that picloud up printed");
  process.exit(2);
}

const deliveries = events.flatMap(({ name, examples }) =>
  examples.map((payload, n) => ({ name, payload, id: createHash("sha256").update(`${name}/${n}`).digest("hex").slice(0, 32) })),
);

const answers = {};
let sent = 0;
async function sender() {
  for (let d = deliveries.pop(); d; d = deliveries.pop()) {
    const answer = await fetch(url, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json", "x-github-event": d.name, "x-github-delivery": d.id },
      body: JSON.stringify(d.payload),
    });
    if (!answer.ok) console.error(`${d.name} ${d.id}: ${answer.status} ${await answer.text()}`);
    else await answer.arrayBuffer();
    answers[answer.status] = (answers[answer.status] ?? 0) + 1;
    if (++sent % 100 === 0) console.log(`${sent} sent`);
  }
}

await Promise.all(Array.from({ length: 8 }, sender));
console.log(`${sent} deliveries sent; answers by status: ${JSON.stringify(answers)}`);
process.exit(Object.keys(answers).every((status) => status < 300) ? 0 : 1);
