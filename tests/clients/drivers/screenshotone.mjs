// screenshotone-api-sdk. `options` are methods of TakeOptions with their arguments, in the order of
// the case.

import { get, require, serve } from "./lines.mjs";

const { Client, TakeOptions, AnimateOptions } = require("screenshotone-api-sdk");

function build(kind, item, page) {
  const start = item.from ?? "url";
  let options = kind[start](item[start] ?? page);
  for (const [name, value] of Object.entries(item.options ?? {})) {
    options = options[name](...(Array.isArray(value) ? value : [value]));
  }
  return options;
}

serve(async (item, { page, base, keys }) => {
  const client = new Client(item.access_key ?? keys.screenshotone[0], item.secret ?? keys.screenshotone[1], base);
  const how = item.how ?? "take";
  if (how === "animate") {
    const blob = await client.animate(build(AnimateOptions, item, page));
    return { status: 200, headers: { "content-type": blob.type }, body: Buffer.from(await blob.arrayBuffer()).toString("base64") };
  }
  const options = build(TakeOptions, item, page);
  if (how === "link") return get(await client.generateTakeURL(options));
  if (how === "signed") return get(await client.generateSignedTakeURL(options));
  if (how === "tampered") return get((await client.generateSignedTakeURL(options)).replace("delay=1", "delay=2"));
  if (how === "store") return { json: await client.store(options, "path/of/picture") };
  if (how === "get") return get(base + item.path.replace("$KEY", keys.screenshotone[0]));
  const blob = await client.take(options);
  return { status: 200, headers: { "content-type": blob.type }, body: Buffer.from(await blob.arrayBuffer()).toString("base64") };
});
