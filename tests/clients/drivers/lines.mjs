// What the drivers of npm SDKs share. A driver reads one case a line from standard input, does with
// its SDK what the case says, and writes one result a line: what came, or which error the SDK
// raised.

import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { join } from "node:path";

const modules = process.env.TINTYPE_CLIENTS_NPM;
export const require = createRequire(join(modules, "driver.js"));

export async function response(answer) {
  const body = Buffer.from(await answer.arrayBuffer());
  return { status: answer.status, headers: Object.fromEntries(answer.headers), body: body.toString("base64") };
}

export const get = async (url, init) => response(await fetch(url, init));

export async function serve(run) {
  for await (const line of createInterface({ input: process.stdin })) {
    const work = JSON.parse(line);
    let result;
    try {
      result = await run(work.case, work);
    } catch (error) {
      const fields = Object.fromEntries(Object.entries(error).filter(([, value]) => !(value instanceof Error)));
      delete fields.response;
      result = { error: { class: error.constructor?.name ?? typeof error, message: String(error?.message ?? error), ...fields } };
    }
    process.stdout.write(JSON.stringify(result) + "\n");
  }
  process.exit(0);
}
